"""Globs, traits and the index of facts."""

from __future__ import annotations

import re

import pytest
from effort import steps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_audit.facts import CASELESS, EVERYWHERE, LENT, Fact, Facts, Kind, Reached, Site, Zone
from mlops_audit.globs import globs, holds, matcher
from mlops_audit.names import MUCH, Names

EDGE = "(?:(?<![a-zA-Z])|(?![a-zA-Z])|(?<=[a-z])(?=[A-Z]))"  # not between two letters, save in camelCase


def regular_expression(pattern: str) -> re.Pattern[str]:
    """The oracle: the same glob as a regular expression."""
    head = ""
    if pattern.startswith("**/"):
        head, pattern = "(?:.*/)?", pattern[3:]
    body = "".join({"*": ".*", "?": ".", "&": EDGE}.get(c, re.escape(c)) for c in pattern)
    return re.compile(head + body, re.DOTALL)


@given(st.text("aB/.*?&", max_size=8), st.text("abB/.", max_size=10))
def test_a_glob_matches_what_the_regular_expression_matches(pattern: str, text: str) -> None:
    assert matcher((pattern,))(text) == bool(regular_expression(pattern).fullmatch(text))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("mlflow.*.log_model", "mlflow.sklearn.log_model"),
        ("*.fit", "self.model.fit"),
        ("**/Dockerfile", "Dockerfile"),
        ("**/Dockerfile", "a/b/Dockerfile"),
        ("*model?card*", "docs/MODEL-CARD.md".lower()),
        ("a*a", "aa"),
        ("*", ""),
        ("*&mae&*<*", "best_mae < mae_limit"),
        ("*&Call", "onCall"),
        ("&on_call&*", "on_call2.names"),
    ],
)
def test_a_text_matches(pattern: str, text: str) -> None:
    assert matcher((pattern,))(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a*a", "a"),
        ("*.fit", "outfit"),
        ("?.fit", ".fit"),
        ("log_*", "blog_x"),
        ("*&mae&*<*", "maes_width < 4"),
        ("*&on_call&*", "preemption_callback"),
    ],
)
def test_a_text_does_not_match(pattern: str, text: str) -> None:
    assert not matcher((pattern,))(text)


def test_a_hostile_glob_and_text_are_matched_in_no_time() -> None:
    assert not matcher(("*a" * 50 + "b",))("a" * 20_000)


def test_exclamation_marks_take_away() -> None:
    wanted = globs(("*.fit", "!*scaler.fit"))
    assert wanted("model.fit")
    assert not wanted("scaler.fit")
    assert globs(("!x",))("y")


@pytest.mark.parametrize(
    ("found", "patterns", "expected"),
    [
        (("schedule", "push"), ("*schedule*",), True),
        (("push",), ("*schedule*",), False),
        ((), ("*",), False),
        ((), ("!*",), True),
        (("yes",), ("!*",), False),
        (("a", "b"), ("a", "!b"), False),
        (("a", "c"), ("a", "!b"), True),
        (("YES",), ("yes",), True),
    ],
)
def test_a_trait_holds_when_a_value_matches_and_none_is_excluded(
    found: tuple[str, ...], patterns: tuple[str, ...], expected: bool
) -> None:
    assert holds(found, patterns) is expected


def test_a_fact_answers_to_the_imports_and_calls_of_its_file() -> None:
    call = Fact(Kind.CALL, "model.fit", Site("a.py", 2))
    facts = Facts(
        [call, Fact(Kind.IMPORT, "sklearn.svm", Site("a.py", 1)), Fact(Kind.IMPORT, "torch", Site("b.py", 1))]
    )
    assert facts.trait(call, "imports") == ("sklearn.svm",)
    assert facts.trait(call, "calls") == ("model.fit",)
    assert facts.trait(call, "file") == ("a.py",)
    assert facts.trait(call, "absent") == ()


GLOBS = st.lists(st.from_regex(r"!?(\*\*/)?[abA?*&\x00]{0,5}", fullmatch=True), max_size=4).map(tuple)
TEXTS = st.lists(st.text("abA/&\0", max_size=5), min_size=20, max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, TEXTS, st.lists(GLOBS, max_size=4), st.sampled_from([Kind.CALL, Kind.FILE]))
def test_all_names_at_once_answer_as_each_by_itself(
    first: list[str], then: list[str], questions: list[tuple[str, ...]], kind: Kind
) -> None:
    names = Names()
    for learned, so_far in ((first, first), (then, first + then)):
        names.learn(kind, dict.fromkeys(learned), kind in CASELESS)
        for patterns in questions:
            expected = set(filter(globs(patterns, kind in CASELESS), so_far))
            assert names.answering(kind, patterns) == expected


@settings(deadline=None, max_examples=50)
@given(st.lists(GLOBS, min_size=1, max_size=6))
def test_names_that_are_long_together_answer_as_each_by_itself(questions: list[tuple[str, ...]]) -> None:
    texts = [f"{letter}{number}/{'bA' * (number % 12)}" for letter in "abA?" for number in range(600)]
    assert len("".join(texts)) > MUCH
    names = Names()
    names.learn("any", texts, True)
    for patterns in questions:
        assert names.answering("any", patterns) == set(filter(globs(patterns, True), texts))


NAMES = st.sampled_from(["model.fit", "model.predict", "pandas.read_csv", "x"])
TRAITS = st.dictionaries(st.sampled_from(["1", "loop", "triggers", "masked"]), st.sampled_from(["yes", "a"]))
REACHED = st.builds(
    Reached,
    systems=st.frozensets(st.sampled_from(["make", "github"])),
    triggers=st.frozensets(st.sampled_from(["push", "schedule"])),
    masked=st.booleans(),
    heeded=st.frozensets(st.sampled_from(["push", "schedule"])),
)
SITES = st.builds(Site, st.sampled_from(["a.py", "b.py", "c.ipynb"]), st.integers(0, 5))
SOME_FACTS = st.lists(
    st.builds(
        Fact,
        st.sampled_from([Kind.CALL, Kind.IMPORT, Kind.FILE]),
        NAMES,
        SITES,
        TRAITS,
        st.sampled_from(Zone),
        REACHED,
    ),
    max_size=60,
)
ANY_GLOBS = st.lists(
    st.sampled_from(["*", "!*", "yes", "!yes", "*a*", "push", "!push", "model.*", "!model.*", "*.py"]),
    min_size=1,
    max_size=3,
).map(tuple)
WHERE = st.dictionaries(st.sampled_from(["1", "loop", "absent", *LENT]), ANY_GLOBS, max_size=3)


@given(
    SOME_FACTS, st.lists(st.tuples(ANY_GLOBS, WHERE, st.sampled_from([EVERYWHERE, frozenset({Zone.SOURCE})])))
)
def test_facts_answer_as_each_by_itself(
    stated: list[Fact], questions: list[tuple[tuple[str, ...], dict[str, tuple[str, ...]], frozenset[Zone]]]
) -> None:
    facts = Facts(stated, {"a.py": "trains"}, {"b.py": ("a.py",)})
    for patterns, where, zones in questions:
        expected = [
            fact
            for fact in facts
            if fact.kind is Kind.CALL
            and fact.zone in zones
            and globs(patterns)(fact.name)
            and all(holds(facts.trait(fact, trait), asked) for trait, asked in where.items())
        ]
        assert facts.answering(Kind.CALL, patterns, where, zones) == expected


QUESTIONS: tuple[tuple[tuple[str, ...], dict[str, tuple[str, ...]]], ...] = (
    (("*.fit", "mlflow.*", "*track*", "xgboost.train", "a*b*c"), {}),
    (("*",), {"rare=": ("yes",)}),
    (("*.log_model", "!x"), {"imports": ("mlflow*",), "file": ("!*test*",)}),
)


def test_facts_that_answer_nothing_cost_a_question_nothing() -> None:
    """No time is taken: of ten times as many facts no more functions are called."""
    zones = frozenset({Zone.SOURCE})

    def asked(number: int) -> int:
        facts = Facts(
            [Fact(Kind.CALL, f"thing{n}.does{n}", Site(f"{n}.py", 1), {"1": "x"}) for n in range(number)]
        )
        facts.answering(Kind.CALL, ("first",), {"1": ("y",)}, zones)  # the index is made for all questions
        facts.answering(Kind.CALL, ("first",), {}, zones)
        return steps(lambda: [facts.answering(Kind.CALL, names, where, zones) for names, where in QUESTIONS])

    assert asked(3000) < asked(300) * 1.2 + 20
