"""What a configuration says once it is read: plain values, one on top of another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlops_audit.score import Thresholds
from mlops_audit.waivers import Waiver


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
