"""Globs, traits and the index of facts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_audit.facts import CASELESS, Fact, Facts, Kind, Names, Site, globs, holds, matcher


def regular_expression(pattern: str) -> re.Pattern[str]:
    """The oracle: the same glob as a regular expression."""
    head = ""
    if pattern.startswith("**/"):
        head, pattern = "(?:.*/)?", pattern[3:]
    body = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile(head + body, re.DOTALL)


@given(st.text("ab/.*?", max_size=8), st.text("ab/.", max_size=10))
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
    ],
)
def test_a_text_matches(pattern: str, text: str) -> None:
    assert matcher((pattern,))(text)


@pytest.mark.parametrize(
    ("pattern", "text"), [("a*a", "a"), ("*.fit", "outfit"), ("?.fit", ".fit"), ("log_*", "blog_x")]
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


GLOBS = st.lists(st.from_regex(r"!?(\*\*/)?[abA?*\x00]{0,5}", fullmatch=True), max_size=4).map(tuple)
TEXTS = st.lists(st.text("abA/\0", max_size=5), min_size=20, max_size=60)


@given(TEXTS, TEXTS, st.lists(GLOBS, max_size=4), st.sampled_from([Kind.CALL, Kind.FILE]))
def test_all_names_at_once_answer_as_each_by_itself(
    first: list[str], then: list[str], questions: list[tuple[str, ...]], kind: Kind
) -> None:
    names = Names()
    for learned, so_far in ((first, first), (then, first + then)):
        names.learn(kind, dict.fromkeys(learned))
        for patterns in questions:
            expected = set(filter(globs(patterns, kind in CASELESS), so_far))
            assert names.answering(kind, patterns) == expected
