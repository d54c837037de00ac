"""The standard: pillars, aspects, weights, levels and their gates, read from rules/catalogue.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, NamedTuple

from mlops_audit import parse
from mlops_audit.parse.nodes import Node

VerdictName = Literal["pass", "partial", "missing", "na"]


def data_folder(name: str) -> Path:
    """Where the data folders `rules` and `reports` lie: inside the installed package, else in the checkout."""
    package = Path(os.path.realpath(__file__)).parent
    inside = package / "_data" / name
    if inside.is_dir():
        return inside
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise FileNotFoundError(f"mlops-audit is installed without its folder {name!r}: install it again")


class Aspect(NamedTuple):
    """One question of the audit.

    `weight` is 3 essential, 2 important, 1 advanced; `document` tells that prose can be evidence for it.
    """

    id: str
    title: str
    weight: int
    applies_to: tuple[str, ...]
    meaning: dict[str, str]  # verdict -> what it takes, in the catalogue's words
    document: bool = False

    @property
    def pillar(self) -> str:
        return self.id.partition("/")[0]


class Pillar(NamedTuple):
    id: str
    title: str
    aspects: tuple[Aspect, ...]


class Gate(NamedTuple):
    """Opens when all (or any) of its aspects have at least a verdict; aspects that do not apply are left out."""

    aspects: tuple[str, ...]
    needs: Literal["all", "any"]
    at_least: Literal["pass", "partial"]


class Level(NamedTuple):
    level: int
    title: str
    meaning: str
    gates: tuple[Gate, ...]


class Catalogue(NamedTuple):
    pillars: tuple[Pillar, ...]
    levels: tuple[Level, ...]

    @property
    def aspects(self) -> tuple[Aspect, ...]:
        return tuple(aspect for pillar in self.pillars for aspect in pillar.aspects)


def load() -> Catalogue:
    """The catalogue that ships with the program, read once."""
    if not _KNOWN:
        _KNOWN.append(_read())
    return _KNOWN[0]


def know(catalogue: Catalogue) -> None:
    """From now on this is the catalogue that ships with the program, which somebody has read before."""
    _KNOWN[:] = [catalogue]


_KNOWN: list[Catalogue] = []


def _read() -> Catalogue:
    (root,) = parse.yaml((data_folder("rules") / "catalogue.yaml").read_bytes())
    aspects = []
    for node in (root.get("aspects") or root).list:
        meaning = {v: node.at(v) for v in ("pass", "partial", "missing", "na") if node.at(v)}
        applies = node.get("applies_to")
        aspects.append(
            Aspect(
                id=node.at("id"),
                title=node.at("title"),
                weight=int(node.at("weight")),
                applies_to=tuple(kind.text for kind in applies.list) if applies else (),
                meaning=meaning,
                document=node.at("document") == "true",
            )
        )
    pillars = tuple(
        Pillar(p.at("id"), p.at("title"), tuple(a for a in aspects if a.pillar == p.at("id")))
        for p in (root.get("pillars") or root).list
    )
    levels = tuple(
        Level(
            int(level.at("level")),
            level.at("title"),
            level.at("meaning"),
            tuple(_gate(gate) for gate in (level.get("gates") or Node([], 0)).list),
        )
        for level in (root.get("maturity") or root).list
    )
    return Catalogue(pillars, levels)


def _gate(node: Node) -> Gate:
    needs: Literal["all", "any"] = "all" if node.get("all") else "any"
    aspects = node.get(needs)
    return Gate(
        tuple(aspect.text for aspect in aspects.list) if aspects else (),
        needs,
        "pass" if node.at("at_least") == "pass" else "partial",
    )
