"""Every value of a configuration that holds, with the place that says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlops_audit.config import Config

DEFAULT = "default"

Row = tuple[str, Any, str]  # key, value, and the place that says so


def rows(config: Config) -> list[Row]:
    """All keys in a fixed order: those that nothing sets with what they are then."""

    def said(key: str) -> str:
        return config.sources.get(key, DEFAULT)

    def table(key: str, entries: Iterable[tuple[str, Any]]) -> Iterable[Row]:
        listed = [(f"{key}.{name}", value, said(f"{key}.{name}")) for name, value in entries]
        return listed or [(key, {}, DEFAULT)]

    scores = [(name, value) for name, value in config.scores.items()]
    plain = said("fail-below-score")
    found: list[Row] = [("fail-below-maturity", config.maturity, said("fail-below-maturity"))]
    for key, value, source in table("fail-below-score", scores):
        found.append((key, value, plain if source == DEFAULT and key.endswith(".total") else source))
    found += [
        ("fail-on", config.severity or None, said("fail-on")),
        ("profile", config.profile or None, said("profile")),
        ("baseline", config.baseline or None, said("baseline")),
        ("waived", config.waived or "as-found", said("waived")),
        ("waivers-need-approval", bool(config.needs_approval), said("waivers-need-approval")),
    ]
    found += _excluded(config)
    found += [("rules", str(pack), said(f"rules.{pack}")) for pack in config.rules]
    found += table("disable", sorted(config.disable.items()))
    found += table("weights", sorted(config.weights.items()))
    for waiver in config.waivers:
        value = {key: word for key, word in waiver._asdict().items() if key != "site" and word}
        value |= {"expires": waiver.expires.isoformat()}
        if waiver.path:
            value["path"] = [glob for glob in waiver.path if not glob.endswith("/*")] or list(waiver.path)
        found.append(("waivers", value, str(waiver.site)))
    return found if config.waivers else [*found, ("waivers", [], DEFAULT)]


def _excluded(config: Config) -> list[Row]:
    """Each excluded glob as it was written: a folder also stands for what is below it."""
    places = {key.removeprefix("exclude.").removeprefix("./").rstrip("/"): place
              for key, place in config.sources.items() if key.startswith("exclude.")}  # fmt: skip
    shown = [glob for glob in config.exclude if not (glob.endswith("/*") and glob[:-2] in config.exclude)]
    return [("exclude", glob, places.get(glob, DEFAULT)) for glob in shown] or [("exclude", [], DEFAULT)]
