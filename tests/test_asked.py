"""What nothing asks for is left out of a file's facts, and nothing that is judged changes by that."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_audit import asked as asking
from mlops_audit.asked import EVERYTHING, Asked, sieve_of
from mlops_audit.audit import findings
from mlops_audit.examination import examine
from mlops_audit.facts import Fact, Facts, Kind, Site, Zone
from mlops_audit.judge import Finding
from mlops_audit.literals import finder, plain_finder
from mlops_audit.reach import Reach
from mlops_audit.rule_packs import rule_pack
from mlops_audit.rules import Pack, Signal
from mlops_audit.tree import File, Tree

PLACES = sorted(Path(__file__).parent.parent.glob("fixtures/*/repo")) or sorted(
    place.parent for place in Path(__file__).parent.parent.glob("fixtures/*/expected.yaml")
)


def plainly(found: list[Finding]) -> list[object]:
    return [
        (
            f.aspect.id,
            f.verdict,
            f.lacks,
            [(e.signal, e.fact.name, e.fact.site, e.fact.reached) for e in f.evidence],
        )
        for f in found
    ]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_the_same_is_found_with_and_without_what_nothing_asks_for(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = rule_pack()
    monkeypatch.setattr(asking, "ENOUGH", 0)
    with Tree.open(place) as tree:
        whole, problems, kinds = examine(tree, pack, whole=True)
        some, same_problems, same_kinds = examine(tree, pack)
    assert plainly(findings(some, same_kinds, pack)) == plainly(findings(whole, kinds, pack))
    assert same_problems == problems
    assert list(same_kinds) == list(kinds)
    assert len(some) < len(whole)


def stated(kind: Kind, name: str, line: int = 1, **traits: str) -> Fact:
    return Fact(kind, name, Site("src/a.py", line), traits)


SOURCE = File("src/a.py", Zone.SOURCE, bytes)
FILE = Fact(Kind.FILE, "src/a.py", Site("src/a.py"))


def test_calls_that_nothing_asks_for_are_told_in_sum() -> None:
    facts = [
        FILE,
        *(stated(Kind.CALL, f"plot.draw_{n}", n) for n in range(3)),
        stated(Kind.CALL, "mlflow.log_metric", 9),
    ]
    kept = Asked(rule_pack())(SOURCE, b"", facts)
    assert [fact.name for fact in kept] == ["src/a.py", "mlflow.log_metric"]
    assert kept[0].traits["left"] == "plot.draw_0\nplot.draw_1\nplot.draw_2"
    assert Facts(kept).trait(kept[1], "calls") == (
        "mlflow.log_metric",
        "plot.draw_0",
        "plot.draw_1",
        "plot.draw_2",
    )


def test_where_a_comment_takes_places_out_of_the_judgement_all_facts_stay() -> None:
    facts = [FILE, *(stated(Kind.CALL, f"plot.draw_{n}", n) for n in range(3))]
    kept = Asked(rule_pack())(SOURCE, b"# mlops-audit: ignore[data/privacy] no person\n", facts)
    assert kept[1:] == facts[1:]
    assert "left" not in kept[0].traits


def test_texts_are_asked_whatever_finds_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "mlflow.log_metric",
        "torch.nn.Linear",
        "evidently.Report",
        "print",
        "sklearn.svm.SVC.fit",
        "wandb.init.log",
    ]
    facts = [FILE, *(stated(Kind.CALL, name, n) for n, name in enumerate(names))]
    fast = Asked(rule_pack())(SOURCE, b"", facts)
    monkeypatch.setattr(asking, "finder", plain_finder)
    assert Asked(rule_pack())(SOURCE, b"", facts) == fast


@given(
    st.lists(st.text("ab.", min_size=1, max_size=4), min_size=1, max_size=6, unique=True),
    st.text("ab.\0", max_size=30),
)
def test_both_ways_of_finding_words_find_the_same(words: list[str], text: str) -> None:
    assert sorted(finder(words)(text)) == sorted(plain_finder(words)(text))


def test_a_pack_with_other_questions_has_another_digest() -> None:
    pack = rule_pack()
    assert Asked(pack).digest == Asked(pack).digest
    assert Asked(pack).digest != Asked(type(pack)(pack.rules[1:], pack.kinds)).digest


def test_few_files_are_not_asked_what_can_be_asked_of_them() -> None:
    pack = rule_pack()
    assert sieve_of(pack, asking.ENOUGH - 1) is EVERYTHING
    assert sieve_of(pack, asking.ENOUGH) is sieve_of(pack) is not EVERYTHING
    facts = [FILE, *(stated(Kind.CALL, f"plot.draw_{n}", n) for n in range(3))]
    assert EVERYTHING(SOURCE, b"", facts)[1:] == facts[1:]


def test_what_is_asked_of_other_files_is_left_out() -> None:
    rule = rule_pack().rules[0]
    signal = Signal("s", Kind.CALL, ("load",), {"file": ("*train*",)}, frozenset({Zone.SOURCE}))
    asked = Asked(Pack((rule._replace(signals={"s": signal}, claims=()),), ()))
    facts = [FILE, stated(Kind.CALL, "load", 2)]
    template = File("{{name}}/train.py", Zone.SOURCE, bytes, placed="src/a.py")
    assert [fact.name for fact in asked(SOURCE, b"", facts)] == ["src/a.py"]
    assert [fact.name for fact in asked(template, b"", facts)] == ["src/a.py", "load"]


def test_what_is_asked_of_the_sources_alone_is_left_out_of_a_test() -> None:
    pack = rule_pack()
    facts = [FILE, stated(Kind.CALL, "mlflow.register_model", 2)]
    in_a_test = [Fact(f.kind, f.name, f.site, f.traits, Zone.TEST) for f in facts]
    assert [f.name for f in Asked(pack)(SOURCE, b"", facts)] == ["src/a.py", "mlflow.register_model"]
    assert [f.name for f in Asked(pack)(SOURCE, b"", in_a_test)] == ["src/a.py"]


def test_what_reach_adds_to_a_fact_is_never_asked_of_its_file_alone() -> None:
    workflow, job = ".github/workflows/ci.yml", ".github/workflows/ci.yml#smoke-tests"
    in_job = {"unit": job, "system": "github"}
    facts = [
        Fact(Kind.FILE, "train.py", Site("train.py")),
        Fact(Kind.JOB, "smoke-tests", Site(workflow, 1), {**in_job, "triggers": ("push",)}),
        *(
            Fact(Kind.COMMAND, name, Site(workflow, line), in_job)
            for line, name in enumerate(("kind create cluster", "kubectl apply -f app.yaml"), start=2)
        ),
        Fact(Kind.COMMAND, "python train.py --epochs 1", Site(workflow, 4), in_job),
    ]
    lent = Reach(facts).lend(facts)
    added = {
        trait
        for before, after in zip(facts, lent, strict=True)
        for trait in after.traits.keys() - before.traits.keys()
    }
    assert {"trial", "sandbox"} <= added <= asking.LATER
