"""Documents filled into the Jinja2 templates of reports/: whatever a template prints is escaped for Markdown."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mlops_audit import safe
from mlops_audit.catalogue import data_folder

if TYPE_CHECKING:
    import jinja2

# What a project of each kind does, to follow "a project that ...".
KIND_WORDS = {
    "trains": "trains a model",
    "deep": "trains by deep learning",
    "serves": "serves predictions",
    "llm": "uses a generative language model",
    "uk-gov": "follows the UK Government profile",
}


def filled(name: str, document: dict[str, Any]) -> str:
    """A template of reports/ filled with a document, ending in one line feed."""
    return _environment().get_template(name).render(document).rstrip() + "\n"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    """Every value is escaped as plain text unless a filter below has made Markdown of it.

    Autoescape keeps what macros and filters give back marked as done; `finalize` escapes all the rest, so a template
    cannot forget to.
    """
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment
    from markupsafe import Markup

    def marked(escape: Callable[[str], str]) -> Callable[[object], Markup]:
        return lambda value: Markup(escape(str(value)))

    def finalize(value: object) -> object:
        return value if isinstance(value, Markup | jinja2.Undefined) else Markup(safe.markdown(str(value)))

    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(data_folder("reports")),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., object]] = {
        "code": marked(safe.code_span),
        "prose": marked(safe.prose),
        "cell": lambda value: Markup(safe.cell(str(finalize(value)))),
        "site": site,
        "points": lambda value: "n/a" if value is None else f"{value:.1f}",
        "fence": marked(fenced),
        "link": marked(lambda text: f"<{link}>" if (link := safe.web_link(text)) else ""),
    }
    environment.filters |= filters
    environment.globals["kind_words"] = KIND_WORDS
    return environment


def site(piece: dict[str, Any]) -> str:
    """`path:line` of a place, with the number of the cell in a notebook."""
    cell = f"#cell{piece['cell']}" if piece.get("cell") else ""
    return f"{piece['path']}{cell}:{piece['line']}" if piece["line"] else f"{piece['path']}{cell}"


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text.rstrip()}\n{fence}"
