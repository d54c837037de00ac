"""Documents as headings and the blocks of text below them, whatever the markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MAX_HEADING_WORDS = 12  # of a bold line that acts as a heading
BOLD_LEVEL = 7


class Block(NamedTuple):
    """A piece of a document.

    `form` is heading, text, item (of a list), cell (of a table), label (of a table: head or first column), code or
    image; `text` keeps the markup of the text that stands inside a line; `level` is that of a heading.
    """

    form: str
    text: str
    line: int
    level: int = 0


def markdown(text: str, line: int = 0) -> Iterator[Block]:
    """The blocks of Markdown; `line` is the number of lines that stand before the text."""
    heading, items, column, head = 0, 0, 0, False
    for token in _reader().parse(text):
        at = line + (token.map[0] + 1 if token.map else 1)
        kind = token.type
        if kind == "heading_open":
            heading = int(token.tag[1])
        elif kind in ("bullet_list_open", "ordered_list_open"):
            items += 1
        elif kind in ("bullet_list_close", "ordered_list_close"):
            items -= 1
        elif kind in ("thead_open", "thead_close"):
            head = kind == "thead_open"
        elif kind == "tr_open":
            column = 0
        elif kind in ("td_open", "th_open"):
            column += 1
        elif kind in ("fence", "code_block"):
            yield Block("code", token.content, at)
        elif kind == "html_block":
            yield from _html(token.content, at)
        elif kind == "inline":
            if heading:
                yield Block("heading", token.content, at, heading)
                heading = 0
            elif column:
                yield Block("label" if head or column == 1 else "cell", token.content, at)
            elif items:
                yield Block("item", token.content, at)
            else:
                yield from _paragraph(token.content, at)
        if kind == "table_close":
            column = 0


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Inline markup is not parsed: it is not needed, and its parsing is where hostile text takes its time.
    return MarkdownIt("js-default", {"html": True}).disable(
        ["inline", "linkify", "replacements", "smartquotes"]
    )


def _paragraph(text: str, line: int) -> Iterator[Block]:
    """A paragraph, or a heading where a line stands alone in bold."""
    bold = re.fullmatch(r"(\*\*|__)([^*_\n]{2,120})\1\s*:?", text.strip())
    if bold and len(bold[2].split()) <= MAX_HEADING_WORDS and not bold[2].rstrip().endswith((".", "!")):
        yield Block("heading", bold[2].rstrip(": "), line, BOLD_LEVEL)
    elif re.fullmatch(r"(?:\[?!\[[^\]]*\]\([^)]*\)(?:\]\([^)]*\))?\s*)+", text.strip()):
        yield Block("image", text, line)
    else:
        yield Block("text", text, line)


def _html(text: str, line: int) -> Iterator[Block]:
    """A block of HTML without its comments: headings, images, text."""
    shown = re.sub(r"<!--.*?(?:-->|\Z)", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    end = 0
    for found in re.finditer(r"<h([1-6])\b[^>]{0,500}>(.{0,2000}?)</h\1>", shown, re.DOTALL | re.IGNORECASE):
        yield from _html_text(shown[end : found.start()], line + shown.count("\n", 0, end))
        title = re.sub(r"<[^>]*>", " ", found[2]).strip()
        if title:
            yield Block("heading", title, line + shown.count("\n", 0, found.start()), int(found[1]))
        end = found.end()
    yield from _html_text(shown[end:], line + shown.count("\n", 0, end))


def _html_text(text: str, line: int) -> Iterator[Block]:
    if "<img" in text.lower():
        yield Block("image", "", line)
    plain_text = re.sub(
        r"<(?:script|style)\b.{0,5000}?</(?:script|style)>", " ", text, flags=re.DOTALL | re.IGNORECASE
    )
    plain_text = re.sub(r"</?[a-zA-Z][^<>]*>", " ", plain_text).strip()
    if plain_text:
        yield Block("text", plain_text, line)


def restructured(text: str) -> Iterator[Block]:
    """The blocks of reStructuredText: titles by their underlines, levels in the order in which those appear."""
    lines = text.split("\n")
    levels: list[str] = []
    skip_deeper = -1  # inside a directive or literal block that stands at this indent
    at = 0
    while at < len(lines):
        line = lines[at]
        indent = len(line) - len(line.lstrip())
        below = lines[at + 1].rstrip() if at + 1 < len(lines) else ""
        stripped = line.strip()
        if not stripped:
            at += 1
            continue
        if skip_deeper >= 0 and indent > skip_deeper:
            at += 1
            continue
        skip_deeper = -1
        overlined = at + 2 < len(lines) and _underline(stripped) == _underline(lines[at + 2].strip()) != ""
        if overlined and below.strip():
            yield _title(below.strip(), stripped[0] * 2, levels, at + 2)
            at += 3
            continue
        if (
            _underline(below)
            and len(below) >= len(line.rstrip()) - 1
            and indent == 0
            and not _underline(stripped)
        ):
            yield _title(stripped, below[0], levels, at + 1)
            at += 2
            continue
        if stripped.startswith(".. "):
            name = re.match(r"\.\. ([\w-]+)::\s*(.*)", stripped)
            if name is None or name[1] not in ("note", "warning", "important", "tip", "caution", "attention"):
                skip_deeper = indent
                if name and name[1] in ("image", "figure"):
                    yield Block("image", name[2], at + 1)
                elif name and name[1].startswith("code"):
                    yield Block("code", "\n".join(lines[at + 1 : at + 6]), at + 1)
            elif name[2]:
                yield Block("text", name[2], at + 1)
        elif not _underline(stripped) and not re.fullmatch(r"[=+| -]{4,}|:[\w -]+:.*", stripped):
            bullet = re.match(r"(?:[-*+]|\d+\.|#\.)\s+(.*)", stripped)
            yield Block("item" if bullet else "text", bullet[1] if bullet else stripped, at + 1)
            if stripped.endswith("::"):
                skip_deeper = indent
        at += 1


def _underline(line: str) -> str:
    """The character of a title's underline, "" for any other line."""
    return line[0] if len(line) >= 3 and len(set(line)) == 1 and line[0] in "=-~^\"'`#*+.:_<>" else ""


def _title(text: str, style: str, levels: list[str], line: int) -> Block:
    if style not in levels:
        levels.append(style)
    return Block("heading", text, line, levels.index(style) + 1)


def asciidoc(text: str) -> Iterator[Block]:
    """The blocks of AsciiDoc."""
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if inside:
            if stripped == inside:
                inside = ""
            elif inside == "----" and stripped:
                yield Block("code", stripped, number)
        elif stripped in ("----", "....", "////", "++++"):
            inside = stripped
        elif title := re.fullmatch(r"(={1,6})\s+(.+)", line):
            yield Block("heading", title[2], number, len(title[1]))
        elif stripped.startswith("|") and stripped != "|===":
            for position, cell in enumerate(stripped.split("|")[1:]):
                yield Block("cell" if position else "label", cell.strip(), number)
        elif stripped and not re.match(r"//|:[\w-]+:|\[.*\]$|\|===", stripped):
            bullet = re.match(r"[*.-]+\s+(.*)", stripped)
            yield Block("item" if bullet else "text", bullet[1] if bullet else stripped, number)


_MARKUP = re.compile(r"[<\[`*_~\\]")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)?\)|\[[^\[\]]*\])")
_NAMED_LINK = re.compile(r"`{1,2}([^`<>]{1,200}?)\s?<[^<>]{0,300}>`__?")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]*/?>")
_EMPHASIS = re.compile(r"(?<!\w)[*_~]{1,3}(?=\S)|(?<=\S)[*_~]{1,3}(?!\w)|`+")
_EMPHASIZED = re.compile(r"[*_~`]")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


@lru_cache(maxsize=4)  # of one sentence several things are asked, one after the other
def plain(text: str) -> str:
    """Text without the markup inside its lines: links and images give their words, emphasis and tags go."""
    if _MARKUP.search(text):
        if "<!--" in text:
            text = _COMMENT.sub(" ", text)
        if "[" in text:
            text = _LINK.sub(r"\1", text)
        if "<" in text:
            text = _TAG.sub(" ", _NAMED_LINK.sub(r"\1", text))
        if _EMPHASIZED.search(text):
            text = _EMPHASIS.sub("", text)
        if "\\" in text:
            text = _ESCAPE.sub(r"\1", text)
    return " ".join(text.split())


_LIKE_ASCII = {0x130: "i", 0x131: "i", 0x17F: "s", 0x212A: "k"}


def folded(text: str) -> str:
    """Text in lower case; what a pattern of ASCII letters that ignores case takes for one of them is that letter."""
    return text.lower() if text.isascii() else text.translate(_LIKE_ASCII).lower()
