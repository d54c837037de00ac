"""Configuration: of the repository, of the user, of presets and profiles; every fault with file and line, all at once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path, PurePosixPath

from mlops_audit import catalogue, parse, presets
from mlops_audit.facts import Site
from mlops_audit.score import SEVERITIES, Thresholds
from mlops_audit.waivers import SCORED, Waiver

OWN_FILE = ".mlops-audit.toml"
USER_FILE = "the user's own configuration"  # in reports, instead of a path with the user's name
SHARED_FILE = "pyproject.toml"
SECTION = ("tool", "mlops-audit")
PROFILES = ("poc", "standard", "regulated", "uk-gov")
KEYS = (
    "extends", "fail-below-maturity", "fail-below-score", "fail-on", "exclude", "disable", "profile", "weights",
    "baseline", "waivers", "waived", "waivers-need-approval",
)  # fmt: skip
WAIVER_KEYS = ("aspect", "path", "reason", "owner", "expires", "approved-by")
PROFILE_KEYS = ("title", "meaning", "fail-below-maturity", "fail-below-score", "fail-on", "disable", "weights",
                "waivers-need-approval")  # fmt: skip
DEEPEST = 8  # configurations that extend each other

Read = Callable[[str], bytes | None]
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
    weights: Mapping[str, int] = field(default_factory=dict)
    baseline: str = ""
    waivers: tuple[Waiver, ...] = ()
    waived: str = ""
    needs_approval: bool | None = None
    sources: Mapping[str, str] = field(
        default_factory=dict, compare=False
    )  # key, or key and entry -> file:line

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
            {**below.weights, **self.weights},
            self.baseline or below.baseline,
            tuple(dict.fromkeys((*below.waivers, *self.waivers))),
            self.waived or below.waived,
            below.needs_approval if self.needs_approval is None else self.needs_approval,
            {**below.sources, **self.sources},
        )


def of_repository(read: Read) -> Config:
    """The configuration in the root of the audited repository: .mlops-audit.toml, else [tool.mlops-audit].

    `read` gives the bytes of a file inside the repository, None for one that is not there. What it extends are files
    of the repository too. Raises ConfigError.
    """
    data = read(OWN_FILE)
    if data is not None:
        return _extended(_Reader(OWN_FILE, KEYS), data, (), read, (OWN_FILE,))
    data = read(SHARED_FILE)
    if data is None or b"mlops-audit" not in data:
        return Config()
    return _extended(_Reader(SHARED_FILE, KEYS), data, SECTION, read, (SHARED_FILE,))


def of_user(path: Path) -> Config:
    """The user's own configuration; a file that is not there says nothing. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    reader = _Reader(path.as_posix(), USER_KEYS, path.parent)
    return _named(_extended(reader, data, (), None, (path.as_posix(),)), USER_FILE)


def of_preset(reference: str) -> Config:
    """What the user extends: a file, or `package:NAME/FILE.toml` of an installed package. Raises ConfigError."""
    reader = _Reader("--extends", USER_KEYS, Path())
    below = reader.below(parse.Node(reference, 1, quoted=True), None, ())
    if reader.faults:
        raise ConfigError(reader.faults)
    return _named(below, reference if reference.startswith(presets.PREFIX) else Path(reference).name)


def _named(config: Config, source: str) -> Config:
    """A configuration of the user's under a name that tells nobody where it lies on their disk."""
    waivers = tuple(replace(waiver, site=Site(source, waiver.site.line)) for waiver in config.waivers)
    return replace(config, source=source, waivers=waivers)


def of_profile(name: str) -> Config:
    """The weights and thresholds of a profile that ships with the program; empty for one that has none."""
    path = catalogue.data_folder("rules") / "profiles" / f"{name}.yaml"
    if name not in PROFILES or not path.is_file():
        return Config()
    (node,) = parse.yaml(path.read_bytes())
    return replace(_Reader(f"profile {name}", PROFILE_KEYS).config(node), source="")


def _extended(
    reader: _Reader, data: bytes, section: tuple[str, ...], read: Read | None, trail: tuple[str, ...]
) -> Config:
    """A configuration on top of those that it extends. `read` is given where only files of a repository may be."""
    node = reader.table(data, section)
    if node is None:
        return Config()
    extends = node.get("extends")
    below = Config()
    for item in (extends.value if isinstance(extends.value, list) else [extends]) if extends else ():
        below = reader.below(item, read, trail).over(below)
    return reader.config(node).over(below)


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
    close = close or [
        tails[tail] for tail in difflib.get_close_matches(word.rpartition("/")[2], list(tails), 1, 0.6)
    ]
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

    def below(self, item: parse.Node, read: Read | None, trail: tuple[str, ...]) -> Config:
        """The configuration that an entry of `extends` names; an empty one, and a fault, where there is none."""
        what = item.text if isinstance(item.value, str) else ""
        if not item.quoted or not what:
            self.fault(item.line, "'extends' is a path, or a list of paths")
        elif len(trail) > DEEPEST:
            self.fault(item.line, f"more than {DEEPEST} configurations extend each other")
        else:
            try:
                name, data, folder = self._anywhere(what) if read is None else self._inside(what, read)
                if name in trail:
                    raise ValueError(f"'extends' goes round in a circle: {' -> '.join((*trail, name))}")
            except OSError as error:
                self.fault(item.line, f"{what!r} cannot be extended: {error.strerror}")
            except ValueError as error:
                if isinstance(error, ConfigError):
                    raise
                self.fault(item.line, str(error))
            else:
                section = SECTION if PurePosixPath(name).name == SHARED_FILE else ()
                return _extended(_Reader(name, self.keys, folder), data, section, read, (*trail, name))
        return Config()

    def _inside(self, what: str, read: Read) -> tuple[str, bytes, None]:
        """What a repository extends: a file of itself, never a package nor a place outside."""
        if what.startswith(presets.PREFIX):
            raise ValueError(
                "'extends' of a repository names files of the repository only; a package is only taken from your own "
                "configuration or --extends"
            )
        parts: list[str] = []
        for part in (PurePosixPath(self.file).parent / what).parts:
            if part == ".." and parts and parts[-1] != "..":
                parts.pop()
            else:
                parts.append(part)
        name = "/".join(parts)
        if what.startswith(("/", "~")) or ".." in parts or "\\" in what or ":" in what or not name:
            raise ValueError(f"'extends' names files inside the repository, not {what!r}")
        data = read(name)
        if data is None:
            raise ValueError(f"there is no file {name!r} to extend")
        return name, data, None

    def _anywhere(self, what: str) -> tuple[str, bytes, Path]:
        """What the user extends: any file, or a preset of an installed package."""
        if what.startswith(presets.PREFIX):
            folder, inside = presets.place_of(what)
            path = folder / inside
        else:
            path = (self.folder or Path()) / Path(what).expanduser()
        return path.as_posix(), path.read_bytes(), path.parent

    def table(self, data: bytes, section: tuple[str, ...]) -> parse.Node | None:
        """The table of the configuration in a file, None where the file has none."""
        try:
            root = parse.toml(data)
        except parse.ParseFailure as failure:
            raise ConfigError([f"{self.file}:{failure.line or 1}: {failure.reason}"]) from failure
        node = root.get(*section) if section else root
        if node is not None and not isinstance(node.value, dict):
            raise ConfigError([f"{self.file}:{node.line}: [{'.'.join(section)}] is a table"])
        return node

    def config(self, node: parse.Node) -> Config:
        """The configuration that a table says by itself, without what it extends."""
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
            weights=self.weights(node.get("weights")),
            baseline=self.file_name(node.get("baseline")),
            waivers=tuple(self.waivers(node.get("waivers"))),
            waived=self.word(node.get("waived"), "waived", SCORED),
            needs_approval=self.switch(node.get("waivers-need-approval"), "waivers-need-approval"),
            sources=dict(self.sources(node)),
        )
        if self.faults:
            raise ConfigError(
                sorted(self.faults, key=lambda fault: int(fault[len(self.file) + 1 :].split(":")[0]))
            )
        return config

    def maturity(self, node: parse.Node | None) -> int | None:
        if node is None:
            return None
        top = len(catalogue.load().levels) - 1
        if node.quoted or not node.text.isdigit() or int(node.text) > top:
            self.fault(
                node.line, f"'fail-below-maturity' is a whole number from 0 to {top}, not {node.text!r}"
            )
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

    def switch(self, node: parse.Node | None, key: str) -> bool | None:
        if node is None:
            return None
        if node.quoted or node.text not in ("true", "false"):
            self.fault(node.line, f"{key!r} is true or false, not {node.text!r}")
            return None
        return node.text == "true"

    def file_name(self, node: parse.Node | None) -> str:
        if node is None:
            return ""
        parts = PurePosixPath(node.text).parts
        if not node.quoted or not parts or ".." in parts or node.text.startswith(("/", "~")):
            self.fault(node.line, "'baseline' is the path of a file inside the repository")
            return ""
        return node.text

    def weights(self, node: parse.Node | None) -> dict[str, int]:
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.fault(node.line, "'weights' is a table of aspects, each with its weight")
            return {}
        known = [aspect.id for aspect in catalogue.load().aspects]
        found = {}
        for aspect, value in node.items:
            if aspect not in known:
                self.fault(node.line_of(aspect), f"unknown aspect {aspect!r}{near(aspect, known)}")
            elif value.quoted or value.text not in ("1", "2", "3"):
                what = f"a weight is 1 (advanced), 2 (important) or 3 (essential), not {value.text!r}"
                self.fault(node.line_of(aspect), what)
            else:
                found[aspect] = int(value.text)
        return found

    def waivers(self, node: parse.Node | None) -> Iterable[Waiver]:
        """The waivers of `[[waivers]]`."""
        if node is None:
            return
        if not isinstance(node.value, list) or any(not isinstance(item.value, dict) for item in node.list):
            self.fault(node.line, "'waivers' are tables: write [[waivers]] above each")
            return
        for item in node.list:
            before = len(self.faults)
            waiver = self.waiver(item)
            if len(self.faults) == before:
                yield waiver

    def waiver(self, node: parse.Node) -> Waiver:
        """A waiver: it has an aspect, a reason, an owner and a day on which it ends."""
        known = [aspect.id for aspect in catalogue.load().aspects]
        for key, value in node.items:
            if key not in WAIVER_KEYS:
                self.fault(node.line_of(key), f"unknown key {key!r} of a waiver{near(key, WAIVER_KEYS)}")
            elif key not in ("expires", "path") and not (value.quoted and value.text.strip()):
                self.fault(node.line_of(key), f"{key!r} of a waiver is a text that is not empty")
        absent = [key for key in ("aspect", "reason", "owner", "expires") if node.get(key) is None]
        if absent:
            self.fault(node.line, f"a waiver without {', '.join(map(repr, absent))}")
        aspect, paths = node.at("aspect"), node.get("path")
        if aspect and aspect not in known:
            self.fault(node.line_of("aspect"), f"unknown aspect {aspect!r}{near(aspect, known)}")
        globs = [] if paths is None else paths.value if isinstance(paths.value, list) else [paths]
        if paths is not None and not (
            globs and all(item.quoted and item.text.strip("/. ") for item in globs)
        ):
            self.fault(paths.line, "'path' of a waiver is a path, or a list of paths")
        expires = date.min
        try:
            expires = date.fromisoformat(node.at("expires") or date.min.isoformat())
        except ValueError:
            self.fault(
                node.line_of("expires"), f"'expires' is a day such as 2027-03-31, not {node.at('expires')!r}"
            )
        reason, owner = (" ".join(node.at(key).split()) for key in ("reason", "owner"))
        covered = tuple(with_contents(item.text for item in globs))
        return Waiver(
            aspect, reason, owner, expires, covered, node.at("approved-by"), Site(self.file, node.line)
        )

    def sources(self, node: parse.Node) -> Iterable[tuple[str, str]]:
        """Where each value is said: by key, and for tables and lists also by entry."""
        for key, value in node.items:
            yield key, f"{self.file}:{node.line_of(key)}"
            if isinstance(value.value, dict):
                yield from (
                    (f"{key}.{entry}", f"{self.file}:{value.line_of(entry)}") for entry, _ in value.items
                )
            elif isinstance(value.value, list):
                texts = (item for item in value.list if isinstance(item.value, str))
                yield from ((f"{key}.{item.text}", f"{self.file}:{item.line}") for item in texts)

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
                self.fault(
                    node.line_of(aspect), f"{aspect!r} is disabled without a reason: give one as a text"
                )
        return {aspect: " ".join(reason.text.split()) for aspect, reason in node.items}


def with_contents(patterns: Iterable[str]) -> list[str]:
    """Globs of paths where a folder's name means everything below it too: `legacy` and `legacy/` cover `legacy/a.py`."""
    found: list[str] = []
    for pattern in patterns:
        bare = pattern.removeprefix("./").rstrip("/")
        found.extend((bare, f"{bare}/*"))
    return found
