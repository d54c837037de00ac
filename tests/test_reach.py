"""Reach: which automation runs which code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Fact, Kind, Site, Zone
from mlops_audit.reach import Reach
from mlops_audit.reach.told import told
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree


def files(*paths: str) -> list[Fact]:
    return [
        Fact(Kind.FILE, path, Site(path), zone=Zone.TEST if "test" in path else Zone.SOURCE) for path in paths
    ]


def command(text: str, path: str = ".github/workflows/ci.yml", job: str = "build", **traits: str) -> Fact:
    unit = f"{path}#{job}" if job else path
    return Fact(Kind.COMMAND, text, Site(path, 7), {"unit": unit, "system": "github", **traits})


def in_sum(facts: list[Fact]) -> list[Fact]:
    """The facts, those of files with the sum of what each states."""
    stated = [fact for fact in facts if fact.kind is not Kind.FILE]
    return stated + [
        replace(file, traits=told([file, *(fact for fact in stated if fact.site.path == file.name)]))
        for file in facts
        if file.kind is Kind.FILE
    ]


PATHS = files(
    "train.py", "src/pkg/train.py", "src/pkg/__init__.py", "src/pkg/__main__.py", "scripts/run.sh", "Makefile",
    "tests/test_a.py", "services/api/Dockerfile", "services/api/main.py", "dvc.yaml", "Dockerfile", "jobs/train job.py",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "directory", "reached"),
    [
        ("python train.py --epochs 3", "", {"train.py"}),
        ("python -m pkg.train", "", {"src/pkg/train.py"}),
        ("python -m pkg", "", {"src/pkg/__main__.py"}),
        ("poetry run python src/pkg/train.py", "", {"src/pkg/train.py"}),
        ("uv run --with x train.py", "", {"train.py"}),
        ("conda run -n env python train.py", "", {"train.py"}),
        ("python train.py", "src/pkg", {"src/pkg/train.py"}),
        ("bash scripts/run.sh", "", {"scripts/run.sh"}),
        ("./scripts/run.sh", "", {"scripts/run.sh"}),
        ("bash -c 'python train.py'", "", {"train.py"}),
        ("python $HOME/train.py", "", {"train.py"}),
        ("pytest tests/", "", {"tests/test_a.py"}),
        ("pytest -vv -k 'not test_slow or test_slow[tiny]' -m 'not gpu'", "", {"tests/test_a.py"}),
        ("python -m pytest -x", "", {"tests/test_a.py"}),
        ("coverage run -m pytest", "", {"tests/test_a.py"}),
        ("docker build -t x services/api", "", {"services/api/Dockerfile"}),
        ("docker build -f services/api/Dockerfile .", "", {"services/api/Dockerfile"}),
        ("docker build -t x .", "", {"Dockerfile"}),
        ("docker run --rm -v .:/app acme/x pytest tests", "", {"tests/test_a.py"}),
        ("docker compose run app python -m pkg.train", "", {"src/pkg/train.py"}),
        ("uvicorn main:app", "services/api", {"services/api/main.py"}),
        ("python 'jobs/train job.py'", "", {"jobs/train job.py"}),
        ("python tools/absent.py --module-name pkg.train", "", {"src/pkg/train.py"}),
        ("runner --module-name=pkg.train", "", {"src/pkg/train.py"}),
        ("cat train.py", "", set()),
        ("ruff check src/pkg/train.py", "", set()),
        ("python train.py --help", "", set()),
        ("python -m pkg.train --version", "", set()),
        ("python train.py --help-text a", "", {"train.py"}),
        ("python absent.py", "", set()),
        ("pip install -r requirements.txt", "", set()),
        ("python train.py '", "", {"train.py"}),
    ],
)
def test_a_command_reaches_what_it_starts(text: str, directory: str, reached: set[str]) -> None:
    facts = [*PATHS, command(text, directory=directory)]
    lent = Reach(facts).lend(facts)
    assert {f.name for f in lent if f.kind is Kind.FILE and f.reached.systems} == reached


def test_a_chain_names_every_step_with_its_place() -> None:
    target = Fact(
        Kind.COMMAND, "python train.py", Site("Makefile", 2), {"unit": "Makefile#train", "system": "make"}
    )
    job = Fact(
        Kind.JOB,
        "build",
        Site("ci.yml", 1),
        {"unit": "ci.yml#build", "system": "github", "triggers": ("schedule",)},
    )
    facts = [*PATHS, job, command("make train", "ci.yml"), target]
    train = next(f for f in Reach(facts).lend(facts) if f.name == "train.py")
    assert [(str(link.site), link.runs) for link in train.reached.chain] == [
        ("ci.yml:7", "make train"),
        ("Makefile:2", "python train.py"),
    ]
    assert train.reached.systems == {"github", "make"}
    assert train.reached.triggers == {"schedule"}


def test_imports_carry_on_from_a_script() -> None:
    imports = [
        Fact(Kind.IMPORT, "pkg.train.fit", Site("train.py", 1), {"module": "pkg.train"}),
        Fact(Kind.IMPORT, "numpy", Site("train.py", 2), {"module": "numpy"}),
    ]
    facts = [*PATHS, *imports, command("python train.py")]
    lent = {f.name for f in Reach(facts).lend(facts) if f.kind is Kind.FILE and f.reached.systems}
    assert lent == {"train.py", "src/pkg/train.py", "src/pkg/__init__.py"}


def test_a_dead_job_runs_nothing() -> None:
    facts = [*PATHS, command("python train.py", dead="yes")]
    assert not any(f.reached.systems for f in Reach(facts).lend(facts) if f.kind is Kind.FILE)


def test_what_a_container_runs_when_started_is_not_run_by_its_build() -> None:
    entry = Fact(
        Kind.COMMAND,
        "python train.py",
        Site("Dockerfile", 9),
        {"unit": "Dockerfile", "system": "docker", "entry": "yes"},
    )
    job = Fact(
        Kind.JOB, "build", Site("ci.yml", 1), {"unit": "ci.yml#build", "system": "github", "triggers": "push"}
    )
    facts = [*PATHS, job, command("docker build .", "ci.yml"), entry]
    train = next(f for f in Reach(facts).lend(facts) if f.name == "train.py")
    assert train.reached.systems == {"docker"}
    assert not train.reached.triggers


def test_a_module_imported_from_both_sides_is_on_both_sides() -> None:
    imports = [
        Fact(Kind.IMPORT, "pkg.train", Site("train.py", 1), {"module": "pkg.train"}),
        Fact(Kind.IMPORT, "pkg.train", Site("services/api/main.py", 1), {"module": "pkg.train"}),
    ]
    sides = Reach([*PATHS, *imports]).sides(["train.py"], ["services/api/main.py"])
    assert sides["src/pkg/train.py"] == "both"
    assert sides["train.py"] == "trains"


def definition(name: str, path: str, *calls: str) -> Fact:
    return Fact(Kind.DEFINITION, name, Site(path, 3), {"form": "function", "calls_inside": calls})


def test_importing_one_name_runs_that_definition_and_those_it_uses_but_no_others() -> None:
    path = "src/pkg/train.py"
    facts = [
        *PATHS,
        Fact(Kind.IMPORT, "pkg.train.prepare", Site("train.py", 1), {"module": "pkg.train"}),
        definition("prepare", path, "clean"),
        definition("clean", path),
        definition("fit_model", path),
        Fact(Kind.CALL, "model.fit", Site(path, 20), {"function": "fit_model"}),
        Fact(Kind.CALL, "strip", Site(path, 9), {"function": "clean"}),
        Fact(Kind.CALL, "configure", Site(path, 1)),
        command("python train.py"),
    ]
    facts = in_sum(facts)
    lent = {f.name: bool(f.reached.systems) for f in Reach(facts).lend(facts) if f.site.path == path}
    assert lent["prepare"]
    assert lent["clean"]
    assert lent["strip"]
    assert lent["configure"]
    assert not lent["fit_model"]
    assert not lent["model.fit"]


def test_a_function_handed_to_a_call_is_run_with_the_function_that_hands_it() -> None:
    path = "src/pkg/train.py"
    facts = [
        *PATHS,
        Fact(Kind.IMPORT, "pkg.train.start", Site("train.py", 1), {"module": "pkg.train"}),
        definition("start", path, "Thread"),
        definition("loop", path),
        Fact(Kind.CALL, "threading.Thread", Site(path, 4), {"function": "start", "target=": "loop"}),
        Fact(Kind.CALL, "model.fit", Site(path, 20), {"function": "loop"}),
        command("python train.py"),
    ]
    facts = in_sum(facts)
    assert next(f for f in Reach(facts).lend(facts) if f.name == "model.fit").reached.systems == {"github"}


def test_what_only_tests_call_is_not_run_by_automation() -> None:
    facts = [
        *files("train.py", "tests/test_a.py"),
        Fact(Kind.IMPORT, "train.fit", Site("tests/test_a.py", 1), {"module": "train"}, Zone.TEST),
        Fact(Kind.CALL, "fit", Site("train.py", 3)),
    ]
    tested = Reach([*facts, command("pytest tests")]).lend(facts)
    assert {f.site.path for f in tested if f.reached.systems} == {"tests/test_a.py"}
    started = Reach([*facts, command("python train.py")]).lend(facts)
    assert {f.site.path for f in started if f.reached.systems} == {"train.py"}


def test_a_test_uses_the_own_files_that_it_imports_or_starts_also_by_its_conftest() -> None:
    imported = Fact(
        Kind.IMPORT, "pkg.train", Site("tests/conftest.py", 1), {"module": "pkg.train"}, Zone.TEST
    )
    started = Fact(
        Kind.COMMAND, "python train.py", Site("tests/test_b.py", 3), {"system": "python"}, Zone.TEST
    )
    more = files("tests/conftest.py", "tests/test_b.py", "other/test_c.py")
    uses = Reach([*PATHS, *more, imported, started]).uses()
    assert uses["tests/test_a.py"] == ("src/pkg/__init__.py", "src/pkg/train.py")
    assert "train.py" in uses["tests/test_b.py"]
    assert "other/test_c.py" not in uses


def test_a_task_of_an_included_taskfile_is_reached_by_its_name_space() -> None:
    path = "infra/project-cloud/Taskfile.yml"
    facts = [
        *files("Taskfile.yml", path, "train.py"),
        command("python train.py", path, "apply", system="task"),
        command("task infra:cloud:apply"),
    ]
    lent = Reach(facts).lend(facts)
    assert next(f for f in lent if f.name == "train.py").reached.systems == {"github", "task"}


def test_poe_as_a_plugin_of_poetry_runs_its_task() -> None:
    facts = [
        *files("pyproject.toml", "train.py"),
        command("python train.py", "pyproject.toml", "train", system="poe"),
        command("poetry poe train"),
    ]
    lent = Reach(facts).lend(facts)
    assert next(f for f in lent if f.name == "train.py").reached.systems == {"github", "poe"}


@pytest.mark.parametrize(
    ("traits", "masked"), [({}, False), ({"masked": "yes"}, True), ({"unchecked": "yes"}, True)]
)
def test_what_only_runs_where_its_failure_is_swallowed_is_masked(
    traits: dict[str, str], masked: bool
) -> None:
    facts = [*PATHS, command("python train.py", **traits)]
    train = next(f for f in Reach(facts).lend(facts) if f.name == "train.py")
    assert train.reached.masked is masked


def test_one_way_that_heeds_the_failure_is_enough() -> None:
    facts = [*PATHS, command("python train.py", masked="yes"), command("python train.py", job="other")]
    assert not next(f for f in Reach(facts).lend(facts) if f.name == "train.py").reached.masked


@pytest.mark.parametrize(
    ("text", "file", "task"),
    [
        ("mise run fit", "mise.toml", "fit"),
        ("mise r lint ::: fit", "mise.toml", "fit"),
        ("mise fit", ".mise.toml", "fit"),
        ("pdm run fit --epochs 3", "pyproject.toml", "fit"),
        ("hatch run jobs:fit", "pyproject.toml", "jobs:fit"),
        ("hatch -e jobs run fit", "hatch.toml", "jobs:fit"),
        ("hatch run jobs:fit", "hatch.toml", "fit"),
        ("pixi run -e gpu fit", "pixi.toml", "fit"),
        ("rye run fit", "pyproject.toml", "fit"),
        ("pipenv run fit", "Pipfile", "fit"),
        ("uv run task fit", "pyproject.toml", "fit"),
        ("bun run fit", "package.json", "fit"),
        ("uvx --from poethepoet poe fit", "pyproject.toml", "fit"),
    ],
)
def test_a_task_asked_for_by_name_is_reached(text: str, file: str, task: str) -> None:
    facts = [
        *files(file, "train.py", "other.py"),
        command("python train.py", file, task, system="runner"),
        command("python other.py", file, "unasked", system="runner"),
        command(text),
    ]
    lent = Reach(facts).lend(facts)
    assert "github" in next(f for f in lent if f.name == "train.py").reached.systems
    assert "github" not in next(f for f in lent if f.name == "other.py").reached.systems


@pytest.mark.parametrize(
    "text", ["mise install", "pdm install", "mise run absent", "hatch build", "pixi install"]
)
def test_a_runner_asked_for_something_else_runs_no_task(text: str) -> None:
    facts = [
        *files("mise.toml", "pyproject.toml", "train.py"),
        command("python train.py", "mise.toml", "install", system="runner"),
        command("python train.py", "pyproject.toml", "install", system="runner"),
        command(text),
    ]
    lent = Reach(facts).lend(facts)
    assert next(f for f in lent if f.name == "train.py").reached.systems == {"runner"}


def test_a_file_in_the_folder_of_tasks_is_a_task_of_mise() -> None:
    facts = [
        *files("mise-tasks/model/fit", "train.py"),
        command("python train.py", "mise-tasks/model/fit", "", system="shell"),
        command("mise run model:fit"),
    ]
    lent = Reach(facts).lend(facts)
    assert next(f for f in lent if f.name == "train.py").reached.systems == {"github", "shell"}


def test_a_script_named_in_a_text_is_started_by_the_program_that_puts_its_command_together() -> None:
    def said(text: str, path: str) -> Fact:
        return Fact(Kind.STRING, text, Site(path, 3), {"argument_of": "start", "function": "nightly"})

    facts = [
        *files("schedule.py", "jobs/train.py", "jobs/report.py"),
        command("python schedule.py"),
        Fact(Kind.CALL, "subprocess.run", Site("schedule.py", 9), {"function": "start"}),
        said("jobs/train.py", "schedule.py"),
        said("writes report.py to the log", "schedule.py"),
        Fact(Kind.DEFINITION, "nightly", Site("schedule.py", 2), {"form": "function"}),
    ]
    lent = Reach(facts).lend(facts)
    assert next(f for f in lent if f.name == "jobs/train.py").reached.systems == {"github"}
    assert not next(f for f in lent if f.name == "jobs/report.py").reached.systems
    silent = [f for f in facts if f.kind is not Kind.CALL]
    assert not next(f for f in Reach(silent).lend(silent) if f.name == "jobs/train.py").reached.systems


def test_a_file_that_widens_its_path_imports_the_one_module_of_that_name() -> None:
    def imported(*more: str) -> set[str]:
        facts = [
            *files("tests/test_wash.py", "jobs/spark-jobs/wash.py", *more),
            Fact(Kind.CALL, "sys.path.insert", Site("tests/test_wash.py", 2), zone=Zone.TEST),
            Fact(Kind.IMPORT, "wash", Site("tests/test_wash.py", 3), zone=Zone.TEST),
        ]
        return set(Reach(facts).uses().get("tests/test_wash.py", ()))

    assert imported() == {"jobs/spark-jobs/wash.py"}
    assert imported("other/place/wash.py") == set()


def test_a_file_that_only_uses_a_library_of_machine_learning_is_on_no_serving_side() -> None:
    tree = Tree.of({
        "app.py": "import joblib\nfrom fastapi import FastAPI\n\napp = FastAPI()\nmodel = joblib.load('m.joblib')\n\n\n"
        "@app.post('/predict')\ndef answer(row: list[float]):\n    return model.predict([row])\n",
        "train.py": "from sklearn.linear_model import Ridge\n\nfrom wash import preprocess\n\nRidge().fit(preprocess(1), 2)\n",
        "wash.py": "def preprocess(frame):\n    return frame\n",
    })  # fmt: skip
    facts, _, kinds = examine(tree, rule_pack())
    assert {e.fact.site.path for e in kinds["serves"]} == {"app.py"}
    assert facts.sides["wash.py"] == "trains"


def test_what_starts_a_masked_way_is_not_heeded() -> None:
    nightly = Fact(
        Kind.JOB,
        "night",
        Site("n.yml", 1),
        {"unit": "n.yml#night", "system": "github", "triggers": ("schedule",)},
    )
    pushed = Fact(
        Kind.JOB, "push", Site("p.yml", 1), {"unit": "p.yml#push", "system": "github", "triggers": ("push",)}
    )
    facts = [
        *PATHS, nightly, pushed,
        command("python train.py", "n.yml", "night", masked="yes"), command("python train.py", "p.yml", "push"),
    ]  # fmt: skip
    train = next(f for f in Reach(facts).lend(facts) if f.name == "train.py")
    assert train.reached.triggers == {"schedule", "push"}
    assert train.reached.heeded == {"push"}


# ------------------------------------------------------------------------------ what functions do inside


def does(files: dict[str, str], name: str, path: str = "flow.py") -> set[str]:
    facts, _, _ = examine(Tree.of(files), Pack((), ()))
    called = [f for f in facts.of(Kind.CALL) if f.name == name and f.site.path == path]
    assert called, [f.name for f in facts.of(Kind.CALL)]
    return {inner for fact in called for inner in facts.trait(fact, "does")}


REGISTRY = """
import mlflow

class Registry:
    def publish(self, version):
        move(version)

def move(version):
    mlflow.MlflowClient().set_registered_model_alias("a", "b", version)

def loop(version):
    loop(version)
"""


@pytest.mark.parametrize(
    ("flow", "name", "moves"),
    [
        ("from shop.registry import move\nmove(3)\n", "shop.registry.move", True),
        ("from shop import registry\nregistry.move(3)\n", "shop.registry.move", True),
        (
            "from shop.registry import Registry\nRegistry().publish(3)\n",
            "shop.registry.Registry.publish",
            True,
        ),
        ("from shop import move\nmove(3)\n", "shop.move", True),
        ("from other.registry import move\nmove(3)\n", "other.registry.move", False),
        ("def move(version):\n    pass\nmove(3)\n", "move", False),
        ("registry = work()\nregistry.move(3)\n", "work.move", False),
        ("def run(registry):\n    registry.move(3)\n", "registry.move", False),
        ("from shop.registry import loop\nloop(3)\n", "shop.registry.loop", False),
    ],
)
def test_a_call_does_what_the_function_of_the_project_calls_inside(flow: str, name: str, moves: bool) -> None:
    files = {
        "shop/registry.py": REGISTRY,
        "shop/__init__.py": "from shop.registry import move\n",
        "flow.py": flow,
    }
    inside = does(files, name)
    assert ("mlflow.MlflowClient.set_registered_model_alias" in inside) is moves


@pytest.mark.parametrize(
    ("words", "train", "serve", "side"),
    [
        ("def clean(x): return x\n", "from shop.words import clean\nclean(1)\n", "from shop.words import clean\nclean(2)\n", "both"),
        ("def clean(x): return x\n", "from shop.words import clean\nclean(1)\n", "from shop.words import other\n", "trains"),
        ("def clean(x): return x\n", "import shop.words\n", "from shop.words import clean\nclean(2)\n", "serves"),
        ("def clean(x): return x\ndef both(x): return clean(x)\n", "from shop.words import both\nboth(1)\n", "from shop.words import both\nboth(2)\n", "both"),
        ("def clean(x): return x\ndef one(x): return clean(x)\n", "from shop.words import one\none(1)\n", "import shop.words\n", "trains"),
        ("def clean(x): return x\n", "from shop.words import clean\nframe.map(clean)\n", "import shop.words\n", "trains"),
        ("def clean(x): return x\n", "import shop.words\n", "import shop.words\n", ""),
    ],
)  # fmt: skip
def test_a_definition_of_both_sides_is_called_on_the_sides_whose_code_calls_it(
    words: str, train: str, serve: str, side: str
) -> None:
    files = {
        "shop/words.py": words,
        "shop/train.py": f"from sklearn.svm import SVC\nSVC().fit(a, b)\n{train}",
        "shop/serve.py": f"import joblib\nfrom flask import Flask\njoblib.load('m').predict(x)\nFlask(__name__).route('/predict')\n{serve}",
    }
    facts, _, _ = examine(Tree.of(files), rule_pack())
    (clean,) = facts.named(Kind.DEFINITION, ("clean",))
    assert facts.trait(clean, "sides") == ("both",)
    assert facts.trait(clean, "callers") == ((side,) if side else ())


def triggers_of_training(*commands: Fact) -> frozenset[str]:
    fitting = Fact(Kind.CALL, "sklearn.svm.SVC.fit", Site("train.py", 3))
    return Reach([*PATHS, *commands]).lend([fitting])[0].reached.triggers


def test_a_moment_of_training_in_a_job_of_tests_is_no_training_on_a_schedule() -> None:
    text, often = "python train.py --epochs 1 --device cpu", ("push", "schedule")
    tried = command(text, job="tests", triggers=often)
    assert triggers_of_training(tried) == {"push"}
    assert triggers_of_training(command(text, job="retrain", triggers=often)) == {"push", "schedule"}
    assert triggers_of_training(command("python train.py --epochs 10", job="tests", triggers=often)) == {
        "push",
        "schedule",
    }
    assert triggers_of_training(tried, command("python train.py", job="night", triggers=("schedule",))) == {
        "push",
        "schedule",
    }


@pytest.mark.parametrize(
    "making",
    [
        command("kind create cluster --name x", triggers="push"),
        command("minikube start", triggers="push"),
        Fact(
            Kind.ACTION,
            "helm/kind-action@v1.13.0",
            Site(".github/workflows/ci.yml", 5),
            {"unit": ".github/workflows/ci.yml#build"},
        ),
    ],
)
def test_what_is_deployed_into_a_cluster_of_the_job_is_in_a_sandbox(making: Fact) -> None:
    inside = Fact(
        Kind.COMMAND,
        "helm install x",
        Site("scripts/run.sh", 2),
        {"unit": "scripts/run.sh", "system": "shell"},
    )
    starts = command("bash scripts/run.sh", triggers="push")
    assert Reach([*PATHS, making, starts, inside]).lend([inside])[0].traits["sandbox"] == "yes"
    assert "sandbox" not in Reach([*PATHS, starts, inside]).lend([inside])[0].traits
    release = command("bash scripts/run.sh", job="release", triggers="tag")
    assert "sandbox" not in Reach([*PATHS, making, starts, release, inside]).lend([inside])[0].traits


def test_a_declared_package_is_no_folder_of_a_package_of_the_project() -> None:
    paths = files("pkg/__init__.py", "pkg/lightning/__init__.py", "pkg/lightning/core.py", "examples.py")
    asked = Fact(Kind.IMPORT, "lightning.core", Site("examples.py", 1))
    called = Fact(Kind.CALL, "fit", Site("pkg/lightning/core.py", 3))
    runs = command("python examples.py")
    assert Reach([*paths, asked, called, runs]).lend([called])[0].reached.chain
    declared = Fact(Kind.DEPENDENCY, "lightning", Site("pyproject.toml", 4))
    assert not Reach([*paths, asked, called, runs, declared]).lend([called])[0].reached.chain
