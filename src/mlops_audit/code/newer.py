"""Python of newer versions than this interpreter, as a text of the same positions that it can read."""

from __future__ import annotations

import re

# What may begin something else than plain code: a comment, a string with its prefix, or a word (which hides prefixes).
_INTERESTING = re.compile(r"#[^\n]*|(?P<prefix>[rRbBuUfFtT]{0,2})(?P<quote>\"\"\"|'''|\"|')|\w+")
_FORMATTED = re.compile(r"[fFtT][rRbBuUfFtT]?[\"']")
_PARAMETERS = r"\[[^\[\]\n]*(?:\[[^\[\]\n]*\][^\[\]\n]*)*\]"
# Type parameters of functions and classes (3.12), which say nothing about what runs.
_GENERIC = re.compile(
    rf"^([ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+\w+[ \t]*)({_PARAMETERS})(?=[ \t]*[(:])", re.M
)
_TYPE_ALIAS = re.compile(rf"^([ \t]*)type([ \t]+)(\w+)({_PARAMETERS}|)(?=[ \t]*=[^=])", re.M)
_EXCEPT_GROUP = re.compile(r"^([ \t]*except)\*", re.M)
_EXCEPT_SEVERAL = re.compile(r"\b(except\*?[ \t]+)([\w.]+(?:[ \t]*,[ \t]*(?:[\w.]+\.)?[A-Z]\w*)+)(?=[ \t]*:)")


def in_older_words(text: str) -> str:
    """The text with what 3.11 to 3.14 brought written as before, every line and column where it was.

    Formatted strings may hold the quotes of their own and backslashes inside braces since 3.12 (PEP 701); type
    parameters and aliases (PEP 695) lose only what readers of types need; `except*` (3.11) becomes `except`; classes
    after `except` without parentheses (3.14, PEP 758) are joined by `|`. Python 2 names a variable there, in small letters.
    """
    if "[" in text:
        text = _GENERIC.sub(lambda found: found[1] + " " * len(found[2]), text)
    if "type" in text:
        text = _TYPE_ALIAS.sub(
            lambda found: found[1] + found[3] + " " * (4 + len(found[2]) + len(found[4])), text
        )
    if "except*" in text:
        text = _EXCEPT_GROUP.sub(r"\1 ", text)
    if "except" in text:
        text = _EXCEPT_SEVERAL.sub(lambda found: found[1] + found[2].replace(",", "|"), text)
    if "{" not in text or not _FORMATTED.search(text):
        return text
    letters = list(text)
    at = 0
    while (found := _INTERESTING.search(text, at)) is not None:
        at = _end_of_string(text, letters, found, ()) if found["quote"] else found.end()
    return "".join(letters)


def _end_of_string(text: str, letters: list[str], start: re.Match[str], around: tuple[str, ...]) -> int:
    """Where a string ends; the fields of a formatted one are rewritten for the quotes that stand around them."""
    quote, prefix = start["quote"], start["prefix"].lower()
    at = start.end()
    while at < len(text):
        if text.startswith(quote, at):
            return at + len(quote)
        if text[at] == "\\":
            at += 2
        elif text[at] == "\n" and len(quote) == 1:
            return at  # not closed: the parser will say so
        elif text[at] == "{" and set(prefix) & {"f", "t"}:
            at = (
                at + 2
                if text.startswith("{{", at)
                else _end_of_field(text, letters, at + 1, (*around, quote))
            )
        else:
            at += 1
    return at


def _end_of_field(text: str, letters: list[str], at: int, around: tuple[str, ...]) -> int:
    """Where the field of a formatted string ends, beyond its brace."""
    depth, plain = 0, False
    while at < len(text):
        letter = text[at]
        if plain and text.startswith(around[-1], at):
            return at
        if letter == "}" and not depth:
            return at + 1
        if plain:  # behind the colon: text again, with fields of its own
            at = _end_of_field(text, letters, at + 1, around) if letter == "{" else at + 1
            continue
        found = _INTERESTING.match(text, at)
        if found is not None and found["quote"]:
            end = _end_of_string(text, letters, found, around)
            _requote(text, letters, found, end, around)
            at = end
        elif found is not None and not text.startswith("#", at):
            at = found.end()
        else:
            depth += (letter in "([{") - (letter in ")]}")
            plain = letter == ":" and not depth
            at += 1
    return at


def _requote(text: str, letters: list[str], start: re.Match[str], end: int, around: tuple[str, ...]) -> None:
    """Give a string inside a field quotes that none of those around it uses; where none is left, a number instead."""
    quote = start["quote"]
    first, last = start.end(), end - len(quote)
    if last < first:
        return
    for place in range(first, last):
        if letters[place] == "\\":
            letters[place] = "_"
    if quote not in around:
        return
    other = ("'" if quote[0] == '"' else '"') * len(quote)
    if other in around or other[0] in "".join(letters[first:last]):
        letters[start.start() : end] = ["0", *" " * (end - start.start() - 1)]
        return
    letters[first - len(quote) : first] = letters[last:end] = list(other)
