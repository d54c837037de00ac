"""Python files: texts in, facts out."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from mlops_audit import code
from mlops_audit.extract import extract_file, python
from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.tree import File, Tree


def facts_of(text: str | bytes, path: str = "src/pkg/train.py", kind: Kind | None = None) -> list[Fact]:
    data = text.encode() if isinstance(text, str) else text
    found = [fact for fact in python.extract(path, data) if kind in (None, fact.kind)]
    return sorted(found, key=lambda fact: (fact.site.line, fact.kind, fact.name))


def calls_of(text: str, path: str = "src/pkg/train.py") -> list[str]:
    return [fact.name for fact in facts_of(text, path, Kind.CALL)]


def call(text: str, name: str) -> Fact:
    found = [fact for fact in facts_of(text, kind=Kind.CALL) if fact.name == name]
    assert len(found) == 1, f"{name} among {calls_of(text)}"
    return found[0]


def comparison(text: str, name: str) -> Fact:
    found = [fact for fact in facts_of(text, kind=Kind.COMPARISON) if fact.name == name]
    assert len(found) == 1, [fact.name for fact in facts_of(text, kind=Kind.COMPARISON)]
    return found[0]


# ------------------------------------------------------------------------------------------------- imports


@pytest.mark.parametrize(
    ("text", "name", "module"),
    [
        ("import a.b as c", "a.b", "a.b"),
        ("import a.b", "a.b", "a.b"),
        ("from a.b import c as d", "a.b.c", "a.b"),
        ("from a import *", "a.*", "a"),
        ("from .y import z", "src.pkg.y.z", "src.pkg.y"),
        ("from . import y", "src.pkg.y", "src.pkg"),
        ("from ..lib import y", "src.lib.y", "src.lib"),
        ("def f():\n    import lazy", "lazy", "lazy"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import heavy", "heavy", "heavy"),
    ],
)
def test_an_import_has_its_dotted_name_and_module(text: str, name: str, module: str) -> None:
    found = {fact.name: fact for fact in facts_of(text, kind=Kind.IMPORT)}
    assert found[name].traits["module"] == module
    assert found[name].traits.get("relative") == ("yes" if "from ." in text else None)
    assert "dead" not in found[name].traits


def test_relative_imports_of_a_package_and_of_the_root_are_resolved_against_the_path() -> None:
    assert facts_of("from .y import z", "src/pkg/__init__.py")[0].name == "src.pkg.y.z"
    assert facts_of("from .y import z", "train.py")[0].name == "y.z"
    assert facts_of("from ....far import z", "src/train.py")[0].name == "far.z"


# --------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import mlflow as ml\nml.log_metric('a', 1)", ["mlflow.log_metric"]),
        ("from mlflow import log_metric as lm\nlm('a', 1)", ["mlflow.log_metric"]),
        ("import os.path\nos.path.join(a)", ["os.path.join"]),
        ("import wandb\nrun = wandb.init()\nrun.log({})", ["wandb.init", "wandb.init.log"]),
        (
            "import mlflow\nwith mlflow.start_run() as r:\n    r.info()",
            ["mlflow.start_run", "mlflow.start_run.info"],
        ),
        ("import a\nasync def f():\n    async with a.b() as c:\n        await c.d()", ["a.b", "a.b.d"]),
        ("import a\nasync def f():\n    c = await a.b()\n    c.d()", ["a.b", "a.b.d"]),
        ("import a\na.b(1).c(2)", ["a.b", "a.b.c"]),
        ("import a\n(x := a.b()).c()\nx.d()", ["a.b", "a.b.c", "a.b.d"]),
        ("from m import C\nx: C = make()\nx.go()", ["make", "m.C.go"]),
        ("from m import C\ndef f(c: C): c.go()", ["m.C.go"]),
        ("from m import C\ndef f(c: 'C'): c.go()", ["m.C.go"]),
        ("from m import C\ndef f(c: C | None = None): c.go()", ["m.C.go"]),
        ("import m\nfrom typing import Optional\ndef f(c: Optional[m.C]): c.go()", ["m.C.go"]),
        ("import m\nfrom typing import Annotated\ndef f(c: Annotated[m.C, 1]): c.go()", ["m.C.go"]),
        ("import m\nfrom typing import Union\ndef f(c: Union[None, m.C]): c.go()", ["m.C.go"]),
        ("def f(text: str): text.strip()", ["text.strip"]),
        ("from typing import Any\ndef f(model: Any): model.fit()", ["model.fit"]),
        ("model.fit(x)", ["model.fit"]),
        ("self.x.fit(x)", ["self.x.fit"]),
        ("(a + b).fit(x)", ["?.fit"]),
        ("', '.join(x)", ["str.join"]),
        (
            "import pandas as pd\ndf = pd.read_csv(p)\ndf['a'].map(f)",
            ["pandas.read_csv", "pandas.read_csv.map"],
        ),
        ("import a\nlog = a.log\nlog(1)", ["a.log"]),
        ("def train_model(): pass\ntrain_model()", ["train_model"]),
        ("from src.train import train_model\ntrain_model()", ["src.train.train_model"]),
        ("from .train import train_model\ntrain_model()", ["src.pkg.train.train_model"]),
        ("from a.layers import *\nDense(3)\nprint(1)", ["a.layers.Dense", "print"]),
        ("from a import *\nfrom b import *\nDense(3)", ["Dense"]),
        ("import a\nmodel = a.Net()\nmodel(x)", ["a.Net", "a.Net.__call__"]),
        ("import a\nx, y = a.f(), a.g()\ny.go()", ["a.f", "a.g", "a.g.go"]),
        ("import a\nx, y = a.f()\ny.go()", ["a.f", "y.go"]),
        ("import a\nfor x in a.f():\n    x.go()", ["a.f", "x.go"]),
        ("import a\nx = a.f()\nfor x in y:\n    x.go()", ["a.f", "x.go"]),
        ("import a\nx = y or a.f()\nx.go()", ["a.f", "a.f.go"]),
        ("import a\nx = a.f() if y else None\nx.go()", ["a.f", "a.f.go"]),
        (
            "import a\nx = None\ndef f():\n    global x\n    x = a.b()\ndef g():\n    x.go()",
            ["a.b", "a.b.go"],
        ),
        (
            "import a\napp.state.model = a.load()\ndef f():\n    app.state.model.predict(1)",
            ["a.load", "a.load.predict"],
        ),
        ("import a\nx = a.f()\nx.go()\nx = a.g()\nx.go()", ["a.f", "a.f.go", "a.g", "a.g.go"]),
        ("import a\ndf = a.f()\ndf = df.g()\ndf.h()", ["a.f", "a.f.g", "a.f.g.h"]),
        ("def f():\n    import a\n    a.g()\na.h()", ["a.g", "a.h"]),
        ("import a\ndef f(a):\n    a.g()", ["a.g"]),
        ("import a as b\ndef f(b):\n    b.g()", ["b.g"]),
        ("import a as b\n[b.g() for b in c]", ["b.g"]),
        ("import a as b\nf(lambda b: b.g())", ["b.g", "f"]),
    ],
)
def test_a_call_has_its_qualified_name(text: str, expected: list[str]) -> None:
    assert sorted(calls_of(text)) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("try:\n    import a as x\nexcept ImportError:\n    x = None\nx.f()", "a.f"),
        ("try:\n    from a import x\nexcept ImportError:\n    from b import x\nx()", "a.x"),
        ("try:\n    import a as x\nexcept ImportError:\n    import b as x\n    x.f()", "b.f"),
        ("if cuda:\n    import a as x\nelse:\n    import b as x\nx.f()", "a.f"),
        ("if cuda:\n    import a as x\nelse:\n    import b as x\n    x.f()", "b.f"),
        ("x = None\ntry:\n    import a as x\nexcept ImportError:\n    pass\ndef g():\n    x.f()", "a.f"),
    ],
)
def test_an_import_wins_over_its_fallback_outside_the_fallback(text: str, expected: str) -> None:
    assert calls_of(text) == [expected]


CLASS = """
from mlflow import MlflowClient
from dataclasses import dataclass, field

class Base:
    def __init__(self):
        self.store = MlflowClient()

class Tracker(Base):
    lazy: MlflowClient
    names: list = field(default_factory=list)
    def __init__(self, given: "MlflowClient | None" = None):
        self.client = MlflowClient()
        self.given = given
        self.inner = Base()
    def use(self):
        {}
    @classmethod
    def make(cls):
        return cls()
"""


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("self.client.log()", "mlflow.MlflowClient.log"),
        ("self.given.log()", "mlflow.MlflowClient.log"),
        ("self.lazy.log()", "mlflow.MlflowClient.log"),
        ("self.store.log()", "mlflow.MlflowClient.log"),
        ("self.inner.store.log()", "mlflow.MlflowClient.log"),
        ("self.names.append(1)", "self.names.append"),
        ("self.use()", "Tracker.use"),
        ("self.log()", "self.log"),
        ("self.other.log()", "self.other.log"),
        ("Tracker().client.log()", "mlflow.MlflowClient.log"),
        ("t = Tracker(); t.client.log()", "mlflow.MlflowClient.log"),
        ("f = lambda: self.client.log()", "mlflow.MlflowClient.log"),
    ],
)
def test_attributes_of_instances_are_known_in_every_method(use: str, expected: str) -> None:
    assert expected in [f.name for f in facts_of(CLASS.format(use), kind=Kind.CALL) if f.site.line == 17]


def test_cls_is_the_class() -> None:
    assert call(CLASS.format("pass"), "Tracker").traits["function"] == "Tracker.make"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("def make() -> C: return x", "m.C.go"),
        ("def make() -> 'C | None': return x", "m.C.go"),
        ("def make():\n    c = C()\n    return c", "m.C.go"),
        ("def make(): return C()", "m.C.go"),
        ("def make(): return x", "make.go"),
        ("async def make() -> C: ...", "m.C.go"),
    ],
)
def test_what_a_function_of_the_file_gives_back_is_known(definition: str, expected: str) -> None:
    assert expected in calls_of(f"from m import C\n{definition}\nc = make()\nc.go()")
    assert expected in calls_of(f"from m import C\n{definition}\nmake().go()")


def test_a_partial_counts_as_a_call_of_its_function() -> None:
    text = "import functools, a\nf = functools.partial(a.train, 1, lr=2)\nf()"
    traits = {fact.name: dict(fact.traits) for fact in facts_of(text, kind=Kind.CALL) if fact.site.line == 2}
    assert traits["a.train"] == {"1": "1", "lr=": "2"}
    assert calls_of(text).count("a.train") == 2


def test_decorators_are_calls() -> None:
    text = "from prefect import flow, task\n@task\ndef a(): ...\n@flow(name='x')\ndef b(): a()\n@task\nclass C:\n  @task\n  def m(self): ..."
    found = [
        (f.name, f.traits.get("decorates"), f.traits.get("name=")) for f in facts_of(text, kind=Kind.CALL)
    ]
    assert found == [
        ("prefect.task", "a", None),
        ("prefect.flow", "b", "x"),
        ("a", None, None),
        ("prefect.task", "C", None),
        ("prefect.task", "C.m", None),
    ]


def test_a_chain_over_many_lines_has_the_line_of_each_method() -> None:
    text = "import a\nx = (\n    a.b()\n    .c()\n    .d()\n)"
    assert [(f.name, f.site.line) for f in facts_of(text, kind=Kind.CALL)] == [
        ("a.b", 3),
        ("a.b.c", 4),
        ("a.b.c.d", 5),
    ]


# --------------------------------------------------------------------------------------------- call traits


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'text'", "text"),
        ("1e-3", "1e-3"),
        ("-1", "-1"),
        ("True", "True"),
        ("None", "None"),
        ("['a', 'b', 1]", ("a", "b", "1")),
        ("('a', -2)", ("a", "-2")),
        ("[a, f()]", "[a, f()]"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("{'lr': f(), 'depth': 2}", ("lr", "depth")),
        ("f'runs:/{x}/{MODEL}'", "runs:/{}/iris"),
        ("MODEL", "iris"),
        ("[MODEL]", ("iris",)),
        ("'a-' + MODEL", "a-iris"),
        ("Config.NAME", "configured"),
        ("LOCAL", "inside"),
        ("CHANGED", "CHANGED"),
        ("lambda x: x", "lambda x: x"),
        ("(a +\n   b)", "a + b"),
        ("'é' * n", "'é' * n"),
        ("x" * 300, "x" * 200),
    ],
)
def test_the_value_of_an_argument_is_its_literal_or_its_source(
    value: str, expected: str | tuple[str, ...]
) -> None:
    text = f"""
MODEL = "iris"
CHANGED = 1
CHANGED = 2
class Config:
    NAME = "configured"
def g():
    LOCAL = "inside"
    é = f(1, {value}, key={value})
"""
    traits = next(f.traits for f in facts_of(text, kind=Kind.CALL) if "key=" in f.traits)
    assert traits["key="] == expected
    assert traits["2"] == expected
    assert traits["1"] == "1"


def test_keywords_given_as_a_dict_literal_are_keywords() -> None:
    assert call("f(**{'a': 1})", "f").traits == {"a=": "1"}


def test_an_unpacked_mapping_is_a_trait_of_its_own() -> None:
    assert call("f(**settings.model)", "f").traits == {"**=": "settings.model"}
    assert call("f(a=1)", "f").traits == {"a=": "1"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("if a > 1:\n    f()", ("a > 1",)),
        ("if a:\n    if b:\n        f()", ("b", "a")),
        ("if a:\n    pass\nelif b:\n    f()", ("b", "not (a)")),
        ("if a:\n    pass\nelse:\n    f()", ("not (a)",)),
        ("while a:\n    f()", ("a",)),
        ("assert a > 1\nf()", ("a > 1",)),
        ("if not a:\n    return\nf()", ("not a",)),
        ("if not a:\n    raise X\nf()", ("not a",)),
        ("import sys\nif not a:\n    sys.exit(1)\nf()", ("not a",)),
        ("with x:\n    if a:\n        return\nf()", ("a",)),
        ("if a:\n    x = 1\nelse:\n    return\nf()", ("a",)),
        ("if a:\n    return\nelif b:\n    return\nf()", ("b", "a")),
        ("if a:\n    pass\nf()", ()),
        ("for x in y:\n    if a:\n        continue\nf()", ()),
        ("x = f() if a else 1", ("a",)),
        ("x = 1 if a else f()", ("not (a)",)),
        ("a and f()", ("a",)),
        ("[f() for x in y if a]", ("a",)),
        ("match a:\n    case 'b':\n        f()", ("a == 'b'",)),
        ("match a:\n    case _ if b:\n        f()", ("b",)),
        ("if a(1,\n     2):\n    f()", ("a(1, 2)",)),
        ("try:\n    f()\nexcept X:\n    pass", ()),
    ],
)
def test_a_call_has_the_conditions_it_stands_under(body: str, expected: tuple[str, ...]) -> None:
    indented = "\n".join(f"    {line}" for line in body.split("\n"))
    assert values(call(f"def g():\n{indented}", "f").traits.get("guard")) == expected


def test_the_question_whether_a_file_is_run_is_no_condition() -> None:
    fact = call("if __name__ == '__main__':\n    f()", "f")
    assert fact.traits == {"main": "yes"}
    assert facts_of("if __name__ == '__main__':\n    f()", kind=Kind.COMPARISON) == []


def test_conditions_around_a_definition_are_not_those_of_its_calls() -> None:
    assert "guard" not in call("if a:\n    def g():\n        f()", "f").traits


@pytest.mark.parametrize(
    ("text", "trait", "expected"),
    [
        ("f()", "function", None),
        ("def g():\n    f()", "function", "g"),
        ("class A:\n    def g(self):\n        f()", "function", "A.g"),
        ("class A:\n    x = f()", "function", None),
        ("for x in y:\n    f()", "loop", "yes"),
        ("while x:\n    f()", "loop", "yes"),
        ("[f() for x in y]", "loop", "yes"),
        ("[x for x in f()]", "loop", None),
        ("for x in f():\n    pass", "loop", None),
        ("for x in y:\n    def g():\n        f()", "loop", None),
        ("x = f()", "target", "x"),
        ("self.x = f()", "target", "self.x"),
        ("if False:\n    f()", "dead", "yes"),
        ("if 0:\n    f()", "dead", "yes"),
        ("if not True:\n    f()", "dead", "yes"),
        ("if True:\n    f()", "dead", None),
        ("if True:\n    pass\nelse:\n    f()", "dead", "yes"),
        ("if a:\n    pass\nelif False:\n    f()", "dead", "yes"),
        ("while False:\n    f()", "dead", "yes"),
        ("while True:\n    f()", "dead", None),
        ("def g():\n    return\n    f()", "dead", "yes"),
        ("def g():\n    raise X\n    f()", "dead", "yes"),
        ("def g():\n    raise X\ndef h():\n    f()", "dead", None),
        ("def g():\n    if a:\n        return\n    f()", "dead", None),
        ("if False:\n    def g():\n        f()", "dead", "yes"),
    ],
)
def test_a_call_says_where_it_stands(text: str, trait: str, expected: str | None) -> None:
    assert call(text, "f").traits.get(trait) == expected


def test_the_blocks_around_a_call_are_known() -> None:
    text = "from airflow import DAG\nwith DAG('d') as dag, lock():\n    f()"
    found = next(c for c in code.read("a.py", text.encode()).calls if c.name == "f")
    assert found.blocks == ("lock", "airflow.DAG")
    assert found.block_targets == ("", "dag")


def test_the_order_of_tasks_is_known() -> None:
    assert set(code.read("a.py", b"a >> [b, c] >> d\nd << e").sequences) == {
        ("a", "[b, c]"),
        ("[b, c]", "d"),
        ("e", "d"),
    }


# ------------------------------------------------------------------------------- bases and definitions


def test_a_class_has_its_qualified_bases() -> None:
    text = "import torch.nn as nn\nfrom typing import Generic\nclass Net(nn.Module, Generic[T]): ..."
    assert [(f.name, f.traits) for f in facts_of(text, kind=Kind.BASE)] == [
        ("torch.nn.Module", {"class": "Net"}),
        ("typing.Generic", {"class": "Net"}),
    ]


def test_definitions_say_what_they_are() -> None:
    text = """
import a
class Trainer(a.Base):
    @a.task(retries=1)
    def fit(self, x, *rest, lr=1, **more) -> a.Model:
        a.go()
        def inner(): a.deep()
async def train(): ...
"""
    found = {fact.name: dict(fact.traits) for fact in facts_of(text, kind=Kind.DEFINITION)}
    assert found == {
        "Trainer": {"form": "class", "bases": ("a.Base",), "calls_inside": ("a.task", "a.go", "a.deep")},
        "Trainer.fit": {
            "form": "method", "parameters": ("self", "x", "lr", "rest", "more"), "decorators": ("a.task",),
            "returns": "a.Model", "calls_inside": ("a.go", "a.deep"), "within": "Trainer",
        },
        "inner": {"form": "function", "calls_inside": ("a.deep",), "within": "Trainer.fit"},
        "train": {"form": "function"},
    }  # fmt: skip


# --------------------------------------------------------------------------------------------- comparisons


@pytest.mark.parametrize(
    ("text", "leads", "form"),
    [
        ("if r < best:\n    register()", {"register"}, "if"),
        ("if x and r < best:\n    register()", {"register"}, "if"),
        ("if not r < best:\n    register()", {"register"}, "if"),
        ("if all([r < best, y]):\n    register()", {"register", "all"}, "if"),
        ("if all(r < best for r in rs):\n    register()", {"register", "all"}, "if"),
        ("while r < best:\n    step()", {"step"}, "while"),
        ("assert r < best\nregister()", {"raise", "register"}, "assert"),
        ("if r < best:\n    raise ValueError('low')", {"raise", "ValueError"}, "if"),
        ("def g():\n    if r < best:\n        return\n    register()", {"return", "register"}, "if"),
        ("if r < best:\n    pass\nelse:\n    register()", {"register"}, "if"),
        ("def promote():\n    register()\nif r < best:\n    promote()", {"promote", "register"}, "if"),
        ("def stop():\n    raise X\nif r < best:\n    stop()", {"stop", "raise"}, "if"),
        ("better = r < best\nif better:\n    register()", {"register"}, "assign"),
        ("better = r < best\nif not better:\n    raise X", {"raise"}, "assign"),
        ("def ok():\n    return r < best\nif ok():\n    register()", {"register"}, "return"),
        ("def ok():\n    return r < best\npassed = ok()\nif passed:\n    register()", {"register"}, "return"),
        ("def ok():\n    v = r < best\n    return v\nif ok():\n    register()", {"register"}, "assign"),
        ("class A:\n  def ok(self):\n    return r < best\n  def g(self):\n    if self.ok():\n      register()", {"register"}, "return"),
        ("class A:\n  def f(self):\n    self.ok = r < best\n  def g(self):\n    if self.ok:\n      register()", {"register"}, "assign"),
        ("x = register() if r < best else None", {"register"}, "if"),
        ("better = r < best", set(), "assign"),
        ("ok = True\nif r < best:\n    ok = False\nif ok:\n    register()", {"register"}, "if"),
        ("if r < best:\n    bad.append('r')\nif bad:\n    raise X", {"bad.append", "raise"}, "if"),
        ("def ok():\n    if r < best:\n        return False\n    return True\nif ok():\n    register()", {"return", "register"}, "if"),
        ("def ok():\n    if r < best:\n        n += 1\n    return n == 0\nif ok():\n    register()", {"register"}, "if"),
        ("def ok():\n    if r < best:\n        bad.append(1)\n    return not bad\nif ok():\n    register()", {"bad.append", "register"}, "if"),
        ("def ok():\n    if r < best:\n        return False\n    return True\nok()\nif x:\n    register()", {"return"}, "if"),
    ],
)  # fmt: skip
def test_a_comparison_says_what_it_leads_to(text: str, leads: set[str], form: str) -> None:
    fact = comparison(text, "r < best")
    assert set(values(fact.traits.get("leads"))) == leads - ({"all"} if "all" in text else set())
    assert fact.traits["form"] == form


def test_a_comparison_that_decides_nothing_is_none() -> None:
    assert facts_of("print(r < best)\ndf[df.x > 1]", kind=Kind.COMPARISON) == []


# ------------------------------------------------------------------------------------ strings and settings


def test_strings_are_constants_that_are_no_docstrings() -> None:
    text = '''"""Module."""
import llm
PROMPT = "You are helpful."
def f():
    """Docstring."""
    llm.ask(["system text", {"role": f"say {x} now"}])
    "a comment as text"
    return "abc"
'''
    assert [(f.name, f.site.line, dict(f.traits)) for f in facts_of(text, kind=Kind.STRING)] == [
        ("You are helpful.", 3, {"variable": "PROMPT"}),
        ("role", 6, {"argument_of": "llm.ask", "function": "f"}),
        ("say {} now", 6, {"argument_of": "llm.ask", "function": "f"}),
        ("system text", 6, {"argument_of": "llm.ask", "function": "f"}),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LR = 0.1", {"LR": "0.1"}),
        ("lr: float = 0.1", {"lr": "0.1"}),
        ("self.lr = 0.1", {"self.lr": "0.1"}),
        ("class C:\n    lr = 1", {"C.lr": "1"}),
        ("LAYERS = [1, 2]", {"LAYERS": ("1", "2")}),
        ("params = {'depth': 3, 'deep': {'x': 'y'}, 'f': f()}", {"params.depth": "3", "params.deep.x": "y"}),
        ("f(config={'lr': 1})", {"lr": "1"}),
        ("x = f()", {}),
        ("x += 1", {}),
    ],
)
def test_literals_with_names_are_settings(text: str, expected: dict[str, str | tuple[str, ...]]) -> None:
    assert {f.name: f.traits["value"] for f in facts_of(text, kind=Kind.SETTING)} == expected


def test_settings_of_a_class_tell_its_bases() -> None:
    fact = facts_of(
        "from pydantic_settings import BaseSettings as B\nclass S(B):\n    lr: float = 1.0", kind=Kind.SETTING
    )[0]
    assert fact.traits == {
        "value": "1.0",
        "form": "assignment",
        "class_bases": ("pydantic_settings.BaseSettings",),
    }


def test_settings_of_a_class_tell_the_bases_of_its_bases_too() -> None:
    text = "import pydantic as p\nclass M(p.BaseModel): pass\nclass Forest(M, Forest):\n    depth: int = 3"
    fact = facts_of(text, kind=Kind.SETTING)[0]
    assert fact.traits["class_bases"] == ("M", "Forest", "pydantic.BaseModel")


# ------------------------------------------------------------------------------------------------ commands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import subprocess\nsubprocess.run(['dvc', 'repro'], check=True)", ["dvc repro"]),
        ("from subprocess import check_call as c\nc('dvc repro', shell=True)", ["dvc repro"]),
        ("import os\nos.system('cd a && dvc pull; dvc push')", ["dvc pull", "dvc push"]),
        (
            "import subprocess, sys\nsubprocess.Popen([sys.executable, '-m', 'src.train', str(x)])",
            ["python -m src.train {}"],
        ),
        ("import os\nos.system(f'python train.py --lr {lr}')", ["python train.py --lr {}"]),
        ("import subprocess\ncmd = ['a', 'b']\nsubprocess.run(cmd)", ["a b"]),
        ("import subprocess\nsubprocess.run('a b'.split())", ["a b"]),
        ("import subprocess, shlex\nsubprocess.run(shlex.split('a b'))", ["a b"]),
        ("import subprocess\nsubprocess.run(args)", []),
        ("import subprocess\nsubprocess.run([tool, 'x'])", []),
        ("run('dvc repro')", []),
    ],
)
def test_commands_with_literal_words_are_commands(text: str, expected: list[str]) -> None:
    found = facts_of(text, kind=Kind.COMMAND)
    assert [fact.name for fact in found] == expected
    assert all(
        fact.traits["system"] == "python" and fact.traits["unit"] == "src/pkg/train.py" for fact in found
    )


def test_a_databricks_notebook_kept_as_python_runs_others() -> None:
    text = "# Databricks notebook source\n# MAGIC %run ./features\n# COMMAND ----------\n# MAGIC %pip install mlflow\nimport mlflow"
    found = facts_of(text, "jobs/train.py", Kind.COMMAND)
    assert [(f.name, f.site.line) for f in found] == [("%run ./features", 2), ("pip install mlflow", 4)]
    assert found[0].traits["runs"] == ("jobs/features.py", "jobs/features.ipynb")
    assert facts_of(text.replace("# Databricks notebook source", "# plain"), kind=Kind.COMMAND) == []


# ------------------------------------------------------------------------------------------------ any bytes


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"x = 1\nprint 'hello'\n", "Python 2", 2),
        (b"try:\n    pass\nexcept X, e:\n    pass\n", "Python 2", 3),
        (b"x = 0777\n", "Python 2", 1),
        (b"x = 1\ndef f(:\n", "invalid syntax", 2),
        (b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> b\n", "merge conflict", 1),
        (b"x = 1\n\x00", "NUL", 2),
        (b"(" * 5000, "parenthes", 1),
        (b"x = " + b"-" * 100_000 + b"1\n", "nested too deeply", 0),
        (b"#" * 1_000_001, "larger than", 0),
    ],
)
def test_what_cannot_be_read_says_why_and_where(data: bytes, reason: str, line: int) -> None:
    with pytest.raises(ParseFailure) as failure:
        facts_of(data)
    assert reason in failure.value.reason
    assert failure.value.line == line


@pytest.mark.parametrize(
    ("text", "calls", "dead"),
    [
        ("import a\na.f()\nform b import c\na.g()", ["a.f", "a.g"], True),
        ("import a\n%config x\na.f()", ["a.f"], True),
        ("import a\ndef g(:\n    a.f()", ["a.f"], True),
        (
            "import a\nprint 'x' % a.f()\ntry:\n    a.g()\nexcept a.E, e:\n    raise V, 'x'",
            ["a.f", "a.g", "print", "V"],
            False,
        ),
        ("import a\nif x: print a.f()\nprint >>a.err, 0777, 10L", ["a.f", "print", "print"], False),
        ("((((\n" * 20, [], True),
    ],
)
def test_a_file_that_cannot_run_gives_dead_facts_and_a_problem_and_python_2_its_facts(
    text: str, calls: list[str], dead: bool
) -> None:
    facts, problems = extract_file(Tree.of({"train.py": text}).files[0])
    found = [fact for fact in facts if fact.kind is Kind.CALL]
    assert sorted(fact.name for fact in found) == sorted(calls)
    assert all(("dead" in fact.traits) is dead for fact in found)
    assert len({problem.reason for problem in problems}) == 1
    assert ("Python 2" in problems[0].reason) is not dead


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfimport a\na.f('x')",
        b"import a\r\na.f('x')\r\n",
        b"import a\ra.f('x')\r",
        b"# caf\xe9\nimport a\na.f('x')",
        b"# -*- coding: latin-1 -*-\nn = '\xe9t\xe9'; import a\na.f('x')",
        "import a\na.f('x')".encode("utf-16"),
        b"import a\n\x0c\na.f('x')",
        b"import a\nx = '\\d'\na.f('x')",
    ],
)
@pytest.mark.filterwarnings("error")
def test_every_encoding_and_line_end_is_read(data: bytes) -> None:
    assert [fact.traits for fact in facts_of(data, kind=Kind.CALL)] == [{"1": "x"}]


def test_an_empty_file_has_no_facts() -> None:
    assert facts_of(b"") == []


def test_positions_count_bytes_beyond_ascii() -> None:
    assert call("x = 'ééé'; f(größe + 1, k='ü')", "f").traits == {"1": "größe + 1", "k=": "ü"}


@pytest.mark.parametrize(
    "text",
    [
        "x = a" + ".b()" * 800,
        "x = " + "f(" * 90 + ")" * 90,
        "x = " + " + ".join(["'text'"] * 900),
        "x = " + " if a else ".join(["f()"] * 90),
        "if a:\n  f()\n" + "elif b:\n  f()\n" * 300,
        "import p\ndf = p.f()\n" + "df = df.g()\n" * 2000 + "df.h()",
        "\n".join(" " * i + "if a:" for i in range(90)) + "\n" + " " * 90 + "f()",
    ],
)
def test_deep_and_long_code_is_read_or_refused(text: str) -> None:
    found, reason = [], "nested too deeply"
    try:
        found = facts_of(text)
    except ParseFailure as failure:
        reason = failure.reason
    assert "nested too deeply" in reason
    assert all(len(fact.name) <= 2000 for fact in found)


def test_bare_magics_of_a_databricks_notebook_are_no_errors_and_elsewhere_they_are() -> None:
    text = b"import mlflow\n%cd $here\n!ls\nmlflow.autolog()\n"
    found = list(python.extract("train.py", b"# Databricks notebook source\n" + text))
    assert [(f.name, f.site.line, "dead" in f.traits) for f in found if f.kind is Kind.CALL] == [
        ("mlflow.autolog", 5, False)
    ]
    with pytest.raises(ParseFailure):
        list(python.extract("train.py", text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('path = f"file://{root / "runs"}"\nmlflow.log_param("a", 1)\n', "mlflow.log_param"),
        ("text = f'{'\\n'.join(lines['all'])}'\nmlflow.log_param('a', 1)\n", "mlflow.log_param"),
        ('show(f"{d["a"]:>{d["width"]}} {{no field}}")\n' * 2, "show"),
        ('deep = f"{f"{f"{1 + 1}"}"}"\nfit(x)\n', "fit"),
        ("def first[T](items: list[T]) -> T:\n    return pick(items)\n", "pick"),
        ("type Row = dict[str, float]\nclass Table[T](list[T]):\n    kept = keep(Row)\n", "keep"),
        ("try:\n    work()\nexcept* ValueError:\n    tell()\n", "tell"),
        ("try:\n    work()\nexcept KeyError, store.Gone:\n    tell()\n", "tell"),
    ],
)
def test_what_newer_versions_of_python_brought_is_read_and_alive_at_its_own_place(
    text: str, name: str
) -> None:
    found = [fact for fact in facts_of(text, kind=Kind.CALL) if fact.name == name]
    lines = [number for number, line in enumerate(text.split("\n"), 1) if f"{name}(" in line]
    assert [fact.site.line for fact in found] == lines
    assert not any("dead" in fact.traits for fact in found)


def test_a_broken_file_with_newer_words_is_still_broken() -> None:
    with pytest.raises(ParseFailure, match="no Python"):
        code.read("a.py", b'x = f"{d["a"]}"\ndef f(:\n')


def test_a_number_in_a_dict_tells_the_keys_beside_it() -> None:
    found = {
        f.name: f.traits.get("beside")
        for f in facts_of("params = {'depth': 3, 'kind': 'gbdt', 'rate': rate(), 'on': True}\n")
    }
    assert found["params.depth"] == ("depth", "kind", "rate", "on")
    assert found["params.kind"] is None
    assert found["params.on"] is None


def test_a_file_is_parsed_once_however_many_readers_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"import airflow\nimport invoke\nimport pulumi_aws as aws\n\ndag = airflow.DAG('d')\naws.s3.Bucket('b')\n"
    file = File("tasks.py", Zone.SOURCE, lambda: data)
    parsed: list[object] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda *given, **named: parsed.append(given) or parse(*given, **named))
    facts, problems = extract_file(file)
    assert {Kind.CALL, Kind.PIPELINE, Kind.RESOURCE} <= {fact.kind for fact in facts}
    assert len(parsed) == 1
    assert not problems


def test_a_call_is_given_to_a_variable_only_when_nothing_stands_between() -> None:
    text = "a = made()\nb = made().part\nc = await made()\nwith made() as d:\n    pass\n"
    assert [call.target for call in code.read("a.py", text.encode()).calls] == ["a", "", "c", "d"]


def test_what_is_asserted_in_a_with_block_holds_behind_it() -> None:
    assert call("def f(x):\n    with a():\n        assert x > 1\n    use()\n", "use").traits["guard"] == (
        "x > 1",
    )


def test_a_name_bound_in_a_condition_leads_where_its_tests_lead() -> None:
    text = """
def kind(model):
    if model.name == "llama":
        return "decoder"
def use(model):
    found = kind(model)
    if found := further(model):
        publish(found)
"""
    assert "publish" in values(comparison(text, 'model.name == "llama"').traits["leads"])


@pytest.mark.parametrize(
    "lines",
    [
        lambda count: ["x = a.f(x)"] * count + ["def g():", *["    x.h()"] * count],
        lambda count: ["def f(): return 1"] * count + ["f()"] * count,
        lambda count: [f"x = [{'1, ' * count}]", *["f(x)"] * count],
        lambda count: [f"def f{number}(a): return g(a)" for number in range(count)],
    ],
    ids=["a name bound often", "a function defined often", "a long list named often", "many functions"],
)
def test_twice_as_much_takes_twice_as_many_steps(lines: Callable[[int], list[str]]) -> None:
    def steps(count: int) -> int:
        taken = 0

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal taken
            taken += "mlops_audit" in frame.f_code.co_filename  # not patterns that are compiled anew
            return trace

        data = "\n".join(lines(count)).encode()
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            code.read("a.py", data)
        finally:
            sys.settrace(before)
        return taken

    steps(1)  # what is imported and compiled at first use is no step
    assert steps(200) < 2.5 * steps(100)
