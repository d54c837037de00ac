"""Classes of values are what the standard library's dataclasses are."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, Generic, TypeVar

import pytest

from mlops_audit import shapes

Item = TypeVar("Item")


@shapes.dataclass(frozen=True, slots=True)
class Ours(Generic[Item]):
    """A value."""

    name: str
    items: list[Item] = shapes.field(default_factory=list)
    count: int = 3
    about: dict[str, int] = shapes.field(default_factory=dict, compare=False, repr=False)
    place: tuple[int, ...] = shapes.field(default=(1,))

    @property
    def twice(self) -> int:
        return 2 * self.count

    @classmethod
    def empty(cls) -> Ours[Item]:
        return cls("")


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs(Generic[Item]):
    """A value."""

    name: str
    items: list[Item] = dataclasses.field(default_factory=list)
    count: int = 3
    about: dict[str, int] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    place: tuple[int, ...] = dataclasses.field(default=(1,))

    @property
    def twice(self) -> int:
        return 2 * self.count

    @classmethod
    def empty(cls) -> Theirs[Item]:
        return cls("")


@shapes.dataclass(slots=True)
class Changing:
    count: int = 0
    inside: Site | None = None


@shapes.dataclass(frozen=True, slots=True)
class Site:
    path: str


def told(made: Any) -> list[object]:
    """What can be told of a class of values, the names of the two classes aside."""
    one, same, other = made("a", count=4), made("a", [], 4, {"x": 1}), made("a", [1])
    told: list[object] = [
        repr(one).replace(made.__name__, ""), one == same, one == other, one != same, one == ("a", [], 4), one.twice, made.empty().name,
        made.__doc__, made.__match_args__, made.__slots__, hasattr(one, "__dict__"), dataclasses.replace(one, name="b").name,
        dataclasses.asdict(one), dataclasses.astuple(one), dataclasses.is_dataclass(one), made("x").items is made("x").items,
        [(f.name, f.type, f.default, f.default_factory, f.compare, f.repr) for f in dataclasses.fields(made)],
        copy.deepcopy(one) == one, copy.copy(one) == one, hash(made("a", ())) == hash(made("a", ())),
        str(made.__qualname__).replace(made.__name__, ""), made.__module__,
    ]  # fmt: skip
    for wrong in (
        lambda: made(),
        lambda: made("a", other=1),
        lambda: made("a", [], 1, {}, (), 2),
        lambda: hash(one),
    ):
        with pytest.raises(TypeError):
            wrong()
    for change in (
        lambda: setattr(one, "name", "b"),
        lambda: delattr(one, "name"),
        lambda: setattr(one, "else", 1),
    ):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            change()
    match one:
        case made(name, items):
            told.append((name, items))
    return told


def test_a_frozen_class_is_what_the_standard_library_makes() -> None:
    assert told(Ours) == told(Theirs)


def test_a_changing_class_has_the_fields_that_it_states() -> None:
    one = Changing()
    one.count = 2
    assert one == Changing(2)
    assert repr(one) == "Changing(count=2, inside=None)"
    assert Changing.__hash__ is None
    with pytest.raises(AttributeError):
        one.other = 1  # type: ignore[attr-defined]


def test_values_are_sent_to_other_processes() -> None:
    assert pickle.loads(pickle.dumps(Changing(2, Site("a")))) == Changing(2, Site("a"))


def test_one_field_makes_a_value_too() -> None:
    assert Site("a") == Site("a") != Site("b")
    assert len({Site("a"), Site("a"), Site("b")}) == 2
    assert shapes.replace(Site("a"), path="b") == Site("b")
    with pytest.raises(TypeError):
        shapes.replace(Site("a"), other="b")


@shapes.dataclass(slots=True)
class Above:
    first: str
    second: list[str] = shapes.field(default_factory=list)

    def all(self) -> list[str]:
        return [self.first, *self.second]


@shapes.dataclass(slots=True)
class Below(Above):
    third: int = 3


def test_a_class_has_the_fields_of_the_one_it_is_made_from() -> None:
    one = Below("a", third=4)
    assert (one.all(), one.third, one.second) == (["a"], 4, [])
    assert one == Below("a", [], 4) != Below("b")
    assert shapes.replace(one, second=["b"]) == dataclasses.replace(one, second=["b"]) == Below("a", ["b"], 4)
    assert [f.name for f in dataclasses.fields(Below)] == ["first", "second", "third"]
    assert not hasattr(one, "__dict__")
