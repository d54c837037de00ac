"""Monorepos: two half-done projects do not add up; what stands at the root belongs to each."""

from __future__ import annotations

from mlops_audit.facts import Fact, Facts, Kind, Site
from mlops_audit.projects import only, split


def tree(*paths: str) -> Facts:
    facts = [Fact(Kind.FILE, path, Site(path)) for path in paths]
    manifests = [path for path in paths if path.endswith("requirements.txt")]
    return Facts([*facts, *(Fact(Kind.MANIFEST, p, Site(p), {"form": "requirements"}) for p in manifests)])


def named(facts: Facts) -> list[str]:
    return [fact.name for fact in facts.of(Kind.FILE)]


def test_folders_with_manifest_and_training_code_are_projects_and_share_the_root() -> None:
    facts = tree(
        "ci.yml",
        "week1/requirements.txt",
        "week1/train.py",
        "week2/requirements.txt",
        "week2/train.py",
        "lib/x.py",
    )
    projects = split(facts, ["week1/train.py", "week2/train.py"])
    assert [p.folder for p in projects] == ["week1", "week2"]
    assert named(projects[0].facts) == ["ci.yml", "lib/x.py", "week1/requirements.txt", "week1/train.py"]


def test_one_training_folder_beside_a_service_is_one_project() -> None:
    facts = tree("training/requirements.txt", "training/train.py", "api/requirements.txt", "api/main.py")
    assert [p.folder for p in split(facts, ["training/train.py"])] == [""]


def test_a_manifest_inside_a_project_makes_no_second_one() -> None:
    facts = tree("a/requirements.txt", "a/train.py", "a/b/requirements.txt", "a/b/train.py", "c/train.py")
    assert [p.folder for p in split(facts, ["a/train.py", "a/b/train.py", "c/train.py"])] == [""]


def test_training_code_outside_the_projects_is_a_project_of_the_root() -> None:
    facts = tree("train.py", "a/requirements.txt", "a/train.py", "b/requirements.txt", "b/train.py")
    projects = split(facts, ["train.py", "a/train.py", "b/train.py"])
    assert [p.folder for p in projects] == ["", "a", "b"]
    assert named(projects[0].facts) == ["train.py"]


def test_one_project_can_be_picked() -> None:
    facts = tree("ci.yml", "a/requirements.txt", "a/train.py", "b/requirements.txt", "b/train.py")
    assert named(only(facts, "b", ["a"])) == ["b/requirements.txt", "b/train.py", "ci.yml"]
