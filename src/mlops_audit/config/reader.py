"""One table of a configuration read value by value; every fault with its line, all at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mlops_audit import catalogue, parse
from mlops_audit.config.settings import Config, ConfigError
from mlops_audit.config.waiver_tables import waivers_in
from mlops_audit.config.words import near, score_of, with_contents
from mlops_audit.parse.nodes import Node, ParseFailure
from mlops_audit.score import SEVERITIES
from mlops_audit.waivers import SCORED

PROFILES = ("poc", "standard", "regulated", "uk-gov")


class Reader:
    """Reads one file and collects its faults."""

    def __init__(self, file: str, keys: tuple[str, ...], folder: Path | None = None) -> None:
        self.file = file
        self.keys = keys
        self.folder = folder
        self.faults: list[str] = []

    def fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.file}:{max(line, 1)}: {what}")

    def table(self, data: bytes, section: tuple[str, ...]) -> Node | None:
        """The table of the configuration in a file, None where the file has none."""
        try:
            root = parse.toml(data)
        except ParseFailure as failure:
            raise ConfigError([f"{self.file}:{failure.line or 1}: {failure.reason}"]) from failure
        node = root.get(*section) if section else root
        if node is not None and not isinstance(node.value, dict):
            raise ConfigError([f"{self.file}:{node.line}: [{'.'.join(section)}] is a table"])
        return node

    def config(self, node: Node) -> Config:
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
            waivers=tuple(waivers_in(self, node.get("waivers"))),
            waived=self.word(node.get("waived"), "waived", SCORED),
            needs_approval=self.switch(node.get("waivers-need-approval"), "waivers-need-approval"),
            sources=dict(self.sources(node)),
        )
        if self.faults:
            raise ConfigError(
                sorted(self.faults, key=lambda fault: int(fault[len(self.file) + 1 :].split(":")[0]))
            )
        return config

    def maturity(self, node: Node | None) -> int | None:
        if node is None:
            return None
        top = len(catalogue.load().levels) - 1
        if node.quoted or not node.text.isdigit() or int(node.text) > top:
            self.fault(
                node.line, f"'fail-below-maturity' is a whole number from 0 to {top}, not {node.text!r}"
            )
            return None
        return int(node.text)

    def scores(self, node: Node | None) -> dict[str, float]:
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

    def word(self, node: Node | None, key: str, known: tuple[str, ...]) -> str:
        if node is None:
            return ""
        if node.text not in known:
            self.fault(node.line, f"unknown value {node.text!r} of {key!r}{near(node.text, known)}")
            return ""
        return node.text

    def switch(self, node: Node | None, key: str) -> bool | None:
        if node is None:
            return None
        if node.quoted or node.text not in ("true", "false"):
            self.fault(node.line, f"{key!r} is true or false, not {node.text!r}")
            return None
        return node.text == "true"

    def file_name(self, node: Node | None) -> str:
        if node is None:
            return ""
        parts = PurePosixPath(node.text).parts
        if not node.quoted or not parts or ".." in parts or node.text.startswith(("/", "~")):
            self.fault(node.line, "'baseline' is the path of a file inside the repository")
            return ""
        return node.text

    def weights(self, node: Node | None) -> dict[str, int]:
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

    def disable(self, node: Node | None) -> dict[str, str]:
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

    def sources(self, node: Node) -> Iterable[tuple[str, str]]:
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

    def texts(self, node: Node, key: str) -> list[str]:
        found = node.get(key)
        if found is None or not isinstance(found.value, list) or key not in self.keys:
            return []
        for item in found.value:
            if not item.quoted or not item.text:
                self.fault(item.line, f"{key!r} is a list of texts that are not empty")
        return [item.text for item in found.value if item.quoted and item.text]
