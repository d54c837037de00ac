"""Documents in, headings out: filled or not, with numbers, tables, parents and front matter."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_audit.extract.prose import extract
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import ParseFailure


def headings(text: str, path: str = "MODEL_CARD.md") -> dict[str, Fact]:
    return {fact.name: fact for fact in extract(path, text.encode()) if fact.kind is Kind.HEADING}


def filled(body: str, title: str = "Evaluation") -> bool:
    fact = headings(f"# Card\n\n## {title}\n\n{body}\n\n## Next\n\nOther text.\n")[title]
    return fact.traits["filled"] == "yes"


@pytest.mark.parametrize(
    "body",
    [
        "", "TODO", "TBD.", "WIP", "...", "…", "N/A", "-", "TODO: write about the evaluation", "- TBD\n- TBD",
        "[insert results here]", "[Insert metrics]", "<your text here>", "<YOUR NAME>", "[More Information Needed]",
        "More information needed", "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
        "{{ results | default('[More Information Needed]') }}", "{DESCRIBE THE DATA}", "{LIST AND LINK DATA SOURCES}",
        "{DETAIL EXPECTATIONS and LIMITS}", "<!-- Describe how it was evaluated. -->", "- [ ] evaluate by region",
        "- [ ] one\n- [ ] two", "| Metric | Value |\n|---|---|\n", "| Metric | Value |\n|---|---|\n| F1 | |\n| AUC | TBD |",
        "*Describe how the model was evaluated.*", "_What data was used for evaluation?_", "What metrics are used?",
        "Describe the evaluation data and the metrics.", "> Explain the choice of metrics and thresholds.",
        "We did not evaluate the model.", "We plan to evaluate this.", "Not applicable.", "In progress", "Planned",
        "Coming soon!", "To be added.", "Not yet implemented.", "- **Developed by:** [More Information Needed]",
        "- **Developed by:**\n- **Shared by:**", "This model is meant for {BRIEF DESCRIPTION OF USE}.",
        "The experiments use the following data:\n\n{LIST OF DATA}", "This is a model.\n\n{DETAIL WHAT IS KNOWN OF IT}",
        "```\nTODO\n```", "Name: ______", "[PROJECT NAME]", "***", "[...]",
    ],
)  # fmt: skip
def test_a_section_that_only_holds_its_place_is_not_filled(body: str) -> None:
    assert not filled(body)


@pytest.mark.parametrize(
    "body",
    [
        "The model reaches an F1 of 0.91 on the held-out year.", "Held-out year 2021.", "- accuracy\n- latency",
        "| Metric | Value |\n|---|---|\n| F1 | 0.91 |", "```\nkubectl rollout undo deployment/model\n```",
        "![ROC curve](roc.png)", "- [x] evaluated by region", "- **Developed by:** The forecasting team",
        "See the [report](report.md).", "The formula is $\\frac{a}{b}$ over {x}.", "Run `mlflow run {URI}` to repeat it.",
        "Results follow the paper [SMITH 2019](https://x.org/y), with one fold left out.", "> Measured on real data.",
        "Explain plans with `EXPLAIN`.", "We evaluated it on data of 2021. TODO: add 2022.",
        "Contact the owner. Describe what you saw.", "<p>Measured on <b>2021</b> data.</p>", "1. Stop the service.",
    ],
)  # fmt: skip
def test_a_section_that_says_something_is_filled(body: str) -> None:
    assert filled(body)


def test_what_was_not_done_is_a_limitation_and_nothing_else() -> None:
    sentence = "We did not test the model on patients under 18."
    assert filled(sentence, "Limitations")
    assert not filled(sentence, "Fairness assessment")


def test_a_template_with_some_own_words_between_its_slots_is_not_filled() -> None:
    body = "Made by {AUTHOR NAME} at {PLACE OF WORK}.\n\nThe card describes the released version.\n\n[insert date]"
    assert not filled(body)
    assert filled(body + "\n\n" + "The model was trained on hourly load data of nine regions. " * 12)


def test_a_parent_is_filled_by_what_stands_below_its_children() -> None:
    found = headings("# Card\n## Use\n### Intended\nForecasts of load.\n### Out of scope\nTODO\n")
    assert {name: fact.traits["filled"] for name, fact in found.items()} == {
        "Card": "yes", "Use": "yes", "Intended": "yes", "Out of scope": "no",
    }  # fmt: skip
    assert found["Intended"].traits["parents"] == ("Card", "Use")
    assert found["Intended"].traits["document"] == "Card"
    assert "parents" not in found["Card"].traits


def test_headings_have_lines_levels_words_and_text() -> None:
    found = headings(
        "Title\n=====\n\nIntro *with* [a link](x).\n\n## `code` and **bold** #\n\n- one\n- two words\n"
    )
    assert [(f.name, f.site.line, f.traits["level"], f.traits["words"]) for f in found.values()] == [
        ("Title", 1, "1", "7"), ("code and bold", 6, "2", "3"),
    ]  # fmt: skip
    assert found["Title"].traits["text"] == "Intro with a link.\none\ntwo words"


def test_bold_lines_and_html_titles_are_headings() -> None:
    text = '<h1 align="center">My <b>Card</b></h1>\n\n**Limitations:**\n\nOnly tested at sea.\n\n**Note** this is text.\n'
    found = headings(text)
    assert [(f.name, f.site.line, f.traits["level"]) for f in found.values()] == [
        ("My Card", 1, "1"),
        ("Limitations", 3, "7"),
    ]
    assert found["Limitations"].traits["filled"] == "yes"


def test_code_and_comments_are_no_headings_and_no_words() -> None:
    found = headings("# A\n\n```python\n# B\nx = 0.93\n```\n\n    # C\n\n<!--\n# D\n0.5\n-->\n")
    assert list(found) == ["A"]
    assert (found["A"].traits["words"], "numbers" in found["A"].traits) == ("0", False)


@pytest.mark.parametrize(
    "body",
    [
        "F1 of 0.91",
        "12% of cases",
        "12.5 %",
        "| F1 | 0.91 |\n|---|---|\n| AUC | 0.8 |",
        "(0.75)",
        "RMSE: 3.2",
        "0.91.",
    ],
)
def test_numbers_that_measure_are_seen(body: str) -> None:
    assert headings(f"# Results\n\n{body}\n")["Results"].traits.get("numbers") == "yes"


@pytest.mark.parametrize(
    ("body", "scores"),
    [
        ("The forest reaches an accuracy of 0.91.", True),
        ("A custom network (91% test accuracy).", True),
        ("검증 정확도는 93.5% 입니다.", True),
        ("Die Genauigkeit beträgt 0,93.", True),
        ("| Model | RMSE |\n|---|---|\n| forest | 61.2 |", True),
        ("| Metric | Value |\n|---|---|\n| AUC | 0.81 ± 0.02 |", True),
        ("Answers take 20.5 ms at 95% load.", False),
        ("The accuracy is monitored. Disks are 80% full.", False),
        ("| Model | Seconds |\n|---|---|\n| forest | 61.2 |", False),
    ],
)
def test_a_score_is_a_number_beside_a_measure_of_quality(body: str, scores: bool) -> None:
    assert ("scores" in headings(f"# Results\n\n{body}\n")["Results"].traits) is scores


@pytest.mark.parametrize(
    "body",
    ["Python 3.8", "v1.2.3", "needs torch>=1.9", "version 2.0", "CUDA 11.8", "Apache License 2.0", "in 2021", "1.2.3", "step 4.1",
     "`0.5`.".replace("0.5", "x==0.5"), "10.0.0.1", "Ubuntu 22.04", "CC BY 4.0"],
)  # fmt: skip
def test_versions_are_no_numbers(body: str) -> None:
    assert "numbers" not in headings(f"# Results\n\n{body}\n")["Results"].traits


def test_a_filled_table_is_told_from_an_empty_one() -> None:
    head = "# Risks\n\n| Risk | Mitigation |\n|---|---|\n"
    assert headings(head + "| drift | weekly report |\n")["Risks"].traits.get("table") == "yes"
    assert "table" not in headings(head + "| drift | |\n")["Risks"].traits


def test_blocks_of_code_are_a_trait_of_the_headings_above_them() -> None:
    found = headings(
        "# Operations\n\n## Undo\n\nFirst:\n\n```bash\nhelm rollback scorer\n```\n\n## Other\n\nNothing.\n"
    )
    assert found["Undo"].traits["code"] == found["Operations"].traits["code"] == "helm rollback scorer\n\n"
    assert "code" not in found["Other"].traits


def test_front_matter_gives_settings_and_no_heading() -> None:
    text = "---\nlicense: mit\nmodel-index:\n- name: x\n  results:\n  - metrics:\n    - value: 0.9\n---\n# Card\nWords.\n"
    facts = list(extract("README.md", text.encode()))
    settings_found = [(f.name, f.traits["value"], f.site.line) for f in facts if f.kind is Kind.SETTING]
    assert settings_found == [
        ("front_matter.license", "mit", 2), ("front_matter.model-index.name", "x", 4),
        ("front_matter.model-index.results.metrics.value", "0.9", 7),
    ]  # fmt: skip
    assert [(f.name, f.site.line) for f in facts if f.kind is Kind.HEADING] == [("Card", 9)]


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    assert list(headings("---\n\n# A\n\ntext\n")) == ["A"]


def test_a_document_without_headings_is_one_heading_of_its_name() -> None:
    found = headings("Call the owner when the service is down.\n", "docs/RUNBOOK.md")
    assert [(f.name, f.traits["level"], f.traits["filled"]) for f in found.values()] == [
        ("RUNBOOK", "0", "yes")
    ]
    assert headings("") == {}


def test_restructured_text_is_read() -> None:
    text = """=====
Title
=====

Intro.

Usage
-----

.. note:: Read this.

.. code-block:: bash

    Fake
    ====

- item one

Data
~~~~

TODO

Risks
-----

.. comment only
"""
    found = headings(text, "docs/model.rst")
    assert [(f.name, f.site.line, f.traits["level"], f.traits["filled"]) for f in found.values()] == [
        ("Title", 2, "1", "yes"), ("Usage", 7, "2", "yes"), ("Data", 19, "3", "no"), ("Risks", 24, "2", "no"),
    ]  # fmt: skip


def test_asciidoc_is_read() -> None:
    found = headings("= Title\n\nIntro.\n\n== Use\n\n----\n== no\n----\n\n== Risks\n// nothing\n", "a.adoc")
    assert [(f.name, f.traits["level"], f.traits["filled"]) for f in found.values()] == [
        ("Title", "1", "yes"), ("Use", "2", "yes"), ("Risks", "2", "no"),
    ]  # fmt: skip


def test_carriage_returns_marks_and_utf_16_do_not_matter() -> None:
    text = "# A\r\n\r\n## B\r\n\r\nWords.\r\n"
    for data in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        found = [(f.name, f.site.line) for f in extract("a.md", data) if f.kind is Kind.HEADING]
        assert found == [("A", 1), ("B", 3)]


def test_sentences_tell_whether_they_deny_plan_or_ask() -> None:
    text = (
        "# Service\n\nWe roll out by canary. We do not monitor drift.\n\n- [ ] check for drift\n- models are signed\n\n"
        "## Next steps\n\nShadow deployment.\n\n```\ncanary in code\n```\n"
    )
    found = [f for f in extract("README.md", text.encode()) if f.kind is Kind.SENTENCE]
    assert [(f.name, f.site.line, "negated" in f.traits) for f in found] == [
        ("Service", 1, False),
        ("We roll out by canary.", 3, False),
        ("We do not monitor drift.", 3, True),
        ("[ ] check for drift", 5, True),
        ("models are signed", 6, False),
        ("Next steps", 8, True),
        ("Shadow deployment.", 10, True),
    ]


def test_what_only_has_the_name_of_a_document_gives_nothing() -> None:
    assert list(extract("README.png", b"# A")) == []
    assert list(extract("README", b"\x00\x01\x02")) == []


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "> " * 20_000, "- " * 20_000, "*a " * 30_000, "`" * 50_000, "<" * 50_000, "![a](" * 20_000, "|a" * 20_000,
     "| a | b |\n|---|---|\n" + "| x | y |\n" * 5_000, "# h\n" * 20_000, "a\n" * 50_000, "<!--" * 30_000, "{" * 50_000,
     "1.1" * 30_000, "[a]: x\n" * 10_000, "    " * 30_000, "<script" * 20_000, "**a" * 30_000, "a " * 100_000, "_" * 60_000],
    ids=range(20),
)  # fmt: skip
@pytest.mark.parametrize("path", ["a.md", "a.rst", "a.adoc"])
def test_hostile_documents_are_read_quickly(path: str, text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(ParseFailure):
        list(extract(path, text.encode()))
    assert time.process_time() - began < 5


@given(st.one_of(st.binary(max_size=150), st.text(max_size=150).map(lambda t: t.encode("utf-8", "replace"))))
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_facts_or_a_parse_failure(data: bytes) -> None:
    for path in ("a.md", "a.rst", "a.adoc"):
        with contextlib.suppress(ParseFailure):
            for fact in extract(path, b"---\n" + data):
                assert fact.site.line >= 1


def test_items_that_are_still_to_be_written_neither_fill_a_section_nor_say_what_they_name() -> None:
    steps = "1. **Triage:** TODO(ops): who takes it? Confirm first.\n2. **Repair:** TODO roll back the model\n3. **After:** Write it down.\n"
    found = headings(f"# Runbook\n## Steps\n{steps}")
    assert found["Steps"].traits["filled"] == "no"
    assert "roll back" not in found["Steps"].traits["text"]
    assert (
        headings(
            "# Runbook\n## Steps\n- TODO: more\n" + "- Roll back to the last model and tell the shops.\n" * 4
        )["Steps"].traits["filled"]
        == "yes"
    )
