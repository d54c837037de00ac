"""Manifests and lock files in, dependencies and environments out: pinned or not, with which runtime."""

from __future__ import annotations

import contextlib
import json
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit import packages
from mlops_audit.extract import EXTRACTORS, dependencies, ecosystems, lockfiles
from mlops_audit.facts import Fact, Kind, matcher
from mlops_audit.parse.nodes import ParseFailure

READERS = {"dependencies": dependencies, "lockfiles": lockfiles, "ecosystems": ecosystems}


def read(path: str, text: str | bytes) -> tuple[Fact | None, list[Fact]]:
    """The manifest and the dependencies of a file, through the table of extractors."""
    data = text.encode() if isinstance(text, str) else text
    modules = [
        READERS[name] for name, patterns in EXTRACTORS if name in READERS and matcher(patterns, True)(path)
    ]
    assert modules, f"no extractor reads {path}"
    facts = [fact for module in modules for fact in module.extract(path, data)]
    manifests = [fact for fact in facts if fact.kind is Kind.MANIFEST]
    assert len(manifests) <= 1
    return (manifests[0] if manifests else None), [fact for fact in facts if fact.kind is Kind.DEPENDENCY]


def pins(path: str, text: str | bytes) -> dict[str, str]:
    return {fact.name: str(fact.traits["pinned"]) for fact in read(path, text)[1]}


def manifest(path: str, text: str | bytes) -> dict[str, object]:
    found, _ = read(path, text)
    assert found is not None
    return dict(found.traits)


# ----------------------------------------------------------------------------------------------- requirements


@pytest.mark.parametrize(
    ("line", "name", "pinned"),
    [
        ("numpy==1.26.4", "numpy", "yes"),
        ("Scikit_Learn == 1.5 # why", "scikit-learn", "yes"),
        ("uvicorn[standard]==0.30.1 ; python_version < '3.12'", "uvicorn", "yes"),
        ("distro-info===0.18ubuntu0.18.04.1", "distro-info", "yes"),
        ("pytz==2004d-custom_1", "pytz", "yes"),
        ("torch==2.3.1+cu121", "torch", "yes"),
        ("numpy", "numpy", "no"),
        ("numpy>=1.26", "numpy", "no"),
        ("numpy~=1.26.4", "numpy", "no"),
        ("numpy==1.26.*", "numpy", "no"),
        ("numpy>=1.26,<2", "numpy", "no"),
        ("numpy>=1.26 --hash=sha256:abc", "numpy", "yes"),
        ("numpy>=1.26 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def", "numpy", "yes"),
        ("pkg @ https://x.org/pkg-1.2.3-py3-none-any.whl", "pkg", "yes"),
        ("pkg @ git+https://github.com/a/pkg@0123456789abcdef0123456789abcdef01234567", "pkg", "yes"),
        ("pkg @ git+https://github.com/a/pkg.git@main", "pkg", "no"),
        ("numpy @ file:///croot/numpy_1672/work", "numpy", "no"),
        ("git+https://github.com/a/pkg.git@v1.2.0", "pkg", "yes"),
        ("git+https://github.com/a/pkg.git", "pkg", "no"),
        ("-e git+ssh://git@github.com/a/b.git#egg=my_pkg", "my-pkg", "no"),
        ("https://download.pytorch.org/whl/cpu/torch-2.3.1-cp311-linux.whl", "torch", "yes"),
    ],
)
def test_a_requirement_is_pinned_by_one_exact_version(line: str, name: str, pinned: str) -> None:
    assert pins("requirements.txt", line + "\n") == {name: pinned}


def test_options_paths_comments_and_nonsense_are_no_packages() -> None:
    text = "--index-url https://x.org\n-e .\n.[dev]\n./local\n# numpy\n\n!!! what\n-f links\nflask==1.0\n"
    found, dependencies = read("requirements.txt", text)
    assert [(f.name, f.site.line) for f in dependencies] == [("flask", 9)]
    assert found is not None
    assert (found.traits["pinned"], found.traits["count"], found.site.line) == ("all", "1", 9)


def test_included_files_are_named_relative_to_the_root() -> None:
    text = "-r ../base.txt\n--requirement=more.txt\n-c constraints.txt\n"
    assert manifest("app/requirements/prod.txt", text)["includes"] == (
        "app/base.txt", "app/requirements/more.txt", "app/requirements/constraints.txt",
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_encodings_of_windows_are_read(encoding: str) -> None:
    assert pins("requirements.txt", "numpy==1.0\r\npandas\r\n".encode(encoding)) == {
        "numpy": "yes",
        "pandas": "no",
    }


@pytest.mark.parametrize(
    ("path", "role"),
    [("requirements-dev.txt", "dev"), ("requirements/test.txt", "test"), ("dev-requirements.in", "dev"),
     ("requirements.txt", None), ("requirements/prod.txt", None), ("requirements_inference.txt", None)],
)  # fmt: skip
def test_a_file_for_development_has_a_role(path: str, role: str | None) -> None:
    assert manifest(path, "pytest==8.0\n").get("role") == role


def test_a_full_freeze_is_a_lock_and_a_written_list_is_not() -> None:
    freeze = "".join(f"package{n:03}==1.{n}\n" for n in range(40))
    assert {f.traits.get("lock") for f in read("requirements.txt", freeze)[1]} == {"yes"}
    assert manifest("requirements.txt", freeze)["pinned"] == "all"
    assert {f.traits.get("lock") for f in read("requirements.txt", "b==1\na==2\n")[1]} == {None}


def test_of_a_compiled_file_only_what_others_need_is_transitive() -> None:
    text = (
        "# autogenerated by pip-compile\n#    pip-compile requirements.in\n"
        "flask==3.0\n    # via -r requirements.in\njinja2==3.1\n    # via flask\n"
    )
    found, dependencies = read("requirements.txt", text)
    assert {f.name: f.traits.get("lock") for f in dependencies} == {"flask": None, "jinja2": "yes"}
    assert found is not None
    assert found.traits["locks"] == "requirements.in"


# --------------------------------------------------------------------------------------------------- pyproject


def test_pyproject_groups_and_lines() -> None:
    text = """[project]
name = "own"
requires-python = ">=3.9"
dependencies = [
  "numpy==1.26.4",
  "pandas>=2",
  "own[extra]",
]
[project.optional-dependencies]
docs = ["mkdocs==1.6"]
[dependency-groups]
dev = ["pytest", {include-group = "docs"}]
[tool.uv.sources]
pandas = { git = "https://github.com/pandas-dev/pandas", rev = "0123456789" }
"""
    found, dependencies = read("pyproject.toml", text)
    assert [(f.name, f.traits["group"], f.traits["pinned"], f.site.line) for f in dependencies] == [
        ("numpy", "main", "yes", 5), ("pandas", "main", "yes", 6), ("mkdocs", "docs", "yes", 10), ("pytest", "dev", "no", 12),
    ]  # fmt: skip
    assert found is not None
    assert (found.traits["pinned"], found.traits["manager"], "runtime" in found.traits) == (
        "all",
        "uv",
        False,
    )


def test_poetry_versions() -> None:
    text = """[tool.poetry.dependencies]
python = "~3.11"
a = "1.2.3"
b = "^1.2"
c = "*"
d = {version = "==2.0", extras = ["x"]}
e = {git = "https://github.com/a/e", tag = "v1.0"}
f = {git = "https://github.com/a/f", branch = "main"}
g = {path = "../g"}
h = [{version = "1.0", python = "<3.9"}, {version = ">=2", python = ">=3.9"}]
[tool.poetry.group.dev.dependencies]
pytest = "8.0"
"""
    assert pins("pyproject.toml", text) == {
        "a": "yes", "b": "no", "c": "no", "d": "yes", "e": "yes", "f": "no", "h": "no", "pytest": "yes",
    }  # fmt: skip
    traits = manifest("pyproject.toml", text)
    assert (traits["runtime"], traits["manager"], traits["pinned"]) == ("3.11", "poetry", "some")


def test_a_pyproject_of_tool_settings_is_no_manifest() -> None:
    assert read("pyproject.toml", "[tool.black]\nline-length = 100\n") == (None, [])


@pytest.mark.parametrize(
    ("wanted", "runtime"),
    [("==3.11.*", "3.11"), ("~=3.11.0", "3.11"), ("==3.11.4", "3.11.4"), (">=3.11,<3.12", "3.11"), (">=3.11", ""),
     ("~=3.11", ""), ("^3.11", ""), ("~3.11", "3.11"), ("3.11.*", "3.11"), ("3.11", "3.11"), (">=3.9,<3.12", ""), ("", ""),
     ("3", ""), ("*", "")],
)  # fmt: skip
def test_only_a_version_to_the_minor_is_a_runtime(wanted: str, runtime: str) -> None:
    assert packages.minor_version(wanted) == runtime


def test_setup_py_gives_the_literals_of_setup_without_running_it() -> None:
    text = """import sys
from setuptools import setup
raise SystemExit("never run")
REQUIRED = ["numpy==1.0", "pandas"]
setup(
    name="x", python_requires="==3.8.*",
    install_requires=REQUIRED + ["flask==1.0"],
    extras_require={"dev": ["pytest==7.0"]},
)
"""
    assert pins("setup.py", text) == {"numpy": "yes", "pandas": "no", "flask": "yes", "pytest": "yes"}
    assert manifest("setup.py", text)["runtime"] == "3.8"
    assert read("setup.py", "def broken(:\n") == (None, [])


def test_setup_cfg_has_the_line_of_each_requirement() -> None:
    text = "[options]\npython_requires = >=3.8\ninstall_requires =\n    numpy==1.0\n    # why\n    pandas\n[options.extras_require]\ndev = pytest\n"
    _, dependencies = read("setup.cfg", text)
    assert [(f.name, f.site.line, f.traits["group"]) for f in dependencies] == [
        ("numpy", 4, "main"), ("pandas", 6, "main"), ("pytest", 8, "dev"),
    ]  # fmt: skip


def test_a_pipfile_and_its_lock() -> None:
    text = '[packages]\na = "==1.0"\nb = "*"\n[dev-packages]\nc = "*"\n[requires]\npython_version = "3.9"\n'
    assert pins("Pipfile", text) == {"a": "yes", "b": "no", "c": "no"}
    assert (manifest("Pipfile", text)["runtime"], manifest("Pipfile", text)["pinned"]) == ("3.9", "some")
    lock = {
        "_meta": {"requires": {"python_version": "3.9"}},
        "default": {"a": {"version": "==1.0"}},
        "develop": {"c": {}},
    }
    traits = manifest("x/Pipfile.lock", json.dumps(lock, indent=1))
    assert (traits["pinned"], traits["locks"], traits["count"], traits["runtime"]) == (
        "all",
        "x/Pipfile",
        "2",
        "3.9",
    )


# ------------------------------------------------------------------------------------------------ environments


@pytest.mark.parametrize(
    ("entry", "name", "pinned"),
    [("numpy==1.26", "numpy", "yes"), ("numpy=1.26.4", "numpy", "yes"), ("numpy=1.26", "numpy", "no"),
     ("numpy=1.26=py311h_0", "numpy", "yes"), ("numpy=1.26.*", "numpy", "no"), ("numpy>=1.26", "numpy", "no"),
     ("numpy", "numpy", "no"), ("conda-forge::numpy=1.26.4", "numpy", "yes"), ("numpy 1.26.4", "numpy", "yes")],
)  # fmt: skip
def test_conda_specifications(entry: str, name: str, pinned: str) -> None:
    assert pins("environment.yml", f"name: x\ndependencies:\n  - {entry}\n") == {name: pinned}


def test_a_conda_environment_with_pip_below_it() -> None:
    text = "name: x\nchannels: [defaults]\ndependencies:\n- python=3.9\n- pip\n- numpy=1.26.4\n- pip:\n  - -r more.txt\n  - torch==2.0\n"
    found, dependencies = read("ml/conda.yaml", text)
    assert {(f.name, f.traits["pinned"], f.site.line) for f in dependencies} == {
        ("pip", "no", 5), ("numpy", "yes", 6), ("torch", "yes", 9),
    }  # fmt: skip
    assert found is not None
    assert found.traits["runtime"] == "3.9"
    assert found.traits["pinned"] == "all"  # the version of pip itself decides nothing
    assert found.traits["includes"] == ("ml/more.txt",)


@pytest.mark.parametrize(
    "text",
    [
        "dependencies:\n- {name: redis, version: 1}\n",
        "name: x\non: push\n",
        "- a\n",
        "dependencies: {a: 1}\n",
        "name: production\n",
    ],
)
def test_other_yaml_with_such_a_name_is_no_environment(text: str) -> None:
    assert read("environment_setup/dependencies.yml", text) == (None, [])


@pytest.mark.parametrize(
    ("path", "text", "runtime"),
    [(".python-version", "3.11.8\n", "3.11.8"), ("runtime.txt", "python-3.9.7", "3.9.7"), ("runtime.txt", "r-4.1-2021-11-01", "4.1"),
     (".tool-versions", "nodejs 20\npython 3.11.4\n", "3.11.4"), ("mise.toml", '[tools]\npython = "3.12"\n', "3.12"),
     ("python_env.yaml", "python: 3.9.16\nbuild_dependencies: [pip]\ndependencies:\n- -r requirements.txt\n", "3.9.16")],
)  # fmt: skip
def test_files_that_name_a_runtime(path: str, text: str, runtime: str) -> None:
    assert manifest(path, text)["runtime"] == runtime


@pytest.mark.parametrize(
    ("path", "text"),
    [(".python-version", "my-env\n"), (".tool-versions", "nodejs 20.1.0\n"), ("runtime.txt", "hello")],
)
def test_files_that_name_no_runtime_give_nothing(path: str, text: str) -> None:
    assert read(path, text) == (None, [])


# ------------------------------------------------------------------------------------------------------- locks

UV = 'requires-python = "==3.11.*"\n\n[[package]]\nname = "Own"\nversion = "0.1"\nsource = { editable = "." }\n\n[[package]]\nname = "numpy"\nversion = "1.26.4"\nsource = { registry = "x" }\ndependencies = [\n    { name = "no" },\n]\n'
POETRY = '[[package]]\nname = "numpy"\nversion = "1.26.4"\n\n[package.dependencies]\nname = "trap"\n\n[metadata]\npython-versions = "~3.11"\n'
CONDA_LOCK = "version: 1\npackage:\n- name: python\n  version: 3.11.4\n- name: numpy\n  version: 1.26.4\n- name: numpy\n  version: 1.26.4\n"
EXPLICIT = "@EXPLICIT\nhttps://conda.anaconda.org/x/linux-64/python-3.11.4-h_0.conda\nhttps://c.org/x/noarch/numpy-1.26.4-py_0.tar.bz2\n"
RENV = '{"R": {"Version": "4.1.2"}, "Packages": {"numpy": {"Package": "numpy", "Version": "1.26.4"}}}'


@pytest.mark.parametrize(
    ("path", "text", "runtime"),
    [("uv.lock", UV, "3.11"), ("poetry.lock", POETRY, "3.11"), ("pdm.lock", POETRY, "3.11"),
     ("pylock.toml", UV.replace("[[package]]", "[[packages]]"), "3.11"), ("conda-lock.yml", CONDA_LOCK, "3.11.4"),
     ("conda-linux-64.lock", EXPLICIT, "3.11.4"), ("renv.lock", RENV, "4.1.2")],
)  # fmt: skip
def test_a_lock_pins_every_package_and_names_the_runtime(path: str, text: str, runtime: str) -> None:
    found, dependencies = read(path, text)
    assert [(f.name, f.traits["lock"], f.traits["pinned"]) for f in dependencies] == [("numpy", "yes", "yes")]
    assert found is not None
    assert (found.traits["pinned"], found.traits["runtime"]) == ("all", runtime)


def test_a_lock_with_a_merge_conflict_is_a_failure() -> None:
    with pytest.raises(ParseFailure, match="merge conflict"):
        read("uv.lock", UV + "<<<<<<< HEAD\n")


# --------------------------------------------------------------------------------------------- other languages


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("package.json", '{"dependencies": {"a": "1.2.3", "b": "^1.0.0"}, "devDependencies": {"c": "*"}}', {"a": "yes", "b": "no", "c": "no"}),
        ("go.mod", "module x\n\ngo 1.21\n\nrequire (\n\tgithub.com/a/b v1.2.3\n)\n", {"github.com/a/b": "yes"}),
        ("Gemfile", "source 'x'\ngem 'a', '1.2'\ngem 'b'\ngem \"c\", '~> 1'\n", {"a": "yes", "b": "no", "c": "no"}),
        ("Gemfile.lock", "GEM\n  specs:\n    a (1.2)\n      b (~> 1)\n", {"a": "yes"}),
        ("Cargo.toml", '[dependencies]\na = "1.2"\nb = "=1.2.3"\nc = { path = "c" }\n', {"a": "no", "b": "yes"}),
        ("build.gradle", "implementation 'g:a:1.0'\nimplementation(\"g:b\")\ncompile 'g:c:1.+'\n", {"g:a": "yes", "g:b": "no", "g:c": "no"}),
        ("build.sbt", 'val v = "3.0"\nlibraryDependencies += "g" %% "a" % v\n', {"g:a": "yes"}),
        ("pom.xml", "<project><properties><v>1.0</v></properties><dependency><groupId>g</groupId><artifactId>a</artifactId><version>${v}</version></dependency></project>", {"g:a": "yes"}),
        ("DESCRIPTION", "Package: x\nDepends: R (>= 4.0)\nImports:\n    dplyr (>= 1.0),\n    caret\nSuggests: testthat\n", {"dplyr": "no", "caret": "no", "testthat": "no"}),
    ],
)  # fmt: skip
def test_manifests_of_other_languages(path: str, text: str, expected: dict[str, str]) -> None:
    assert pins(path, text) == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [("package-lock.json", '{"lockfileVersion": 3, "packages": {"": {},\n "node_modules/a": {\n "resolved": "x"\n}}}'),
     ("yarn.lock", 'a@^1:\n  version "1.0"\n'), ("pnpm-lock.yaml", "packages:\n  /a@1:\n    resolution: {integrity: x}\n")],
)  # fmt: skip
def test_locks_of_npm_are_counted_without_their_entries(path: str, text: str) -> None:
    found, dependencies = read("web/" + path, text)
    assert dependencies == []
    assert found is not None
    assert (found.traits["count"], found.traits["pinned"], found.traits["locks"]) == (
        "1",
        "all",
        "web/package.json",
    )


PATHS = ["requirements.txt", "pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "Pipfile.lock", "environment.yml", "uv.lock",
         "renv.lock", "conda-lock.yml", "package.json", "go.mod", "pom.xml", "build.gradle", "build.sbt", "Gemfile", "Cargo.toml",
         ".python-version", ".tool-versions", "DESCRIPTION", "yarn.lock"]  # fmt: skip


@given(
    st.one_of(
        st.binary(max_size=120), st.text(max_size=120).map(lambda text: text.encode("utf-8", "replace"))
    )
)
@settings(max_examples=60, deadline=None)
def test_any_bytes_give_facts_or_a_parse_failure(data: bytes) -> None:
    for path in PATHS:
        with contextlib.suppress(ParseFailure):
            read(path, data)


@pytest.mark.parametrize("path", PATHS)
def test_hostile_manifests_are_read_quickly(path: str) -> None:
    for text in ("a" * 200_000, " " * 200_000, "(" * 100_000, "a\\\n" * 50_000, "<a>" * 50_000, '"a" % ' * 30_000, "a==1\n" * 20_000,
                 "a ; " + "(" * 3_000, "- a\n" * 20_000, "<dependency>" * 20_000, "\n" * 200_000, "a" + " " * 100_000 + "b"):  # fmt: skip
        began = time.process_time()
        with contextlib.suppress(ParseFailure):
            read(path, text)
        assert time.process_time() - began < 4, text[:20]


PIECES = ("torch", "a1", "B", "-", ".", "_", "[", "]", "==", ">=", "<=", "~=", ">", "<", ",", "1", "2.0", "rc1", ".post2", " ", "\t", "\n", "*", ";")  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(
        st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
        st.tuples(
            st.sampled_from(("torch", "scikit_learn", "a.b-c", "x-")),
            st.sampled_from(("", " ", "[gpu]", "[ s3 , gs ] ", "[,]")),
            st.sampled_from(("", "==", ">=", "<", "== ", "~=", ">=1,<", ">2 , <= ", "<1,>")),
            st.sampled_from(("", "1", "01.20", "3.0rc1", "2.post1", "1.*", "1.2.*", "1+cpu", "1,")),
        ).map("".join),
    )
)
def test_simple_requirements_are_what_packaging_makes_of_them(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        found = packages.requirement(text)
        patch.setattr(packages, "_SIMPLE", re.compile(r"(?!)"))
        assert packages.requirement(text) == found
