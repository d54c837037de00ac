"""The rules and the standard that ship with the program: as they were compiled for a wheel, else kept, else read."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from mlops_audit import __version__, catalogue, rules
from mlops_audit.cache import NOTHING_KEPT, Cache, digest, program
from mlops_audit.records import Record, catalogue_of, pack_of, plain_catalogue, plain_pack
from mlops_audit.rules import Pack

COMPILED = "rules.json"  # beside the folder of rules that it was made from; hatch_build.py writes it


@cache
def shipped(kept: Cache = NOTHING_KEPT) -> Pack:
    """The rules without their examples, which no audit looks at; read once however many audits ask for them.

    The catalogue is known from then on too.
    """
    folder = catalogue.data_folder("rules")
    content = _content(folder)
    pack, standard = _compiled(folder.parent / COMPILED, content) or kept.known(
        "rules", digest(program(), content), _read
    )
    catalogue.know(catalogue_of(standard))
    return pack_of(pack, folder.as_posix())


@cache
def exemplified() -> Pack:
    """The rules with their examples, read from their files."""
    return rules.load(catalogue.data_folder("rules"))


def compiled() -> str:
    """The rules and the catalogue as JSON, under what tells their files and this version from others."""
    content = _content(catalogue.data_folder("rules"))
    return json.dumps([content.hex(), _read()], ensure_ascii=False, separators=(",", ":"))


def _read() -> Record:
    return plain_pack(exemplified()), plain_catalogue(catalogue.load())


def _compiled(place: Path, content: bytes) -> Record | None:
    """What was compiled from this very content, None where there is nothing of the kind."""
    try:
        of, record = json.loads(place.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return tuple(record) if of == content.hex() else None


def _content(folder: Path) -> bytes:
    """What tells the files of rules, and the version that reads them, from others."""
    files = [
        data
        for path in sorted(folder.rglob("*.yaml"))
        for data in (path.relative_to(folder).as_posix().encode(), path.read_bytes())
    ]
    return digest(__version__.encode(), *files)
