"""Dataclasses as the standard library makes them, in a twentieth of its time: a start makes a hundred of them.

What type checkers see is the standard library's. `dataclass` takes `frozen`; classes always have slots, and `field` takes
a default, a factory of it, `compare` and `repr`. The functions of `dataclasses` work on them: what these look at is made
when it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; `typing` itself is not needed here
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
    from typing import Any

_ABSENT: Any = object()


class _Field:
    """How a field differs from one with a plain default or none."""

    __slots__ = ("compare", "default", "factory", "repr")

    def __init__(self, default: Any, factory: Any, compare: bool, repr: bool) -> None:
        self.default, self.factory, self.compare, self.repr = default, factory, compare, repr


def _field(
    *, default: Any = _ABSENT, default_factory: Any = _ABSENT, compare: bool = True, repr: bool = True
) -> Any:
    return _Field(default, default_factory, compare, repr)


def _replace(instance: Any, **changes: Any) -> Any:
    """An instance with some fields changed."""
    given = {name: getattr(instance, name) for name in instance.__match_args__}
    given.update(changes)
    return instance.__class__(**given)


def _dataclass(*, frozen: bool = False, slots: bool = True) -> Callable[[type], type]:
    return lambda plain: _made(plain, frozen)


def _made(plain: type, frozen: bool) -> type:
    """The class with slots for its fields, and methods that follow from them where it has none of its own."""
    space = {name: value for name, value in vars(plain).items() if name not in ("__dict__", "__weakref__")}
    own = {name: space.pop(name, _ABSENT) for name in space.get("__annotations__", {})}
    above: dict[str, Any] = next(
        (vars(base)["_FIELDS"] for base in plain.__mro__ if "_FIELDS" in vars(base)), {}
    )
    fields = {**above, **own}
    names = tuple(fields)
    compared = [n for n, f in fields.items() if not isinstance(f, _Field) or f.compare]
    shown = [n for n, f in fields.items() if not isinstance(f, _Field) or f.repr]
    space["__slots__"] = tuple([name for name in own if name not in above])
    space["__match_args__"] = names
    space["_FIELDS"] = fields
    space["__dataclass_fields__"] = _Fields(frozen)
    space.setdefault("__repr__", _repr_of(shown))
    if compared:
        space.setdefault("__eq__", _equality(compared))
        if frozen:
            space.setdefault("__hash__", _hash_of(compared))
    space.setdefault("__hash__", None)
    space["__reduce__"] = lambda self: (type(self), tuple([getattr(self, name) for name in names]))
    made = type(plain)(plain.__name__, plain.__bases__, space)
    made.__init__ = _beginning(made, fields)  # type: ignore[misc]
    if frozen:
        made.__setattr__, made.__delattr__ = _refused, _refused  # type: ignore[assignment]
    return made


def _beginning(made: type, fields: dict[str, Any]) -> Callable[..., None]:
    """`__init__`: the only method that is compiled, since it is called most. Slots are set by their descriptors."""
    known: dict[str, Any] = {"absent": _ABSENT}
    words, lines = [], []
    for number, (name, stated) in enumerate(fields.items()):
        known[f"set{number}"] = getattr(made, name).__set__
        default, factory = (
            (stated.default, stated.factory) if isinstance(stated, _Field) else (stated, _ABSENT)
        )
        if factory is not _ABSENT:
            known[f"make{number}"] = factory
            words.append(f"{name}=absent")
            lines.append(f" set{number}(self, make{number}() if {name} is absent else {name})")
        elif default is not _ABSENT:
            known[f"default{number}"] = default
            words.append(f"{name}=default{number}")
            lines.append(f" set{number}(self, {name})")
        else:
            words.append(name)
            lines.append(f" set{number}(self, {name})")
    body = "\n".join(lines) or " pass"
    exec(f"def __init__({', '.join(['self', *words])}):\n{body}", known)
    method: Callable[..., None] = known["__init__"]
    method.__qualname__ = f"{made.__qualname__}.__init__"
    return method


def _equality(names: list[str]) -> Callable[[Any, Any], Any]:
    def equality(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    from operator import attrgetter

    values = attrgetter(*names)
    return equality


def _hash_of(names: list[str]) -> Callable[[Any], int]:
    from operator import attrgetter

    values = attrgetter(*names)
    return lambda self: hash(values(self))


def _repr_of(names: list[str]) -> Callable[[Any], str]:
    return lambda self: (
        f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"
    )


def _refused(self: Any, name: str, *value: Any) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change {name!r} of a {type(self).__name__}")


class _Fields:
    """`__dataclass_fields__`, which the functions of the standard library look at."""

    __slots__ = ("_frozen",)

    def __init__(self, frozen: bool) -> None:
        self._frozen = frozen

    def __get__(self, instance: Any, owner: Any) -> Any:
        import dataclasses

        types: dict[str, Any] = {}
        for base in reversed(owner.__mro__):
            if "_FIELDS" in vars(base):
                types.update(vars(base).get("__annotations__", {}))
        space: dict[str, Any] = {"__annotations__": types}
        for name, stated in owner._FIELDS.items():
            if isinstance(stated, _Field):
                given = {"default": stated.default, "default_factory": stated.factory}
                given = {key: value for key, value in given.items() if value is not _ABSENT}
                space[name] = dataclasses.field(**given, compare=stated.compare, repr=stated.repr)
            elif stated is not _ABSENT:
                space[name] = stated
        alike: Any = dataclasses.dataclass(frozen=self._frozen)(type(owner.__name__, (), space))
        return alike.__dataclass_fields__


if not TYPE_CHECKING:
    dataclass, field, replace = _dataclass, _field, _replace
