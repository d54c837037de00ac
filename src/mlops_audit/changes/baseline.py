"""The baseline: findings that were there when it was recorded are held back, so that only what is new is reported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mlops_audit.changes.identity import CLAIM, Anchor, Mark, Sketch, match, renames
from mlops_audit.facts import Site
from mlops_audit.judge import Finding, Verdict
from mlops_audit.quiet import place_of, quiet

NAME = ".mlops-audit-baseline.json"
VERSION = 1
MOST = 200_000  # entries that a baseline may have
GRAVITY = {Verdict.PARTIAL.value: 1, Verdict.MISSING.value: 2}


class BaselineError(ValueError):
    """A baseline that cannot be read, in one line that begins with `file:line`."""


class Place(NamedTuple):
    """A recorded place of a finding: what stands there, and in which file. Its line is not recorded: lines move."""

    aspect: str
    signal: str
    name: str
    path: str

    @property
    def anchor(self) -> Anchor:
        return self.aspect, self.signal, self.name

    @property
    def site(self) -> Site:
        return Site(self.path)


@dataclass(frozen=True, slots=True)
class Baseline:
    """Recorded findings: the verdict of each aspect, the places, and sketches of the files, to know renamed ones by."""

    aspects: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    files: Mapping[str, Sketch] = field(default_factory=dict)
    commit: str = ""

    def __len__(self) -> int:
        return len(self.aspects) + len(self.places)


class Held(NamedTuple):
    """What a baseline held back of an audit, what is new, what is gone, and the part of it that still stands."""

    file: str
    aspects: frozenset[str]  # aspects whose findings are recorded
    places: tuple[Mark, ...]
    new_aspects: tuple[str, ...]
    new_places: tuple[Mark, ...]
    gone_aspects: tuple[tuple[str, str], ...]  # with the verdict that was recorded
    gone_places: tuple[Place, ...]
    remaining: Baseline

    @property
    def hidden(self) -> int:
        return len(self.aspects) + len(self.places)


def recorded(
    findings: Iterable[Finding], places: Iterable[Mark], sketches: Mapping[str, Sketch], commit: str = ""
) -> Baseline:
    """A baseline of the findings of an audit that are partial or missing, and of their places."""
    kept = sorted(_place(mark) for mark in places)
    paths = {path for _, _, _, path in kept}
    return Baseline(
        {f.aspect.id: f.verdict.value for f in findings if f.verdict.value in GRAVITY},
        tuple(Place(*row) for row in kept),
        {path: known for path, known in sorted(sketches.items()) if path in paths and known},
        commit,
    )


def hold(
    baseline: Baseline, findings: Iterable[Finding], places: Sequence[Mark], sketches: Mapping[str, Sketch],
    paths: Iterable[str], file: str = NAME,
) -> Held:  # fmt: skip
    """Compare an audit with a baseline. `paths` are all files of the tree, `sketches` those of the files with places.

    A recorded finding covers the same aspect as long as its verdict is no worse, and each recorded place one place.
    """
    found = {f.aspect.id: f.verdict.value for f in findings if f.verdict.value in GRAVITY}
    covered = {a: v for a, v in found.items() if GRAVITY[v] <= GRAVITY.get(baseline.aspects.get(a, ""), 0)}
    here = set(paths)
    gone = {
        place.path: baseline.files.get(place.path, ()) for place in baseline.places if place.path not in here
    }
    known = {place.path for place in baseline.places}
    appeared = {path: sketches.get(path, ()) for path in {mark.site.path for mark in places} - known}
    matched = match(baseline.places, list(places), renames(gone, appeared))
    same = {id(new) for _, new in matched.same}
    held = [mark for mark in places if id(mark) in same]
    return Held(
        file,
        frozenset(covered),
        tuple(held),
        tuple(aspect for aspect in found if aspect not in covered),
        tuple(matched.came),
        tuple((a, verdict) for a, verdict in sorted(baseline.aspects.items()) if a not in found),
        tuple(matched.went),
        Baseline(
            dict(sorted(covered.items())),
            tuple(Place(*row) for row in sorted(_place(mark) for mark in held)),
            {path: sketches[path] for path in sorted({m.site.path for m in held}) if sketches.get(path)},
            baseline.commit,
        ),
    )


def _place(mark: Mark) -> tuple[str, str, str, str]:
    return (*mark.anchor, mark.site.path)


def shown(document: dict[str, Any], held: Held) -> None:
    """Take out of the document of a report what the baseline holds back, and say how much that is."""
    places = set(held.places)
    document["line_findings"] = [row for row in document["line_findings"] if _mark(row) not in places]
    document["unsupported_claims"] = [
        claim
        for claim in document["unsupported_claims"]
        if Mark.of(claim["aspect"], CLAIM, claim["text"], Site(claim["path"], claim["line"])) not in places
    ]
    for pillar in document["pillars"]:
        for aspect in pillar["aspects"]:
            aspect["known"] = aspect["id"] in held.aspects
    quiet(document, held.aspects)
    document["baseline"] = {
        "file": held.file,
        "hidden": held.hidden,
        "new": {"aspects": list(held.new_aspects), "places": [place_of(mark) for mark in held.new_places]},
        "gone": [{"aspect": aspect, "verdict": verdict} for aspect, verdict in held.gone_aspects]
        + [
            {"aspect": p.aspect, "signal": p.signal, "name": p.name, "path": p.path} for p in held.gone_places
        ],
    }


def _mark(row: Mapping[str, Any]) -> Mark:
    return Mark(row["aspect"], row["signal"], row["name"], Site(row["path"], row["line"], row["cell"]))


# ------------------------------------------------------------------------------------------------ the file


def written(baseline: Baseline, tool: str) -> str:
    """The baseline as JSON, one finding a line, so that changes to it can be read and merged."""
    places: dict[Place, int] = {}
    for place in baseline.places:
        places[place] = places.get(place, 0) + 1
    rows: list[dict[str, Any]] = [
        {"aspect": aspect, "verdict": verdict} for aspect, verdict in sorted(baseline.aspects.items())
    ]
    for place, count in sorted(places.items(), key=lambda pair: (*pair[0].anchor, pair[0].path)):
        row = {"aspect": place.aspect, "signal": place.signal, "name": place.name, "path": place.path}
        rows.append(row | {"count": count} if count > 1 else row)
    files = {
        path: "".join(f"{number:08x}" for number in known) for path, known in sorted(baseline.files.items())
    }
    head = {"version": VERSION, "tool": f"mlops-audit {tool}", "commit": baseline.commit}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    lines += ['  "findings": [', *_rows(json.dumps(row) for row in rows), "  ],"]
    lines += ['  "files": {', *_rows(f"{json.dumps(p)}: {json.dumps(s)}" for p, s in files.items()), "  }"]
    return "\n".join(["{", *lines, "}"]) + "\n"


def _rows(rows: Iterable[str]) -> list[str]:
    listed = list(rows)
    return [f"    {row}{',' if number < len(listed) else ''}" for number, row in enumerate(listed, 1)]


def read(data: bytes, file: str = NAME) -> Baseline:
    """The baseline in a file. Raises BaselineError with the file and, where it is known, the line."""
    try:
        document = json.loads(data.decode("utf-8"))
    except json.JSONDecodeError as error:
        raise BaselineError(f"{file}:{error.lineno}: no valid JSON: {error.msg}") from error
    except (UnicodeDecodeError, RecursionError, MemoryError, ValueError) as error:
        raise BaselineError(f"{file}:1: no valid JSON") from error
    if not isinstance(document, dict) or not isinstance(document.get("findings"), list):
        raise BaselineError(f"{file}:1: no baseline: an object with a list of findings is expected")
    if document.get("version") != VERSION:
        raise BaselineError(
            f"{file}:1: a baseline of version {document.get('version')!r}; this program reads {VERSION}"
        )
    aspects: dict[str, str] = {}
    places: list[Place] = []
    for number, row in enumerate(document["findings"], 1):
        place, count = _row(row, f"{file}:1: finding {number}")
        if place.signal:
            places.extend([place] * count)
        else:
            aspects[place.aspect] = row["verdict"]
        if len(places) + len(aspects) > MOST:
            raise BaselineError(f"{file}:1: more than {MOST} findings")
    files = document.get("files")
    sketches = files if isinstance(files, dict) else {}
    commit = document.get("commit")
    return Baseline(
        aspects,
        tuple(places),
        {path: _sketch(text) for path, text in sketches.items()},
        commit if isinstance(commit, str) else "",
    )


def _row(row: object, where: str) -> tuple[Place, int]:
    if not isinstance(row, dict) or not isinstance(row.get("aspect"), str):
        raise BaselineError(f"{where}: an object with an aspect is expected")
    if "signal" not in row:
        if row.get("verdict") not in GRAVITY:
            raise BaselineError(
                f"{where}: unknown verdict {row.get('verdict')!r}; known: {', '.join(GRAVITY)}"
            )
        return Place(row["aspect"], "", "", ""), 1
    words = [row.get(key) for key in ("signal", "name", "path")]
    count = row.get("count", 1)
    if (
        not all(isinstance(word, str) for word in words)
        or not isinstance(count, int)
        or not 1 <= count <= MOST
    ):
        raise BaselineError(f"{where}: signal, name and path are texts, count is a number from 1")
    return Place(row["aspect"], *map(str, words)), count


def _sketch(text: object) -> Sketch:
    if not isinstance(text, str) or len(text) > 8 * 64:
        return ()
    try:
        return tuple(int(text[at : at + 8], 16) for at in range(0, len(text) - len(text) % 8, 8))
    except ValueError:
        return ()
