"""Text of the audited repository made harmless, one function per place where it is shown."""

from __future__ import annotations

import os
import re
import unicodedata
from urllib.parse import quote

# Control, format (bidi marks, tags, zero width), surrogate and private characters, and line separators.
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def plain(text: str) -> str:
    """The text on one line with every character that shows nothing, or moves others about, spelled out.

    Bytes of file names that are no UTF-8 (surrogates, as `os.fsdecode` gives them) become `\\xff`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) not in INVISIBLE:
        return character
    if character in NAMED:
        return NAMED[character]
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, length: int) -> str:
    """The text cut to a length, with a mark where it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def markdown(text: str) -> str:
    """Plain text for Markdown: nothing in it is markup, a link, a mention, a reference or HTML."""
    return re.sub(r"^(\s*\d*)([-+.)])(?=[\s-]|$)", r"\1\\\2", _inline(text))


def _inline(text: str) -> str:
    """The same for text that does not begin a line; underscores inside words are no markup."""
    text = re.sub(r"&(?=#?\w+;)", "&amp;", plain(text))
    text = re.sub(r"([\\`*{}\[\]#~!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", text)
    text = text.replace("<", "&lt;").replace(">", "&gt;").replace("|", "&#124;").replace("$", "&#36;")
    text = text.replace("://", "&#58;//")
    text = re.sub(r"(?i)\b(www)\.", r"\1&#46;", text)
    text = re.sub(r"@(?=\w)", "@&#8203;", text)
    return re.sub(r"\\#(?=\d)", r"\\#&#8203;", text)


def code_span(text: str) -> str:
    """A Markdown code span, fenced by more backticks than the text holds; "" for an empty text."""
    text = plain(text)
    if not text:
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest or text[0] == " " or text[-1] == " " else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def prose(text: str) -> str:
    """A sentence of a rule for Markdown: its `code` stays code, all the rest is plain text."""
    parts = re.split(r"(?<!`)`([^`]+)`(?!`)", " ".join(text.split()))
    rest = (code_span(part) if number % 2 else _inline(part) for number, part in enumerate(parts[1:], 1))
    return markdown(parts[0]) + "".join(rest)


def cell(text: str) -> str:
    """Escaped Markdown for a cell of a table: code spans may still hold bars, which would end the cell."""
    return text.replace("|", r"\|")


def web_link(text: str) -> str:
    """The address when it is a plain http(s) one that can stand in `<...>`, else ""."""
    return (
        text if re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w.~!$&'()*+,;=:@%/?#-]*)?", text, re.ASCII) else ""
    )


def uri(path: str) -> str:
    """A path relative to the root as a relative URI, percent-encoded byte by byte."""
    encoded = quote(os.fsencode(path), safe="/~")
    return f"./{encoded}" if encoded.startswith("/") else encoded


def sarif_message(text: str) -> str:
    """A text of a SARIF message: braces are no placeholders and brackets no links."""
    text = plain(text).replace("\\", "\\\\").replace("{", "{{").replace("}", "}}")
    return text.replace("[", "\\[").replace("]", "\\]")


def csv_cell(text: str) -> str:
    """A text for a cell of a spreadsheet: one that would be taken for a formula gets an apostrophe before it.

    Signs of full width count too: some spreadsheets take them for the narrow ones.
    """
    text = plain(text)
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@|%＝＋－＠") else text
