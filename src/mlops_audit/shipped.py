"""The rules and the standard that ship with the program: from what was kept of them while they are the same, else read."""

from __future__ import annotations

from functools import cache

from mlops_audit import catalogue, rules
from mlops_audit.cache import NOTHING_KEPT, Cache, digest, program
from mlops_audit.records import catalogue_of, pack_of, plain_catalogue, plain_pack
from mlops_audit.rules import Pack


@cache
def shipped(kept: Cache = NOTHING_KEPT) -> Pack:
    """The rules, read once however many audits ask for them; the catalogue is known from then on too.

    Rules that were kept are without their examples, which no audit looks at.
    """
    folder = catalogue.data_folder("rules")
    if not kept.folder:
        return rules.load(folder)
    files = [
        data
        for path in sorted(folder.rglob("*.yaml"))
        for data in (path.relative_to(folder).as_posix().encode(), path.read_bytes())
    ]
    pack, standard = kept.known(
        "rules",
        digest(program(), *files),
        lambda: (plain_pack(rules.load(folder)), plain_catalogue(catalogue.load())),
    )
    catalogue.know(catalogue_of(standard))
    return pack_of(pack, folder.as_posix())
