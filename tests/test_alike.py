"""Two states of a file that differ in what nobody asks for lead to the same findings, and only such states are alike."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable
from functools import cache, partial

import pytest

from mlops_audit.alike import Alike
from mlops_audit.asked import Asked
from mlops_audit.audit import findings
from mlops_audit.examination import examine
from mlops_audit.facts import Kind, Zone
from mlops_audit.judge import Finding
from mlops_audit.memory import Extracted, Memory
from mlops_audit.reach.listening import OFTEN, Listening
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack, Signal
from mlops_audit.tree import File, Tree, zone_of

# Every inference that looks words up in sums has something here to find, and something else to miss.
STEPS = "".join(f"def step_{n}(rows):\n    return rows + {n}\n\n\n" for n in range(14))
FILES = {
    "src/steps.py": STEPS + "def forgotten(rows):\n    return rows\n\n\nclass Shelf:\n    def put(self, row):\n        return row\n",
    "src/main.py": "import steps\nimport mlflow\nfrom monitor import watch\nfrom model import fit\n\n\ndef run(rows):\n"
    + "".join(f"    rows = steps.step_{n}(rows)\n" for n in range(14))
    + "    fit(rows, 1, 2)\n    watch(rows)\n    return rows\n\n\nif __name__ == '__main__':\n    run([])\n",
    "src/model.py": "from sklearn.svm import SVC\nimport mlflow\nimport torch\n\n\ndef fit(rows, depth, width, resume=None):\n    if resume:\n"
    "        torch.load('last.pt')\n    model = SVC().fit(rows, depth)\n    mlflow.log_metric('r2', 1)\n    return model\n",
    "src/monitor.py": "from scipy.stats import ks_2samp\nimport requests\n\n\ndef watch(rows):\n    drift = ks_2samp(rows, rows).pvalue\n"
    "    if drift < 0.05:\n        tell(drift)\n    return drift\n\n\ndef tell(drift):\n    requests.post('https://hooks.slack.com/services/a', json=drift)\n",
    "src/rollback.py": "from steps import step_1\n\n\ndef rollback_model(rows):\n    return step_1(rows)\n",
    "src/app.py": "from fastapi import FastAPI\nfrom routes import extra\n\napp = FastAPI()\napp.include_router(extra.router)\n\n\n@app.post('/predict')\ndef predict(rows):\n    return rows\n",
    "src/routes/extra.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.get('/extra')\ndef extra(rows):\n    return rows\n",
    "src/routes/lost.py": "from fastapi import APIRouter\n\nrouter = APIRouter()\n\n\n@router.get('/lost')\ndef lost(rows):\n    return rows\n",
    "src/idle.py": "import mlflow\n\n\ndef keep(rows):\n    mlflow.log_param('rows', rows)\n",
    "src/plain.py": "import os\n\n\ndef shown(rows, path):\n    names = [row for row in rows]\n    total = len(names)\n    return os.path.join(path, str(total))\n\n\nclass Table:\n"
    "    def add(self, row):\n        self.rows = [row]\n        return shown(self.rows, 'a')\n",
    "src/values.py": "LIMITS = [1, 2]\n",
    "settings/quality.yaml": "drift:\n  threshold: 0.2\n",
    "settings/limits.yaml": "latency:\n  p95: 0.2\n",
    "tests/test_steps.py": "import pandas\nfrom steps import step_1\n\n\ndef test_step():\n    assert step_1(1) == 2\n",
    ".github/workflows/train.yml": "on:\n  schedule:\n    - cron: '0 3 * * *'\njobs:\n  train:\n    runs-on: ubuntu-latest\n    steps:\n      - run: python src/main.py\n      - run: python src/report.py\n",
    "src/report.py": "import pandas\nimport mlflow\n\nrows = pandas.read_csv('data/rows/last.csv')\nmlflow.log_metric('rows', len(rows))\n",
    "requirements.txt": "mlflow\nscikit-learn\nfastapi\nscipy\nrequests\npandas\ntorch\n",
}  # fmt: skip
EDITED = "src/plain.py"


@cache
def judged() -> tuple[Listening, list[object]]:
    return judge(FILES)


def judge(files: dict[str, str]) -> tuple[Listening, list[object]]:
    pack, memory = rule_pack(), Memory({}, Asked(rule_pack()))
    facts, problems, kinds = examine(Tree.of(files), pack, memory)
    found = findings(facts, kinds, pack)
    assert memory.listening is not None
    return memory.listening(), [plainly(found), [p.reason for p in problems], sorted(kinds)]


def plainly(found: list[Finding]) -> list[object]:
    """The findings without the lines: those below an edit move."""
    return [
        (f.aspect.id, f.verdict, f.lacks, [(e.signal, e.fact.name, e.fact.site.path, e.fact.faint, e.strength) for e in f.evidence])
        for f in found
    ]  # fmt: skip


def state(path: str, text: str) -> Extracted:
    file = File(path, zone_of(path), partial(bytes, text.encode()))
    return Memory(None, Asked(rule_pack())).extract([file])


def alike(before: str, after: str, path: str = EDITED) -> bool:
    compare = Alike(rule_pack(), judged()[0])
    return compare(path, state(path, before), state(path, after)) is not None


def with_statement(text: str, statement: str, number: int = 1) -> str:
    """The text with a statement before one of those of its bodies."""
    lines = text.split("\n")
    places = [at for at, line in enumerate(lines) if line.startswith("    ") and not line.endswith(":")]
    at = places[number % len(places)]
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    return "\n".join([*lines[:at], indent + statement, *lines[at:]])


@pytest.mark.parametrize(
    "statement",
    [
        "print('nothing', total)",
        "value = 'some words'",
        "value = other(3)",
        "rows = sorted(rows)",
        "path = path.strip().lower()",
        "if total > 3: pass",
        "# a remark",
    ],
)
def test_what_nobody_asks_for_makes_no_difference(statement: str) -> None:
    before = FILES[EDITED]
    after = with_statement(before, statement)
    assert alike(before, after)
    assert judge({**FILES, EDITED: after})[1] == judged()[1]


@pytest.mark.parametrize(
    "statement",
    [
        "forgotten(rows)",  # a function that nothing called
        "Shelf()",  # a class that nothing made
        "value = 'idle'",  # the name of a module that nothing uses
        "value = 'routes.lost'",
        "value = 'quality'",  # the name of settings that nothing loads
        "value = 'settings'",  # or that of their folder
        "value = 'data/rows/last.csv'",  # data that a job reads and nothing makes
        "fit(rows, 1, 2, resume=True)",  # a switch that nothing set
        "watch(rows)",  # something whose callers were looked for
        "mlflow.log_metric('r2', 1)",  # what a rule asks for
        "import wandb",
        "def added(): pass",
    ],
)
def test_what_somebody_asks_for_is_heard(statement: str) -> None:
    before = FILES[EDITED]
    assert not alike(before, with_statement(before, statement))
    assert not alike(with_statement(before, statement), before)


def test_what_a_function_that_was_looked_into_calls_is_heard() -> None:
    before = FILES["src/monitor.py"]
    after = before.replace("    requests.post(", "    frame(drift)\n    requests.post(")
    assert not alike(before, after, "src/monitor.py")


def test_what_a_rule_asks_of_the_insides_of_a_function_is_heard() -> None:
    before = "def rollback_model(rows):\n    return rows\n"
    after = before.replace("return rows", "return frame(rows)")
    assert not alike(before, after, "src/rollback.py")
    assert alike(
        before.replace("rollback_model", "other"), after.replace("rollback_model", "other"), "src/rollback.py"
    )


def test_a_word_that_many_files_say_is_still_said_without_one_of_them() -> None:
    def listened(number: int) -> Listening:
        callers = {f"src/caller_{n}.py": "import steps\n\nsteps.forgotten(1)\n" for n in range(number)}
        return judge({**FILES, **callers})[0]

    path, before = EDITED, FILES[EDITED]
    states = state(path, before), state(path, with_statement(before, "forgotten(rows)"))
    assert Alike(rule_pack(), listened(OFTEN - 1))(path, *states) is None
    assert Alike(rule_pack(), listened(OFTEN))(path, *states) is not None


def test_without_knowing_what_was_listened_for_only_the_same_is_alike() -> None:
    compare = Alike(rule_pack(), None)
    before, path = FILES[EDITED], EDITED
    remark, printed = (with_statement(before, text) for text in ("# a remark", "print(total)"))
    assert compare(path, state(path, before), state(path, remark)) is not None
    assert compare(path, state(path, before), state(path, printed)) is None


NOTHING = Listening("", "", "", "", "", "", "", False, "", "", "", 9)
PLAIN = "def shown(rows):\n    total = len(rows)\n    return total\n"


@pytest.mark.parametrize(
    ("listening", "statement"),
    [
        (NOTHING._replace(modules="\nidle\n"), "value = 'idle'"),
        (NOTHING._replace(called="\nframe\n"), "frame(rows)"),
        (NOTHING._replace(sought="\nframe\n"), "frame(rows)"),
        (NOTHING._replace(sought="\nframe\n"), "print(frame)"),
        (NOTHING._replace(sought="\nframe\n"), "table.frame(rows, resume=True)"),
        (NOTHING._replace(parts="\nqual\n"), "value = 'quality.yaml'"),
        (NOTHING._replace(parts="\nroutes/lost\n"), "value = 'routes.lost'"),
        (NOTHING._replace(folders="\nsettings\n"), "value = './settings/'"),
        (NOTHING._replace(places=True), "DockerOperator(rows)"),
    ],
)
def test_each_thing_that_is_listened_for_is_heard(listening: Listening, statement: str) -> None:
    path, pack = "src/a.py", rule_pack()
    states = state(path, PLAIN), state(path, with_statement(PLAIN, statement))
    assert Alike(pack, NOTHING)(path, *states) is not None
    assert Alike(pack, listening)(path, *states) is None


def test_what_a_file_does_as_a_whole_is_always_heard() -> None:
    path, compare = "src/a.py", Alike(rule_pack(), NOTHING)
    pair = PLAIN + "\n\ndef other(rows):\n    return rows\n"
    for before, after in (
        (PLAIN, PLAIN + "\n\nframe(3)\n"),  # it is started as it is
        (pair, pair.replace("len(rows)", "other(rows)")),  # one definition names another
    ):
        assert compare(path, state(path, before), state(path, after)) is None


def test_what_is_listened_for_is_what_the_inferences_look_up() -> None:
    listening = judged()[0]
    assert "\nroutes/lost\n" in listening.parts
    assert "\nfit\n" in listening.sought
    assert "\nstep_1\n" in listening.defined
    assert not listening.places
    assert judge({**FILES, "Dockerfile": "FROM apache/airflow:2.9\n"})[0].places
    both = {
        "src/shared.py": "def prepare_features(rows):\n    return rows\n",
        "src/model.py": FILES["src/model.py"].replace("import torch\n", "import torch\nfrom shared import prepare_features\n").replace("SVC().fit(rows", "SVC().fit(prepare_features(rows)"),
        "src/app.py": FILES["src/app.py"].replace("from routes", "import joblib\nfrom shared import prepare_features\nfrom routes").replace("return rows", "return joblib.load('a.joblib').predict(prepare_features(rows))"),
    }  # fmt: skip
    assert "\nprepare_features\n" in judge({**FILES, **both})[0].sought


def asking(kind: Kind, name: str = "*", **where: str | tuple[str, ...]) -> Pack:
    rule = rule_pack().rules[0]
    asked = {trait: (globs,) if isinstance(globs, str) else globs for trait, globs in where.items()}
    signal = Signal("s", kind, (name,), asked, frozenset(Zone))
    return Pack((rule._replace(signals={"s": signal}, claims=()),), ())


def test_what_a_rule_asks_of_all_calls_of_a_file_is_heard() -> None:
    path, states = (
        "src/a.py",
        (state("src/a.py", PLAIN), state("src/a.py", with_statement(PLAIN, "frame(rows)"))),
    )
    assert Alike(asking(Kind.DEFINITION, calls="frame"), NOTHING)(path, *states) is None
    assert Alike(asking(Kind.DEFINITION, calls="!frame"), NOTHING)(path, *states) is None
    assert Alike(asking(Kind.DEFINITION, calls="other"), NOTHING)(path, *states) is not None
    assert (
        Alike(asking(Kind.DEFINITION, calls="*"), NOTHING)(path, *states) is not None
    )  # it calls something before


def test_what_a_rule_asks_of_what_lies_behind_a_call_is_heard() -> None:
    path, states = (
        "src/a.py",
        (state("src/a.py", PLAIN), state("src/a.py", with_statement(PLAIN, "frame(rows)"))),
    )
    own = NOTHING._replace(defined="\nframe\n")
    assert Alike(asking(Kind.DEFINITION, does="requests.*"), NOTHING)(path, *states) is not None
    assert Alike(asking(Kind.DEFINITION, does="requests.*"), own)(path, *states) is None
    assert Alike(asking(Kind.DEFINITION, calls_inside="requests.*"), own)(path, *states) is not None
    without = ("requests.*", "!frame")  # what the functions behind it call may hold
    assert Alike(asking(Kind.DEFINITION, does=without), NOTHING)(path, *states) is None
    assert Alike(asking(Kind.DEFINITION, calls_inside=without), NOTHING)(path, *states) is not None


ADDED = "\n\ndef added(rows):\n    return sorted(rows)\n"


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (EDITED, lambda text: text + ADDED),
        (EDITED, lambda text: text.replace("str(total)", "added(total)") + ADDED),
        (EDITED, lambda text: text + "\n\nclass Added:\n    def more_rows(self):\n        return self\n"),
        (EDITED, lambda text: "import itertools\nfrom collections import deque\n" + text),
        ("src/monitor.py", lambda text: text + ADDED),
        ("src/steps.py", lambda text: text + ADDED.replace("sorted(rows)", "other(rows)")),
    ],
)
def test_what_is_added_where_nobody_asks_for_it_makes_no_difference(
    path: str, edit: Callable[[str], str]
) -> None:
    after = edit(FILES[path])
    assert added_alike(FILES[path], after, path)
    assert judge({**FILES, path: after})[1] == judged()[1]


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (EDITED, lambda text: text + ADDED.replace("sorted(", "shown(")),  # it leads on to another
        (EDITED, lambda text: text + ADDED.replace("added", "drift_report")),  # a rule may ask for it
        (EDITED, lambda text: text + ADDED.replace("added", "last")),  # somebody says its name
        (EDITED, lambda text: text + ADDED.replace("added", "keep")),  # somebody defines the same
        (EDITED, lambda text: text + ADDED.replace("\ndef", "\n@cached\ndef")),
        (EDITED, lambda text: text + ADDED.replace("rows):", "rows, a=1, b=2, c=3, resume=None):")),
        (EDITED, lambda text: text + "".join(ADDED.replace("added", f"added_{n}") for n in range(30))),  # too many
        (EDITED, lambda text: "import wandb\n" + text),
        (EDITED, lambda text: "import argparse\n" + text),  # a rule asks for it
        (EDITED, lambda text: "from idle import keep\n" + text),
        (EDITED, lambda text: text.replace("import os\n", "")),  # it is gone
        ("src/values.py", lambda text: text + ADDED),  # its first definition
        ("src/monitor.py", lambda text: text.replace("    requests.post(", "    added(drift)\n    requests.post(") + ADDED),
    ],
)  # fmt: skip
def test_what_is_added_where_somebody_may_ask_for_it_is_heard(path: str, edit: Callable[[str], str]) -> None:
    assert not added_alike(FILES[path], edit(FILES[path]), path)


def added_alike(before: str, after: str, path: str) -> bool:
    compare = Alike(rule_pack(), judged()[0], tuple(FILES), alone=True)
    return compare(path, state(path, before), state(path, after)) is not None


def test_what_leads_to_a_class_that_is_not_new_is_heard_though_a_method_is() -> None:
    path, compare = "src/a.py", Alike(rule_pack(), NOTHING, alone=True)
    before = "class Table:\n    def put(self):\n        return 1\n\n\ndef shown(rows):\n    return rows\n"
    after = before.replace("return 1", "return 1\n\n    def more_rows(self):\n        return 2")
    assert compare(path, state(path, before), state(path, after)) is not None
    assert (
        compare(path, state(path, before), state(path, after.replace("return rows", "return Table()")))
        is None
    )


def test_what_a_rule_asks_of_a_function_that_calls_an_added_one_is_heard() -> None:
    path, before = "src/a.py", PLAIN
    after = before.replace("len(rows)", "added(rows)") + ADDED
    for does, same in ((False, True), (True, False)):
        pack = asking(Kind.DEFINITION, "shown", **({"does": "requests.*"} if does else {"returns": "int"}))
        found = Alike(pack, NOTHING, alone=True)(path, state(path, before), state(path, after))
        assert (found is not None) is same


def test_nothing_is_added_where_more_than_one_file_changed() -> None:
    compare = Alike(rule_pack(), judged()[0], tuple(FILES))
    assert compare(EDITED, state(EDITED, FILES[EDITED]), state(EDITED, FILES[EDITED] + ADDED)) is None


def test_a_module_of_python_is_the_projects_own_where_a_file_is_called_like_it() -> None:
    states = state(EDITED, FILES[EDITED]), state(EDITED, "import itertools\n" + FILES[EDITED])
    for paths, same in (((), True), (("src/itertools.py",), False), (("itertools/a.py",), False)):
        assert (Alike(rule_pack(), judged()[0], paths, alone=True)(EDITED, *states) is not None) is same


def test_names_that_were_looked_for_and_not_found_are_heard() -> None:
    path, text = EDITED, FILES[EDITED]
    listening = judged()[0]._replace(unbound="\nadded\nitertools\n")
    for after in (text + ADDED, "import itertools\n" + text):
        assert (
            Alike(rule_pack(), listening, (), alone=True)(path, state(path, text), state(path, after)) is None
        )
    looked_up = judged()[0]._replace(asked_from=f"\n{path}\n")
    states = state(path, text), state(path, "import itertools\n" + text)
    assert Alike(rule_pack(), looked_up, (), alone=True)(path, *states) is None
    assert "\nsrc/monitor.py\n" in judged()[0].asked_from
    missing = {"src/wants.py": "from plain import added\n\nadded(1)\n"}
    assert "\nadded\n" in judge({**FILES, **missing})[0].unbound


WORDS = (
    "rows total forgotten Shelf put step_3 fit resume watch tell drift quality limits settings idle keep "
    "lost extra routes print len mlflow predict row table shown names app model depth data last csv "
    "monitor rollback_model steps other value notify threshold accuracy "
)


@pytest.mark.parametrize("seed", range(6))
def test_files_that_are_alike_lead_to_the_same_findings(seed: int) -> None:
    chance, found_alike = random.Random(seed), 0
    word = lambda: chance.choice(WORDS.split())  # noqa: E731 (short)
    for _ in range(24):
        path = chance.choice(
            [EDITED, EDITED, "src/steps.py", "src/main.py", "src/monitor.py", "src/rollback.py"]
        )
        after = FILES[path]
        for _ in range(chance.choice((1, 2))):
            statement = chance.choice([
                f"{word()}({word()})", f"print({word()!r}, {word()})", f"{word()}.{word()}({word()}, {word()}={word()})",
                f"value = '{word()}/{word()}.yaml'", f"if {word()} < {chance.random():.2f}: {word()}({word()})", f"{word()} = {word()!r}",
                f"# {word()}", f"return {word()}({word()})",
            ])  # fmt: skip
            after = with_statement(after, statement, chance.randrange(99))
        try:
            ast.parse(after)
        except SyntaxError:
            continue
        if chance.random() < 0.3:
            after += f"\n\ndef {chance.choice(('added', word()))}(rows):\n    return {word()}({word()})\n"
        if chance.random() < 0.2:
            after = f"import {chance.choice(('itertools', 'json', 'wandb', word()))}\n" + after
        if added_alike(FILES[path], after, path):
            found_alike += 1
            assert judge({**FILES, path: after})[1] == judged()[1], (path, after)
    assert found_alike
