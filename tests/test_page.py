"""The page: one file that loads nothing and runs nothing, filters that filter, names that stay text."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_findings import CATALOGUE, evidence
from test_report import CHAIN, FOUND, HOSTILE, LACKS, MIXED, hostile_report, made

from mlops_audit.facts import Link, Problem, Site
from mlops_audit.formats.page import page
from mlops_audit.report import document_of, render
from mlops_audit.tree import Tree

TREND: dict[str, Any] = {
    "chosen_by": "every month",
    "pillars": [{"id": pillar.id, "title": pillar.title} for pillar in CATALOGUE.pillars],
    "points": [
        {"date": "2024-01-31", "label": "2024-01", "level": None, "score": None, "pillars": {}},
        {"date": "2024-02-29", "label": "2024-02", "level": 0, "score": 1.5, "pillars": {"data": 2.0}},
        {
            "date": "2024-03-31",
            "label": HOSTILE,
            "level": 2,
            "score": 6.0,
            "pillars": {"data": 7.5, "model": 3.0},
        },
    ],
}


class Seen(HTMLParser):
    """The elements of a page with their attributes, and the text of its style sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.style, self._inside = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data


def full_page() -> str:
    report = made(MIXED, FOUND, LACKS, disabled={"govern/dpia": "not ours"})
    return render(report, "html", trend=TREND)


def test_the_policy_allows_the_one_style_sheet_by_its_hash_and_nothing_else() -> None:
    seen = Seen(full_page())
    (policy,) = [a["content"] for tag, a in seen.elements if a.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(seen.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_nothing_is_loaded_and_nothing_runs() -> None:
    for text in (full_page(), render(hostile_report(), "html")):
        seen = Seen(text)
        assert not {tag for tag, _ in seen.elements} & {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "form",
            "base",
        }
        for _, attributes in seen.elements:
            assert not [
                name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")
            ]
            assert re.match(r"#|https?://", attributes.get("href") or "#")
        assert "url(" not in seen.style
        assert "@import" not in seen.style


def test_every_anchor_leads_to_an_element_and_no_id_stands_twice() -> None:
    seen = Seen(full_page())
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = {
        (a.get("href") or "")[1:]
        for tag, a in seen.elements
        if tag == "a" and (a.get("href") or "").startswith("#")
    }
    assert anchors <= set(ids)
    named = {a["aria-labelledby"] for _, a in seen.elements if "aria-labelledby" in a}
    assert named <= set(ids)


def test_no_text_of_the_repository_becomes_an_element() -> None:
    piece = evidence("s", "src/p.py", 2, name="n", chain=(Link(Site("y", 1), "r"),))
    tame = made(
        {"data/versioning": "partial"}, {"data/versioning": (piece,)}, {"data/versioning": ("l",)},
        Tree.of({"src/p.py": "a\nb\n"}), "p", problems=[Problem(Site("p", 1), "r")], disabled={"govern/dpia": "d"},
    )  # fmt: skip

    def shape(text: str) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in Seen(text).elements]

    assert shape(render(hostile_report(), "html")) == shape(render(tame, "html"))


def test_the_picture_draws_each_step_as_its_aspect_was_found() -> None:
    verdicts = {"data/lineage": "pass", "model/experiment-tracking": "partial", "cicd/validation-gate": "missing",
                "cicd/llm-evaluation": "na", "monitor/logging": "na"}  # fmt: skip
    chained = evidence("writes lineage", "src/train.py", 2, chain=CHAIN)
    text = page(document_of(made(verdicts, {"data/lineage": (chained,)})))
    edges = re.findall(r'class="edge (\w+)"[^>]*><title>([^<:]+): ([^<]+)', text)
    assert edges[:3] == [
        ("pass", "Data lineage", "In place"),
        ("partial", "Experiment tracking", "Begun"),
        ("missing", "Model validation gate", "Missing"),
    ]
    assert ("na", "not asked", "Not asked") in edges
    assert ".github/workflows/ci.yml:31 → … → src/train.py:2 (triggered)" in re.sub(r"\s+", " ", text)


def test_each_risk_stands_once_in_the_matrix() -> None:
    document = document_of(made(MIXED, FOUND, LACKS))
    text = page(document)
    matrix = text[text.index('<table class="matrix">') : text.index("</table>")]
    assert matrix.count("<li>") == len(document["risks"])


def test_a_trend_is_shown_when_given_and_left_out_otherwise() -> None:
    assert 'id="trend"' in full_page()
    assert "From 2024-01-31 to 2024-03-31: level none to 2, score none to 6" in full_page()
    assert 'id="trend"' not in render(made(MIXED), "html")


def test_a_snippet_marks_what_was_found_in_it() -> None:
    document = document_of(made(MIXED, FOUND, LACKS))
    piece = document["pillars"][0]["aspects"][1]["evidence"][0]
    piece["name"], piece["snippet"] = "pkg.validate", "checked = validate(frame, '<b>')"
    assert "checked = <mark>validate</mark>(frame, &#39;&lt;b&gt;&#39;)" in page(document)


# -------------------------------------------------------------------------------------------------- in a browser


CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
AXE = Path(
    os.environ.get("AXE_CORE", Path(__file__).parents[1] / ".ci/node/node_modules/axe-core/axe.min.js")
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="the browser tests need the package playwright")
    if not CHROMIUM:
        pytest.skip("the browser tests need Chromium, which is not installed")
    with api.sync_playwright() as started:
        launched = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a page from disk; anything that the policy stops or that a script would show fails the test."""
    contexts = []

    def open_page(text: str, **look: Any) -> Any:
        file = tmp_path / "report.html"
        file.write_text(text, "utf-8")
        context = browser.new_context(**look)
        contexts.append(context)
        tab = context.new_page()
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.on(
            "request",
            lambda request: None if request.url == file.as_uri() else complaints.append(request.url),
        )
        tab.goto(file.as_uri())
        tab.complaints = complaints
        return tab

    yield open_page
    for context in contexts:
        context.close()


def shown(tab: Any) -> list[str]:
    return [
        found.get_attribute("id") or "" for found in tab.query_selector_all(".aspect") if found.is_visible()
    ]


def test_the_filters_show_what_they_say(opened: Any) -> None:
    tab = opened(full_page())
    aspects = [a for pillar in document_of(made(MIXED, FOUND, LACKS))["pillars"] for a in pillar["aspects"]]
    ids = {a["id"].replace("/", "-"): a for a in aspects}
    assert len(shown(tab)) == len(aspects)
    tab.check("#verdict-partial")
    assert shown(tab) == [i for i, a in ids.items() if a["verdict"] == "partial"]
    tab.check("#pillar-model")
    assert shown(tab) == ["model-environment"]
    assert not tab.is_visible(".nothing")
    tab.check("#pillar-monitor")
    assert shown(tab) == []
    assert tab.is_visible(".nothing")
    tab.check("#verdict-all")
    assert shown(tab) == [i for i in ids if i.startswith("monitor-")]
    assert tab.complaints == []


def test_the_filters_answer_to_the_keyboard(opened: Any) -> None:
    tab = opened(full_page())
    tab.focus("#verdict-all")
    tab.keyboard.press("ArrowRight")
    assert tab.is_checked("#verdict-missing")
    tab.focus("#data-versioning > summary") if tab.is_visible("#data-versioning") else None
    tab.check("#verdict-all")
    tab.focus("#data-versioning > summary")
    tab.keyboard.press("Enter")
    assert tab.is_visible("#data-versioning .body")


def test_a_hostile_name_stays_text_in_the_browser(opened: Any) -> None:
    tab = opened(render(hostile_report(), "html"))
    assert tab.query_selector("img") is None
    assert "<img src=x>" in tab.inner_text("h1")
    assert tab.complaints == []


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_no_width_scrolls_sideways(opened: Any, width: int) -> None:
    for text in (full_page(), render(hostile_report(), "html")):
        tab = opened(text, viewport={"width": width, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(opened: Any, scheme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm install --prefix .ci/node axe-core")
    tab = opened(full_page(), color_scheme=scheme)
    tab.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    tab.evaluate(AXE.read_text("utf-8"))
    found = tab.evaluate("axe.run()")
    grave = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    assert [(v["id"], v["nodes"][0]["html"], v["nodes"][0]["failureSummary"]) for v in grave] == []


def trend_page() -> str:
    from mlops_audit.changes.states import State
    from mlops_audit.changes.trend import Change, Point, Trend
    from mlops_audit.changes.trend_report import render as rendered
    from mlops_audit.repository.history import Commit

    commits = [Commit(f"{n:040x}", f"{n:040x}", 1_700_000_000 + n * 2_600_000, "Ada, <i>who wrote it</i>") for n in range(30)]  # fmt: skip
    pillars = {pillar.id: 5.0 for pillar in CATALOGUE.pillars}
    points = [Point(commit, ("v1",), State(n % 5, n / 3, pillars, {}, n)) for n, commit in enumerate(commits)]
    changes = [
        Change(aspect.id, "missing", ("partial", "pass")[n % 2], commits[n % 30], n % 7 > 0)
        for n, aspect in enumerate(CATALOGUE.aspects)
    ]
    return rendered(Trend("shop", "0" * 40, "every month", points, changes, 300, 90, False), "html")


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_a_trend_fits_and_axe_finds_nothing_serious(opened: Any, width: int) -> None:
    tab = opened(trend_page(), viewport={"width": width, "height": 800}, color_scheme="dark")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.query_selector("i") is None
    heights = tab.evaluate("[...document.querySelectorAll('.figures tbody tr')].map(row => row.offsetHeight)")
    assert max(heights) < 60, "a cell of the table is broken into many lines"
    assert tab.complaints == []
    if AXE.is_file():
        tab.evaluate(AXE.read_text("utf-8"))
        found = tab.evaluate("axe.run()")["violations"]
        assert [v["id"] for v in found if v["impact"] in ("moderate", "serious", "critical")] == []


def test_a_trend_tells_the_changes_of_a_commit_together() -> None:
    page = trend_page()
    body = page.partition('<ol class="changes">')[2].partition("</ol>")[0]
    assert body.count("<h3>") == len({(n % 30, n % 7 > 0) for n in range(len(CATALOGUE.aspects))})
    assert body.count('<span class="tag') == len(CATALOGUE.aspects)


def test_what_is_folded_is_printed(opened: Any) -> None:
    tab = opened(full_page())
    assert not tab.is_visible("#data-versioning .body")
    tab.emulate_media(media="print")
    assert tab.is_visible("#data-versioning .body")
    assert not tab.is_visible("nav")
