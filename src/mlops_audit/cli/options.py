"""Options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlops_audit.cli.words import PROFILES, Day, Folder, Word

COLOR = click.option(
    "--color", type=Word("value of --color", ("auto", "always", "never")), default="auto", show_default=True,
    help="Colour the terminal's report. auto heeds NO_COLOR and FORCE_COLOR.",
)  # fmt: skip
EXTENDS = click.option("--extends", "presets", multiple=True, metavar="PRESET",
                       help="A configuration below the repository's: a file, or package:NAME/FILE.toml.")  # fmt: skip
ISOLATED = click.option("--isolated", is_flag=True, help="Ignore the configuration of the repository.")
PROFILE = click.option("--profile", type=Word("profile", PROFILES), help="Weights and thresholds: poc, standard, "
                       "regulated; uk-gov asks the aspects of the UK Government too.")  # fmt: skip
BASELINE = click.option("--baseline", "known", type=click.Path(path_type=Path), metavar="FILE",
                        help="The file of recorded findings.")  # fmt: skip
NO_WAIVERS = click.option(
    "--no-waivers", is_flag=True, help="Heed no waiver, and no comment that ignores a finding."
)
NO_CACHE = click.option(
    "--no-cache", is_flag=True, help="Keep nothing for the next run, and use nothing that was kept."
)
TODAY = click.option("--today", type=Day(), hidden=True)
RULES = click.option(
    "--rules", "packs", type=Folder(), multiple=True, metavar="DIR", help="A folder of further rules."
)


def time_limit(seconds: float, told: str) -> Callable[[Any], Any]:
    """The option that ends what would take longer, with its default and what becomes of the rest."""
    return click.option(
        "--time-limit", "seconds", type=click.FloatRange(min=0, min_open=True), default=seconds, show_default=True,
        metavar="SECONDS", help=told,
    )  # fmt: skip
