"""The commands `rules`, `explain` and `verify`: the standard, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlops_audit.cli import options
from mlops_audit.cli.codes import FAILED, PASSED
from mlops_audit.cli.output import colored, counted, say, width, write, write_file, write_lines
from mlops_audit.cli.surroundings import rules_of
from mlops_audit.cli.words import FORMATS, Folder, Misuse, Word, aspects


@click.command()
@click.argument("aspect", type=Word("aspect", aspects))
@click.option("--format", "format", type=Word("format", FORMATS[:3]), default="terminal", show_default=True)
@options.RULES
@options.COLOR
def explain(aspect: str, format: str, packs: tuple[Path, ...], color: str) -> int:
    """Explain an ASPECT: what it checks, why, what passes, examples, how to fix it."""
    from mlops_audit import catalogue
    from mlops_audit.formats import explain as explaining

    rule = rules_of(packs, examples=True).rule(aspect)
    if rule is None:
        raise Misuse(f"no rule decides the aspect {aspect!r}")
    text = explaining.explain(rule, catalogue.load(), format, color=colored(color), width=width())
    write(text, utf8=format != "terminal")
    return PASSED


@click.command("rules")
@click.option(
    "--format", "format", type=Word("format", ("terminal", "json")), default="terminal", show_default=True
)
@click.option(
    "--write-docs",
    "pages",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a page for each aspect, and their index, into a folder instead.",
)
@options.RULES
def list_rules(format: str, pages: Path | None, packs: tuple[Path, ...]) -> int:
    """List all aspects: id, weight, title, kinds of project that it is asked of."""
    from mlops_audit import catalogue
    from mlops_audit.formats.explain import rule_list

    if pages is not None:
        _write_pages(pages, packs)
        return PASSED
    write(rule_list(rules_of(packs), catalogue.load(), format), utf8=format == "json")
    return PASSED


def _write_pages(folder: Path, packs: Sequence[Path]) -> None:
    """The pages of all rules; a page that is there already and no longer made is taken away."""
    from mlops_audit import catalogue
    from mlops_audit.formats import rule_pages as made

    found = made.pages(rules_of(packs, examples=True), catalogue.load())
    try:
        for path, text in found.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_file(folder / path, text)
        for page in sorted(folder.glob("*/*.md")):
            if page.relative_to(folder).as_posix() not in found and page.read_text("utf-8").startswith(
                made.MADE
            ):
                page.unlink()
    except OSError as error:
        raise Misuse(f"--write-docs: {str(folder)!r} cannot be written: {error.strerror}") from error
    say(f"wrote {len(found)} pages to {folder}")


@click.command()
@click.argument("pack", type=Folder(), required=False)
def verify(pack: Path | None) -> int:
    """Verify a PACK of rules (the built-in one when left out): its examples, and the laws that every rule obeys."""
    from mlops_audit.rules import RuleError
    from mlops_audit.verify import verify_folder

    try:
        rules, faults = verify_folder(pack)
    except RuleError as error:
        raise Misuse(str(error)) from error
    write_lines([str(fault) for fault in faults])
    say(f"{counted(rules, 'rule')}: {counted(len(faults), 'fault') if faults else 'no faults'}")
    return FAILED if faults else PASSED


COMMANDS = (explain, list_rules, verify)
