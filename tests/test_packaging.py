"""The package: what it depends on, what its start imports, and the commands that README.md and .ci/run share."""

from __future__ import annotations

import ast
import json
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import mlops_audit
from mlops_audit.parse.grammars import GRAMMARS

CHECKOUT = Path(__file__).resolve().parents[1]
PROJECT = tomli.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
TEST_COMMAND = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest -n auto"
# A package and the module that it brings, where the two have different names.
MODULES = {
    "gitpython": "git",
    "ruamel-yaml": "ruamel",
    "ruamel-yaml-clib": "_ruamel_yaml",
    "markdown-it-py": "markdown_it",
}
BROUGHT_ALONG = {
    "markupsafe": "jinja2",
    "tree_sitter_tsx": "tree_sitter_typescript",
}  # a module of a package that a declared one always brings, and is made for


def sources() -> list[Path]:
    return sorted((CHECKOUT / "src").rglob("*.py"))


def declared() -> set[str]:
    """The modules of the declared dependencies, and of those that make it fast."""
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["fast"]]
    names = [re.sub(r"[-_.]+", "-", Requirement(text).name).lower() for text in asked]
    return {MODULES.get(name, name.replace("-", "_")) for name in names}


def imported() -> set[str]:
    """The third-party modules that the package imports, also those that it asks for by name."""
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("syntax_tree"):
                languages = {a.value for a in node.args if isinstance(a, ast.Constant)}
                found |= {GRAMMARS.get(name, (f"tree_sitter_{name}",))[0] for name in languages}
    hashes = {"_sha2", "_sha256"}  # of the standard library since Python 3.12, and until then
    own = {"mlops_audit", *sys.stdlib_module_names, *hashes}
    return {BROUGHT_ALONG.get(name, name) for name in found - own}


def test_every_dependency_is_imported_and_every_import_is_declared() -> None:
    assert imported() == declared()


def test_dependencies_have_a_lower_bound_and_the_promised_ones_are_there() -> None:
    requirements = {Requirement(text).name.lower(): Requirement(text) for text in PROJECT["dependencies"]}
    assert {"click", "ruamel.yaml", "gitpython", "tomli", "jinja2"} <= set(requirements)
    for requirement in requirements.values():
        assert any(bound.operator == ">=" for bound in requirement.specifier), str(requirement)
    assert "3.1.59" not in requirements["gitpython"].specifier, (
        "older versions run code of the repositories they read"
    )


def test_the_versions_of_python_that_are_promised_are_those_that_install() -> None:
    bound = SpecifierSet(PROJECT["requires-python"])
    promised = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)}
    assert promised == {"3.10", "3.11", "3.12", "3.13"}
    assert all(f"{version}.0" in bound for version in promised)
    assert "3.9.19" not in bound


def test_the_readme_and_ci_run_the_tests_by_the_same_command() -> None:
    for name in ("README.md", "CONTRIBUTING.md", ".ci/run"):
        assert TEST_COMMAND in (CHECKOUT / name).read_text().splitlines(), name


def test_ci_also_lints_checks_types_and_tries_the_wheel_and_skips_nothing() -> None:
    lines = (CHECKOUT / ".ci/run").read_text().splitlines()
    for line in (".venv/bin/ruff check .", ".venv/bin/mypy", "bash .ci/check-wheel", "bash .ci/check-sarif"):
        assert line in lines
    assert any(line.startswith("export CI=true") for line in lines)
    assert "set -euo pipefail" in lines
    assert tomli.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["mypy"]["strict"] is True


@pytest.mark.parametrize(
    "name", [".ci/run", ".ci/check-wheel", ".ci/check-sarif", ".ci/prepare-browser", "action/run.sh"]
)
def test_scripts_of_ci_can_be_started_and_are_well_formed(name: str) -> None:
    assert (CHECKOUT / name).stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(CHECKOUT / name)], check=True)


def test_the_sample_that_the_readme_audits_is_there() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    (command,) = [line for line in readme.splitlines() if line.endswith("mlops-audit audit fixtures/level-2")]
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q . && ")
    assert (CHECKOUT / "fixtures/level-2").is_dir()


def test_version_imports_neither_git_nor_the_libraries_of_reports_and_parsers() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "mlops_audit", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == f"mlops-audit {mlops_audit.__version__}\n"
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in ran.stderr.splitlines()}
    assert "mlops_audit" in loaded, "nothing was measured"
    heavy = {
        "git",
        "gitdb",
        "jinja2",
        "rich",
        "ruamel",
        "_ruamel_yaml",
        "tomli",
        "tree_sitter",
        "markdown_it",
        "packaging",
    }
    assert not loaded & heavy


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what a wheel of this checkout holds."""
    place = tmp_path_factory.mktemp("wheel")
    shutil.copytree(
        CHECKOUT, place / "checkout", ignore=shutil.ignore_patterns(".*", "fixtures", "tests", "docs")
    )
    build = "from hatchling.build import build_wheel; print(build_wheel('..'))"
    (place / "checkout").joinpath(".git").mkdir()  # its own place, whatever the folder above it leaves out
    ran = subprocess.run(
        [sys.executable, "-c", build], cwd=place / "checkout", capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(place / ran.stdout.split()[-1]) as wheel:
        wheel.extractall(place / "installed")
    return place / "installed"


def rules_of(installed: Path) -> tuple[bool, list[str]]:
    """Whether the program of a folder has the rules that its YAML states, and which of some modules it loaded for them."""
    script = (
        "import json, sys\nfrom mlops_audit import catalogue, rules, shipped\n"
        "pack, standard = shipped.shipped(), catalogue.load()\n"
        "loaded = sorted({'ruamel', '_ruamel_yaml'} & {name.partition('.')[0] for name in sys.modules})\n"
        "read = rules.load(catalogue.data_folder('rules'))\n"
        "bare = rules.Pack(tuple(rule._replace(examples=()) for rule in read.rules), read.kinds)\n"
        "catalogue._KNOWN.clear()\n"
        "assert catalogue.__file__.startswith(sys.argv[1]), catalogue.__file__\n"
        "print(json.dumps([pack == bare and standard == catalogue.load(), loaded]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(installed)],
        env={"PYTHONPATH": str(installed)}, cwd=installed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    same, loaded = json.loads(ran.stdout)
    return same, loaded


def test_a_wheel_holds_its_rules_compiled_and_reads_no_yaml_for_them(installed: Path) -> None:
    assert rules_of(installed) == (True, [])


@pytest.mark.parametrize("change", ["edited", "absent", "damaged"])
def test_compiled_rules_that_are_not_those_of_the_files_are_not_used(
    installed: Path, tmp_path: Path, change: str
) -> None:
    shutil.copytree(installed, tmp_path / "changed")
    data = tmp_path / "changed/mlops_audit/_data"
    if change == "edited":
        (rule,) = data.glob("rules/data/versioning.yaml")
        rule.write_text(rule.read_text("utf-8").replace("why:", "why: Otherwise", 1), "utf-8")
    elif change == "absent":
        (data / "rules.json").unlink()
    else:
        (data / "rules.json").write_text("[")
    same, loaded = rules_of(tmp_path / "changed")
    assert same
    assert loaded


def test_the_version_stands_in_the_changelog() -> None:
    assert f"## {mlops_audit.__version__}" in (CHECKOUT / "CHANGELOG.md").read_text()
