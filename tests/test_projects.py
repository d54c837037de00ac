"""Monorepos: two half-done projects do not add up; what stands at the root belongs to each."""

from __future__ import annotations

from effort import steps
from hypothesis import given
from hypothesis import strategies as st
from made_findings import CATALOGUE, rule_of

from mlops_audit.facts import EVERYWHERE, Fact, Facts, Kind, Site
from mlops_audit.judge import best, judge, judge_projects
from mlops_audit.projects import Projects, part, split
from mlops_audit.rules import Clause, Rule, Signal


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
    assert projects.folders == ("week1", "week2")
    assert named(part(facts, projects, "week1")) == [
        "ci.yml",
        "lib/x.py",
        "week1/requirements.txt",
        "week1/train.py",
    ]


def test_one_training_folder_beside_a_service_is_one_project() -> None:
    facts = tree("training/requirements.txt", "training/train.py", "api/requirements.txt", "api/main.py")
    assert split(facts, ["training/train.py"]) == Projects()


def test_a_manifest_inside_a_project_makes_no_second_one() -> None:
    facts = tree("a/requirements.txt", "a/train.py", "a/b/requirements.txt", "a/b/train.py", "c/train.py")
    assert split(facts, ["a/train.py", "a/b/train.py", "c/train.py"]) == Projects()


def test_training_code_outside_the_projects_is_a_project_of_the_root() -> None:
    facts = tree("train.py", "a/requirements.txt", "a/train.py", "b/requirements.txt", "b/train.py")
    projects = split(facts, ["train.py", "a/train.py", "b/train.py"])
    assert projects.folders == ("", "a", "b")
    assert named(part(facts, projects, "")) == ["train.py"]


def test_one_project_can_be_picked() -> None:
    facts = tree("ci.yml", "a/requirements.txt", "a/train.py", "b/requirements.txt", "b/train.py")
    projects = split(facts, ["a/train.py", "b/train.py"])
    assert named(part(facts, projects, "b")) == ["b/requirements.txt", "b/train.py", "ci.yml"]


ASPECT = CATALOGUE.aspects[0]._replace(applies_to=())
SIGNALS = {name: Signal(name, Kind.CALL, (f"{name}.*",), {}, EVERYWHERE) for name in ("a", "b", "c", "d")}
NAMES = st.lists(st.sampled_from(list(SIGNALS)), max_size=2, unique=True).map(tuple)
CLAUSES = st.lists(
    st.builds(Clause, NAMES, NAMES, NAMES, st.integers(1, 2), st.sampled_from(["", "file", "place"])),
    max_size=2,
).map(tuple)
CALLS = st.lists(
    st.builds(
        Fact,
        st.just(Kind.CALL),
        st.sampled_from([f"{name}.{n}" for name in SIGNALS for n in range(2)]),
        st.builds(Site, st.sampled_from(["x.py", "p/x.py", "p/y.py", "q/x.py", "r/x.py"]), st.integers(1, 3)),
        st.sampled_from([{}, {"dead": "yes"}]),
    ),
    max_size=12,
)


def asking(passes: tuple[Clause, ...], partial: tuple[Clause, ...] = (), na: tuple[Clause, ...] = ()) -> Rule:
    return rule_of(ASPECT.id)._replace(signals=SIGNALS, passes=passes, partial=partial, na=na)


@given(CALLS, CLAUSES, CLAUSES, CLAUSES, st.booleans())
def test_projects_are_judged_together_as_each_by_itself(
    calls: list[Fact],
    passes: tuple[Clause, ...],
    partial: tuple[Clause, ...],
    na: tuple[Clause, ...],
    root: bool,
) -> None:
    facts = Facts(calls)
    home = {fact.site.path: fact.site.path[0] for fact in calls if "/" in fact.site.path}
    projects = Projects(("", "p", "q", "r", "s") if root else ("p", "q", "r", "s"), home or {"p/z.py": "p"})
    rule = asking(passes, partial, na)
    each = best(
        judge(ASPECT, rule, part(facts, projects, folder), frozenset(), folder) for folder in projects.folders
    )
    assert judge_projects(ASPECT, rule, facts, frozenset(), projects.folders, projects.home) == each


def test_projects_that_answer_nothing_of_their_own_cost_nothing() -> None:
    """No time is taken: with ten times as many projects no more functions are called."""
    rule = asking((Clause(("a",), ("b", "c"), ("d",)),), (Clause(any=("a", "b")),))

    def judged(number: int) -> int:
        calls = [Fact(Kind.CALL, f"x{n}.y", Site(f"p{n}/train.py", 1)) for n in range(number)]
        facts = Facts([*calls, Fact(Kind.CALL, "a.fit", Site("p7/train.py", 2))])
        home = {f"p{n}/train.py": f"p{n}" for n in range(number)}
        found = []
        judge(ASPECT, rule, facts, frozenset())  # the index is made for all questions
        told = (ASPECT, rule, facts, frozenset[str](), tuple(home.values()), home)
        count = steps(lambda: found.append(judge_projects(*told)))
        assert found[0].project == "p7"
        return count

    assert judged(1000) < judged(100) * 1.2 + 20
