"""Configuration: of the audited repository, and of the user; every fault with file and line, all at once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlops_audit import catalogue, parse
from mlops_audit.score import SEVERITIES, Thresholds

OWN_FILE = ".mlops-audit.toml"
USER_FILE = "the user's own configuration"  # in reports, instead of a path with the user's name
SHARED_FILE = "pyproject.toml"
SECTION = ("tool", "mlops-audit")
PROFILES = ("uk-gov",)
KEYS = ("fail-below-maturity", "fail-below-score", "fail-on", "exclude", "disable", "profile")
USER_KEYS = (*KEYS, "rules")  # code of others is only taken from where the user alone can write


class ConfigError(ValueError):
    """All faults of a configuration, each `file:line: what`."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class Config:
    """What an audit is told beside the path. `disable` maps aspects to reasons; `rules` are folders of rule packs."""

    maturity: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    severity: str = ""
    exclude: tuple[str, ...] = ()
    disable: Mapping[str, str] = field(default_factory=dict)
    profile: str = ""
    rules: tuple[Path, ...] = ()
    source: str = ""

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.maturity, tuple(self.scores.items()), self.severity)

    def over(self, below: Config) -> Config:
        """This configuration on top of another: what it says wins, lists and tables are joined."""
        return Config(
            below.maturity if self.maturity is None else self.maturity,
            {**below.scores, **self.scores},
            self.severity or below.severity,
            tuple(dict.fromkeys((*below.exclude, *self.exclude))),
            {**below.disable, **self.disable},
            self.profile or below.profile,
            tuple(dict.fromkeys((*below.rules, *self.rules))),
            ", ".join(dict.fromkeys(source for source in (self.source, below.source) if source)),
        )


def of_repository(read: Callable[[str], bytes | None]) -> Config:
    """The configuration in the root of the audited repository: .mlops-audit.toml, else [tool.mlops-audit].

    `read` gives the bytes of a file of the root, None for one that is not there. Raises ConfigError.
    """
    data = read(OWN_FILE)
    if data is not None:
        return _Reader(OWN_FILE, KEYS).config(data, ())
    data = read(SHARED_FILE)
    if data is None or b"mlops-audit" not in data:
        return Config()
    return _Reader(SHARED_FILE, KEYS).config(data, SECTION)


def of_user(path: Path) -> Config:
    """The user's own configuration; a file that is not there says nothing. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    return replace(_Reader(path.as_posix(), USER_KEYS, path.parent).config(data, ()), source=USER_FILE)


def score_of(text: str) -> tuple[str, float]:
    """`5` and `total=5` as ("total", 5.0), `data=5` as ("data", 5.0). Raises ValueError in one clear line."""
    name, equals, number = text.rpartition("=")
    name = name.strip() if equals else "total"
    known = ("total", *(pillar.id for pillar in catalogue.load().pillars))
    if name not in known:
        raise ValueError(f"unknown pillar {name!r}{near(name, known)}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 10:
        raise ValueError(f"a score is a number from 0 to 10, not {number.strip()!r}")
    return name, value


def near(word: str, known: Iterable[str]) -> str:
    """The hint at the nearest right word, else at all of them when they are few."""
    known = list(known)
    tails: dict[str, str] = {}
    for right in known:
        tails.setdefault(right.rpartition("/")[2], right)
    close = difflib.get_close_matches(word, known, 1, 0.6)
    close = close or [tails[tail] for tail in difflib.get_close_matches(word.rpartition("/")[2], list(tails), 1, 0.6)]
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(known)}" if len(known) <= 8 else ""


class _Reader:
    """Reads one file and collects its faults."""

    def __init__(self, file: str, keys: tuple[str, ...], folder: Path | None = None) -> None:
        self.file = file
        self.keys = keys
        self.folder = folder
        self.faults: list[str] = []

    def fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.file}:{max(line, 1)}: {what}")

    def config(self, data: bytes, section: tuple[str, ...]) -> Config:
        try:
            root = parse.toml(data)
        except parse.ParseFailure as failure:
            raise ConfigError([f"{self.file}:{failure.line or 1}: {failure.reason}"]) from failure
        node = root.get(*section) if section else root
        if node is None:
            return Config()
        if not isinstance(node.value, dict):
            raise ConfigError([f"{self.file}:{node.line}: [{'.'.join(section)}] is a table"])
        for key, value in node.items:
            if key == "rules" and key not in self.keys:
                self.fault(
                    node.line_of(key),
                    "'rules' is not taken from the audited repository; give --rules DIR, or set it in your own "
                    "configuration",
                )
            elif key not in self.keys:
                self.fault(node.line_of(key), f"unknown key {key!r}{near(key, self.keys)}")
            elif key in ("exclude", "rules") and not isinstance(value.value, list):
                self.fault(value.line, f"{key!r} is a list of texts")
        rules = tuple((self.folder or Path()) / text for text in self.texts(node, "rules"))
        config = Config(
            maturity=self.maturity(node.get("fail-below-maturity")),
            scores=self.scores(node.get("fail-below-score")),
            severity=self.word(node.get("fail-on"), "fail-on", SEVERITIES[:3]),
            exclude=tuple(with_contents(self.texts(node, "exclude"))),
            disable=self.disable(node.get("disable")),
            profile=self.word(node.get("profile"), "profile", PROFILES),
            rules=rules,
            source=self.file,
        )
        if self.faults:
            raise ConfigError(sorted(self.faults, key=lambda fault: int(fault[len(self.file) + 1 :].split(":")[0])))
        return config

    def maturity(self, node: parse.Node | None) -> int | None:
        if node is None:
            return None
        top = len(catalogue.load().levels) - 1
        if node.quoted or not node.text.isdigit() or int(node.text) > top:
            self.fault(node.line, f"'fail-below-maturity' is a whole number from 0 to {top}, not {node.text!r}")
            return None
        return int(node.text)

    def scores(self, node: parse.Node | None) -> dict[str, float]:
        """A number for the total, or a table of numbers for pillars and the total."""
        if node is None:
            return {}
        found = {}
        for name, value in node.items or [("total", node)]:
            try:
                if value.quoted or not isinstance(value.value, str):
                    raise ValueError(f"a score is a number from 0 to 10, not {value.text!r}")
                pillar, least = score_of(f"{name}={value.text}")
            except ValueError as error:
                self.fault(value.line, str(error))
            else:
                found[pillar] = least
        return found

    def word(self, node: parse.Node | None, key: str, known: tuple[str, ...]) -> str:
        if node is None:
            return ""
        if node.text not in known:
            self.fault(node.line, f"unknown value {node.text!r} of {key!r}{near(node.text, known)}")
            return ""
        return node.text

    def texts(self, node: parse.Node, key: str) -> list[str]:
        found = node.get(key)
        if found is None or not isinstance(found.value, list) or key not in self.keys:
            return []
        for item in found.value:
            if not item.quoted or not item.text:
                self.fault(item.line, f"{key!r} is a list of texts that are not empty")
        return [item.text for item in found.value if item.quoted and item.text]

    def disable(self, node: parse.Node | None) -> dict[str, str]:
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.fault(node.line, "'disable' is a table of aspects, each with its reason")
            return {}
        known = [aspect.id for aspect in catalogue.load().aspects]
        for aspect, reason in node.items:
            if aspect not in known:
                self.fault(node.line_of(aspect), f"unknown aspect {aspect!r}{near(aspect, known)}")
            elif not reason.quoted or not reason.text.strip():
                self.fault(node.line_of(aspect), f"{aspect!r} is disabled without a reason: give one as a text")
        return {aspect: " ".join(reason.text.split()) for aspect, reason in node.items}


def with_contents(patterns: Iterable[str]) -> list[str]:
    """Globs of paths where a folder's name means everything below it too: `legacy` and `legacy/` cover `legacy/a.py`."""
    found: list[str] = []
    for pattern in patterns:
        bare = pattern.removeprefix("./").rstrip("/")
        found.extend((bare, f"{bare}/*"))
    return found
