"""Presets of installed packages: their files are read as data; no code of a package is imported or run."""

from __future__ import annotations

import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

PREFIX = "package:"
LARGEST = 1_000_000


def place_of(reference: str) -> tuple[Path, str]:
    """The folder of the package and the path inside it that `package:NAME/FILE.toml` names.

    The package is looked up among the installed ones without importing it, and never in the current folder, where a
    repository that is audited could lie. Raises ValueError in one clear line.
    """
    name, _, path = reference.removeprefix(PREFIX).partition("/")
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or not path:
        raise ValueError(
            f"a preset is `{PREFIX}NAME/FILE.toml` with the name of an installed package, not {reference!r}"
        )
    if ".." in PurePosixPath(path).parts or path.startswith("/") or not path.endswith(".toml"):
        raise ValueError(f"a preset is a .toml file inside its package, not {path!r}")
    here = os.path.realpath(os.curdir)
    places = [place for place in sys.path if place and os.path.realpath(place) != here]
    found = PathFinder.find_spec(name, places)
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    if not folders:
        raise ValueError(f"no package {name!r} is installed")
    for folder in folders:
        if (Path(folder) / path).is_file():
            return Path(folder), path
    raise ValueError(f"the package {name!r} has no file {path!r}")
