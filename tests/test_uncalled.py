"""Functions that nothing calls are told from those that code, commands and texts of the project call."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Fact, Kind, Site
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.uncalled import ENOUGH, room_for_more
from mlops_audit.reach.uncalled import uncalled as found_uncalled
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

STEPS = "".join(f"def step_{n}():\n    return {n}\n\n\n" for n in range(14))
CALLS = (
    "from steps import "
    + ", ".join(f"step_{n}" for n in range(14))
    + "\n\n"
    + "".join(f"step_{n}()\n" for n in range(14))
)
RETURN = "def point_back(name):\n    return name\n"


def is_uncalled(files: dict[str, str], name: str = "point_back") -> bool:
    facts, _, _ = examine(
        Tree.of({"steps.py": STEPS, "main.py": CALLS, "registry.py": RETURN, **files}), Pack((), ())
    )
    return any("uncalled" in f.traits for f in facts if f.kind is Kind.DEFINITION and f.name == name)


def test_a_function_that_nothing_calls_is_uncalled() -> None:
    assert is_uncalled({})


def test_a_function_that_only_tests_call_is_uncalled() -> None:
    assert is_uncalled(
        {
            "tests/test_registry.py": "from registry import point_back\n\n\ndef test_it():\n    assert point_back(1)\n"
        }
    )


def test_a_function_that_only_a_list_of_exports_names_is_uncalled() -> None:
    assert is_uncalled({"registry.py": RETURN + '\n\n__all__ = ["point_back"]\n'})


def test_a_function_that_only_calls_itself_is_uncalled() -> None:
    assert is_uncalled({"registry.py": "def point_back(name):\n    return point_back(name[1:])\n"})


@pytest.mark.parametrize(
    "files",
    [
        {"ops.py": "from registry import point_back\n\npoint_back('scorer')\n"},
        {"ops.py": "import registry\n\nqueue.submit(registry.point_back)\n"},
        {"registry.py": RETURN + "\n\nif __name__ == '__main__':\n    point_back('scorer')\n"},
        {"registry.py": "import click\n\n\n@click.command()\n" + RETURN},
        {"registry.py": RETURN + "\n\nimport fire\n\nfire.Fire()\n"},
        {"Makefile": "undo:\n\tpython -c 'import registry; registry.point_back(1)'\n"},
        {"pyproject.toml": "[project]\nname = 'a'\n\n[project.scripts]\nundo = 'registry:point_back'\n"},
        {"flow.yaml": "deployments:\n  - name: undo\n    entrypoint: registry.py:point_back\n"},
        {"a.ipynb": '{"cells": [{"cell_type": "code", "source": "from registry import point_back\\npoint_back(1)"}], "nbformat": 4, "metadata": {}}'},
    ],
)  # fmt: skip
def test_a_function_that_something_calls_is_not(files: dict[str, str]) -> None:
    assert not is_uncalled(files)


def test_a_method_that_a_base_class_asks_for_is_not() -> None:
    hooked = {
        "registry.py": "from frame import Base\n\n\nclass Registry(Base):\n    def point_back(self):\n        return 1\n"
    }
    assert not is_uncalled(hooked, "Registry.point_back")


def test_a_library_that_calls_few_of_its_functions_has_no_uncalled_ones() -> None:
    assert not is_uncalled({"main.py": ""})


KEEPER = """class Keeper:
    def __init__(self, place):
        if not place:
            raise ValueError("no place for a Keeper")
        self.place = place

    def point_back(self, name):
        keep(name, place=self.place)
"""
NAMING = "from tracker import point_back\n\npoint_back('scorer')\n"  # another of the same name


def test_of_a_class_that_nothing_makes_no_method_is_called() -> None:
    files = {
        "registry.py": KEEPER,
        "other.py": NAMING,
        "keepers/__init__.py": "from registry import Keeper\n",
    }
    assert is_uncalled(files, "Keeper.point_back")
    assert is_uncalled(files, "Keeper.__init__")


@pytest.mark.parametrize(
    "files",
    [
        {"other.py": NAMING + "\nfrom registry import Keeper\n\nKeeper('a').point_back(1)\n"},
        {"other.py": NAMING, "flow.yaml": "keeper:\n  _target_: registry.Keeper\n"},
        {"other.py": NAMING, "registry.py": KEEPER + "\n\nkeeper = Keeper('a')\n"},
        {"other.py": NAMING, "registry.py": "from frame import kept\n\n\n@kept\n" + KEEPER},
        {"other.py": NAMING, "registry.py": KEEPER.replace("Keeper:", "Keeper(Base):")},
        {"other.py": NAMING, "registry.py": KEEPER + "\n\nclass Shelf(Frame, Keeper):\n    pass\n"},
    ],
)
def test_of_a_class_that_may_be_made_a_method_may_be_called(files: dict[str, str]) -> None:
    assert not is_uncalled({"registry.py": KEEPER, **files}, "Keeper.point_back")


def test_what_stands_in_a_function_that_nothing_calls_is_faint() -> None:
    def faint(files: dict[str, str]) -> bool:
        tree = Tree.of({"steps.py": STEPS, "main.py": CALLS, "registry.py": KEEPER, **files})
        facts, _, _ = examine(tree, Pack((), ()))
        return next(fact.faint for fact in facts.of(Kind.CALL) if fact.name == "keep")

    assert faint({"other.py": NAMING})
    assert not faint({"other.py": "from registry import Keeper\n\nKeeper('a').point_back(1)\n"})


def test_what_stands_in_a_class_of_tests_is_not_faint() -> None:
    held = "class TestKeeper:\n    def test_it(self):\n        keep(1)\n"
    tree = Tree.of({"steps.py": STEPS, "main.py": CALLS, "tests/test_keeper.py": held})
    facts, _, _ = examine(tree, Pack((), ()))
    assert not next(fact for fact in facts.of(Kind.CALL) if fact.name == "keep").faint


def defined(called: int, uncalled: int) -> Stated:
    names = [*(f"used_{n}" for n in range(called)), *(f"left_{n}" for n in range(uncalled))]
    words = {"called": "\n".join(name for name in names if name.startswith("used"))}
    facts = [Fact(Kind.FILE, "a.py", Site("a.py"), words)]
    return Stated(
        [*facts, *(Fact(Kind.DEFINITION, name, Site("a.py", n)) for n, name in enumerate(names, 1))]
    )


@pytest.mark.parametrize("called", [0, 3, 11, 12, 13, 20])
@pytest.mark.parametrize("uncalled", [0, 1, 11, 12, 13, 30])
def test_there_is_room_for_so_many_definitions_as_leave_it_whether_any_is_told(
    called: int, uncalled: int
) -> None:
    stated = defined(called, uncalled)
    room = room_for_more(stated, {f"used_{n}" for n in range(called)})

    def told(more_called: int, more_uncalled: int) -> int:
        more = found_uncalled(defined(called + more_called, uncalled + more_uncalled))
        return len(more) - (more_uncalled if more else 0)

    assert all(told(n, room - n) == told(0, 0) for n in range(room + 1))
    if uncalled and (called >= ENOUGH or uncalled < ENOUGH):
        assert any(told(n, room + 1 - n) != told(0, 0) for n in range(room + 2))
