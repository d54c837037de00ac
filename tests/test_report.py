"""The report in each format: the same data, harmless text, the same bytes each time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from made_findings import CATALOGUE, evidence, findings, rule_of
from markdown_it import MarkdownIt

from mlops_audit import safe
from mlops_audit.catalogue import data_folder
from mlops_audit.facts import Link, Problem, Site
from mlops_audit.formats.json_text import json_text
from mlops_audit.formats.location import locate
from mlops_audit.judge import Evidence, Finding
from mlops_audit.report import FORMATS, Report, document_of, render, report_of
from mlops_audit.tree import Tree

HOSTILE = "a|b`c`<img src=x>\x1b[31m\u202e@team #12 [x](http://e.org) *b* </details>\n::error::"
CHAIN = (
    Link(Site(".github/workflows/ci.yml", 31), "make train"),
    Link(Site("Makefile", 4), "python src/train.py"),
)


def made(
    verdicts: dict[str, str] | None = None,
    found: dict[str, tuple[Evidence, ...]] | None = None,
    lacks: dict[str, tuple[str, ...]] | None = None,
    tree: Tree | None = None,
    project: str = "shop",
    **more: Any,
) -> Report:
    tree = tree or Tree.of({"src/train.py": "import x\nx.fit()\n", "README.md": "# Shop\n"})
    kinds = {"trains": (evidence("fits", "src/train.py", 2),)}
    all_findings: list[Finding] = findings(verdicts or {}, found=found, lacks=lacks)
    more = {"problems": [Problem(Site("bad.py", 3), "no valid Python")], **more}
    return report_of(
        all_findings, CATALOGUE, project=project, kinds=kinds, files=len(tree.files),
        locations=locate(all_findings, kinds, tree), **more,
    )  # fmt: skip


MIXED = {
    "data/versioning": "partial", "data/validation": "pass", "data/rag-index": "na", "monitor": "na",
    "model/training-pipeline": "pass", "model/environment": "partial", "data/lineage": "pass",
    "model/prompt-management": "na", "govern/dpia": "na",
}  # fmt: skip
FOUND = {
    "data/versioning": (evidence("keeps data as plain files", "data/a.csv", 0),),
    "data/validation": (
        evidence("checks a schema", "src/train.py", 2, chain=CHAIN),
        evidence("checks", "nb.ipynb", 4, cell=7),
    ),
}
LACKS = {"data/versioning": ("tracks data with DVC", "pins a hub data set")}


def schema() -> Draft202012Validator:
    loaded = json.loads((data_folder("reports") / "report.schema.json").read_text())
    Draft202012Validator.check_schema(loaded)
    return Draft202012Validator(loaded)


@pytest.mark.parametrize("verdicts", [{}, MIXED, dict.fromkeys([p.id for p in CATALOGUE.pillars], "pass"),
                                      dict.fromkeys([p.id for p in CATALOGUE.pillars], "na")])  # fmt: skip
def test_every_json_report_is_of_the_published_shape(verdicts: dict[str, str]) -> None:
    report = json.loads(render(made(verdicts, FOUND, LACKS, disabled={"govern/dpia": "not ours"}), "json"))
    assert [f"{e.json_path}: {e.message}" for e in schema().iter_errors(report)] == []


def test_the_published_shape_is_strict() -> None:
    report = json.loads(render(made(), "json"))
    report["pillars"][0]["aspects"][0]["verdict"] = "fine"
    report["more"] = 1
    assert len(list(schema().iter_errors(report))) == 2


def test_json_says_for_each_aspect_what_was_found_and_where() -> None:
    document = document_of(made(MIXED, FOUND, LACKS))
    versioning, validation = document["pillars"][0]["aspects"][:2]
    assert (versioning["verdict"], versioning["severity"], versioning["lacks"]) == (
        "partial",
        "major",
        list(LACKS["data/versioning"]),
    )
    piece = validation["evidence"][0]
    assert (piece["path"], piece["line"], piece["strength"], piece["signal"]) == (
        "src/train.py",
        2,
        "triggered",
        "checks a schema",
    )
    assert [(link["path"], link["line"], link["runs"]) for link in piece["chain"]] == [
        (".github/workflows/ci.yml", 31, "make train"), ("Makefile", 4, "python src/train.py"),
    ]  # fmt: skip
    assert (validation["evidence"][1]["cell"], validation["severity"], validation["location"]) == (
        7,
        None,
        None,
    )
    assert document["maturity"]["level"] == 1
    assert document["maturity"]["next"]["blocked_by"][0] == "deploy/serving"
    assert document["pillars"][3]["score"] is None
    assert [p["reason"] for p in document["problems"]] == ["no valid Python"]


def test_long_evidence_is_cut_and_the_rest_counted() -> None:
    many = tuple(evidence(f"signal {n % 6}", "a.py", n + 1) for n in range(60))
    document = document_of(made({"data/versioning": "pass"}, {"data/versioning": many}))
    aspect = document["pillars"][0]["aspects"][0]
    assert (len(aspect["evidence"]), aspect["evidence_left_out"]) == (20, 40)
    one = tuple(evidence("signal", "a.py", n + 1) for n in range(9))
    document = document_of(made({"data/versioning": "pass"}, {"data/versioning": one}))
    aspect = document["pillars"][0]["aspects"][0]
    assert (len(aspect["evidence"]), aspect["evidence_left_out"]) == (5, 4)


def test_risks_are_those_of_what_is_missing_gravest_first() -> None:
    risks = document_of(made(MIXED, FOUND, LACKS))["risks"]
    graves = [risk["severity"] for risk in risks]
    assert graves == sorted(graves, key=["critical", "major", "minor"].index)
    assert graves[0] == "critical"
    assert not {"data/versioning", "data/validation", "data/rag-index"} & {risk["aspect"] for risk in risks}


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_report_gives_the_same_bytes(format: str) -> None:
    assert render(made(MIXED, FOUND, LACKS), format) == render(made(MIXED, FOUND, LACKS), format)


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown format 'pdf'"):
        render(made(), "pdf")


# -------------------------------------------------------------------------------------------------- Markdown


def test_markdown_has_the_sections_of_an_audit() -> None:
    text = render(made(MIXED, FOUND, LACKS), "markdown")
    assert text.startswith("# MLOps audit: `shop`\n")
    for heading in (
        "## Summary", "### Maturity", "### Critical issues", "### Recommendations", "## Pillar Assessment",
        "### 2. Model Development [Score: ", "### 4. Monitoring [Score: n/a/10]", "## Anti-patterns",
        "## Risk Assessment", "## Roadmap", "### Quick wins (1-2 weeks)", "### Medium term (1-3 months)",
        "### Long term (3-6 months)", "## What could not be read",
    ):  # fmt: skip
        assert f"\n{heading}" in text, heading
    assert "| Risk | Probability | Impact | Mitigation |" in text
    assert "`bad.py:3`: no valid Python" in text


def test_the_notes_of_a_row_say_what_was_found_and_lacks() -> None:
    text = render(made(MIXED, FOUND, LACKS), "markdown")
    assert (
        "| Data versioning | ⚠️ | found: keeps data as plain files, `data/a.csv`; "
        "lacks: tracks data with DVC, pins a hub data set |\n"
    ) in text
    assert (
        "| Data validation | ✅ | found: checks a schema, `src/train.py:2`; checks, `nb.ipynb#cell7:4` |\n"
        in text
    )
    assert (
        "| Retrieval index pipeline | ➖ | does not apply: not a project that uses a generative language model |\n"
        in text
    )


def test_evidence_is_folded_with_its_strength_and_chain() -> None:
    text = render(made(MIXED, FOUND, LACKS), "markdown")
    assert "<details>\n<summary>Evidence (3 places)</summary>\n\n" in text
    assert (
        "- checks a schema: `src/train.py:2` `f`, triggered, run by `.github/workflows/ci.yml:31` (`make train`) → "
        "`Makefile:4` (`python src/train.py`) → `src/train.py:2`\n"
    ) in text
    assert "- checks: `nb.ipynb#cell7:4` `f`, used, faint\n" in text


def test_a_disabled_aspect_shows_its_reason() -> None:
    text = render(made({"govern/dpia": "na"}, disabled={"govern/dpia": "no personal | data"}), "markdown")
    assert "disabled: no personal &#124; data |" in text
    assert "## Disabled aspects" in text


def rendered(text: str) -> list[Any]:
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)


def hostile_report() -> Report:
    piece = evidence(
        HOSTILE, f"src/{HOSTILE}.py", 2, name=HOSTILE, chain=(Link(Site(f"{HOSTILE}.yml", 1), HOSTILE),)
    )
    tree = Tree.of({f"src/{HOSTILE}.py": "a\nb\n"})
    return made(
        {"data/versioning": "partial"}, {"data/versioning": (piece,)}, {"data/versioning": (HOSTILE,)}, tree, HOSTILE,
        problems=[Problem(Site(HOSTILE, 1), HOSTILE)], disabled={"govern/dpia": HOSTILE},
    )  # fmt: skip


def test_no_text_of_the_repository_becomes_markup() -> None:
    hostile, tame = (rendered(render(r, "markdown")) for r in (hostile_report(), made(
        {"data/versioning": "partial"}, {"data/versioning": (evidence("s", "p.py", 2, name="n", chain=(Link(Site("y", 1), "r"),)),)},
        {"data/versioning": ("l",)}, None, "p", problems=[Problem(Site("p", 1), "r")], disabled={"govern/dpia": "d"},
    )))  # fmt: skip

    def shape(tokens: list[Any]) -> list[str]:
        return [t.type for t in tokens] + [
            c.type
            for t in tokens
            for c in (t.children or ())
            if c.type not in ("text", "text_special", "code_inline")
        ]

    assert shape(hostile) == shape(tame)
    blocks = [t.content.strip() for t in hostile if t.type == "html_block"]
    assert all(block.startswith(("<details>", "</details>")) and "img" not in block for block in blocks)


@pytest.mark.parametrize("format", FORMATS)
def test_no_raw_control_character_leaves_in_any_format(format: str) -> None:
    text = render(hostile_report(), format)
    assert not {c for c in text if c in "\x1b\u202e\r\x07\x9b"}
    assert "\n::error::" not in text


def test_a_file_name_that_is_no_utf8_can_be_shown() -> None:
    piece = evidence("keeps", "data/\udcff.csv", 0)
    for format in FORMATS:
        render(made({"data/versioning": "partial"}, {"data/versioning": (piece,)}), format).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("plain words, 3.5 of them", "plain words, 3.5 of them"),
        ("log_metric", "log_metric"),
        ("__init__", r"\_\_init\_\_"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("1. first", r"1\. first"),
        ("- item", r"\- item"),
        ("a | b", "a &#124; b"),
        ("see https://e.org", "see https&#58;//e.org"),
        ("@team", "@&#8203;team"),
        ("a\nb", r"a\\nb"),
    ],
)
def test_markdown_escapes_what_would_be_markup_and_no_more(text: str, markdown: str) -> None:
    assert safe.markdown(text) == markdown


def test_a_code_span_is_fenced_longer_than_what_it_holds() -> None:
    assert safe.code_span("a``b`") == "``` a``b` ```"
    assert safe.code_span("a|b") == "`a|b`"
    assert safe.cell(safe.code_span("a|b")) == r"`a\|b`"


def test_invisible_characters_are_spelled_out() -> None:
    assert safe.plain("a\u202eb\x1b\u200b\U000e0041日é\udcff") == r"a\u202eb\x1b\u200b\U000e0041日é\xff"


# -------------------------------------------------------------------------------------------------- terminal


def test_the_terminal_shows_bars_ladder_and_fixes_without_colour_codes() -> None:
    text = render(made(MIXED, FOUND, LACKS), "terminal", width=100)
    assert "\x1b" not in text
    assert "MLOps audit of shop" in text
    assert "Maturity 1 of 4  Automated training" in text
    assert any(line.startswith("Data Management    ████") for line in text.splitlines())
    assert "Monitoring         ░░░░░░░░░░░░░░░░░░░░  n/a" in text
    assert "✔ 1 Automated training" in text
    assert "needs Model serving in place" in text
    assert "opens 1 of" in text


def test_no_line_of_the_terminal_is_wider_than_asked() -> None:
    for width in (60, 80, 120):
        assert max(map(len, render(made(MIXED, FOUND, LACKS), "terminal", width=width).splitlines())) <= width


def test_colour_and_plain_differ_in_codes_only() -> None:
    import re

    colored = render(made(MIXED, FOUND, LACKS), "terminal", color=True)
    assert "\x1b[32m" in colored
    bare = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", colored).splitlines()]
    assert bare == render(made(MIXED, FOUND, LACKS), "terminal").splitlines()


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert render(made(MIXED, FOUND, LACKS, project="Größe"), "terminal", unicode=False).isascii()


def test_words_in_brackets_are_no_markup_of_the_terminal() -> None:
    assert "[red]x[/red] [/]" in render(made(project="[red]x[/red] [/]"), "terminal")


def test_the_words_of_a_rule_keep_their_code() -> None:
    fix = rule_of("data/versioning", fix="Call `a_b(*c)` and <x> then `d`.")
    made_findings = findings({}, rules={"data/versioning": fix})
    text = render(report_of(made_findings, CATALOGUE, project="p"), "markdown")
    assert "Call `a_b(*c)` and &lt;x&gt; then `d`." in text


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_documents_are_written_as_by_the_standard_library(document: object) -> None:
    assert json_text(document) == json.dumps(document, indent=2) + "\n"
