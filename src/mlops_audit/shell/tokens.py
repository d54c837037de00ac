"""The tokens of a shell text: words with their quotes, operators, redirects and here-documents."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(slots=True)
class Token:
    """`kind` is "word", "operator", "redirect" or "newline"; a here-document's body belongs to its redirect."""

    kind: str
    text: str
    line: int
    document: str = ""
    document_line: int = 0


_OPERATOR = re.compile(r"&&|\|\||;;&|;;|;&|\|&|;|\||&(?!>)|\(|\)")

_REDIRECT = re.compile(r"\d*(?:<<<|<<-?|<>|>>|>\||>&|<&|<|>)|&>>?")

_WORD_END = frozenset(" \t\n;&|()<>")

_BLANK = frozenset(" \t")

_ORDINARY = re.compile(r"[^ \t\n;&|()<>\\{$'\"`]+")  # what neither ends a word nor opens anything in it


def tokens(text: str, line: int) -> list[Token]:
    found: list[Token] = []
    pending: list[Token] = []  # redirects whose here-documents begin after this line
    unclosed: set[str] = set()
    i, size = 0, len(text)
    while i < size:
        char = text[i]
        if char in _BLANK:
            i += 1
        elif text.startswith("\\\n", i):
            i, line = i + 2, line + 1
        elif char == "\n":
            found.append(Token("newline", "\n", line))
            i, line = i + 1, line + 1
            for redirect in pending:
                i, line = _here_document(text, i, line, redirect)
            pending = []
        elif char == "#":
            end = text.find("\n", i)
            i = size if end < 0 else end
        elif (char in "<>&" or char.isdecimal()) and (redirect_here := _REDIRECT.match(text, i)):
            sign = redirect_here[0]
            start = i = redirect_here.end()
            while i < size and text[i] in _BLANK:
                i += 1
            end = _end_of_word(text, i, unclosed)
            token = Token("redirect", sign + (" " if i > start else "") + text[i:end], line)
            found.append(token)
            line += text.count("\n", i, end)
            if sign.lstrip("0123456789") in ("<<", "<<-") and end > i:
                pending.append(token)
            i = end
        elif char in _WORD_END and (operator := _OPERATOR.match(text, i)):
            found.append(Token("operator", operator[0], line))
            i = operator.end()
        else:
            end = max(_end_of_word(text, i, unclosed), i + 1)
            found.append(Token("word", text[i:end], line))
            line += text.count("\n", i, end)
            i = end
    return found


def _here_document(text: str, i: int, line: int, redirect: Token) -> tuple[int, int]:
    """Read the body of a here-document that begins at `i`; gives the place and line after it."""
    sign = re.match(r"\d*<<-?", redirect.text)
    end_mark = re.sub(r"[\\'\"]", "", redirect.text[sign.end() if sign else 0 :].strip())
    redirect.document_line = line
    start = i
    while i < len(text):
        end = text.find("\n", i)
        end = len(text) if end < 0 else end
        if text[i:end].strip() == end_mark:
            redirect.document = text[start:i]
            return min(end + 1, len(text)), line + 1
        i, line = end + 1, line + 1
    redirect.document = text[start:]
    return len(text), line


def _end_of_word(text: str, i: int, unclosed: set[str]) -> int:
    """The end of the word that begins at `i`, quotes and substitutions included."""
    size = len(text)
    while i < size:
        if ordinary := _ORDINARY.match(text, i):
            i = ordinary.end()
        elif text[i] in _WORD_END:
            return i
        else:
            i = past(text, i, unclosed)
    return size


def past(text: str, i: int, unclosed: set[str]) -> int:
    """The place after the character, escape, quoted text or substitution at `i`."""
    char = text[i]
    if char == "\\":
        return min(i + 2, len(text))
    if text.startswith(("${{", "{{"), i):
        end = text.find("}}", i, i + 500)
        return end + 2 if end >= 0 and "\n" not in text[i:end] else i + 1
    opening = "$(" if text.startswith("$(", i) else "${" if text.startswith("${", i) else char
    if opening not in ("'", '"', "`", "$(", "${") or opening in unclosed:
        return i + 1
    end = closing(text, i + len(opening), _CLOSING[opening])
    if end < 0:
        unclosed.add(opening)
        return i + len(opening)
    return end


_CLOSING = {"'": "'", '"': '"', "`": "`", "$(": ")", "${": "}"}

# By what closes the place: what means nothing there.
_IDLE = {
    "'": re.compile(r"[^']+"),
    '"': re.compile(r"[^\\\"$`]+"),
    "`": re.compile(r"[^\\`'\"]+"),
    ")": re.compile(r"[^\\)$\"`'(#]+"),
    "}": re.compile(r"[^\\}$\"`]+"),
}


def closing(text: str, i: int, closer: str) -> int:
    """The place after the closer of what was opened before `i`, -1 where it is never closed."""
    stack = [closer]
    size = len(text)
    while i < size:
        top = stack[-1]
        if idle := _IDLE[top].match(text, i):
            i = idle.end()
            continue
        char = text[i]
        if char == "\\":
            i += 2
            continue
        if char == top:
            stack.pop()
            i += 1
            if not stack:
                return i
            continue
        if text.startswith("$(", i):
            stack.append(")")
            i += 2
        elif text.startswith("${", i):
            stack.append("}")
            i += 2
        elif char in '"`' or (char == "'" and top not in '"}'):
            stack.append(char)
            i += 1
        elif char == "(" and top == ")":
            stack.append(")")
            i += 1
        elif char == "#" and top == ")" and text[i - 1] in " \t\n":
            end = text.find("\n", i)
            i = size if end < 0 else end
        else:
            i += 1
    return -1


_OUTSIDE = re.compile(r"[^\\'\"$`]+")  # of quotes, escapes and substitutions


def substituted(text: str) -> list[tuple[str, int]]:
    """The outermost `$(...)` and backquoted scripts of a word with their offsets."""
    found: list[tuple[str, int]] = []
    quote = ""
    unclosed: set[str] = set()
    i = 0
    while i < len(text):
        if idle := _OUTSIDE.match(text, i):
            i = idle.end()
            continue
        char = text[i]
        if char == "\\" and quote != "'":
            i += 2
        elif char in "'\"" and (not quote or quote == char):
            quote = "" if quote else char
            i += 1
        elif quote != "'" and (text.startswith("$(", i) or char == "`"):
            end = past(text, i, unclosed)
            start = i + (2 if char == "$" else 1)
            if end > start and not text.startswith("$((", i):
                found.append((text[start : end - 1], start))
            elif end > start:
                found.extend((inner, start + 1 + at) for inner, at in substituted(text[start + 1 : end - 2]))
            i = max(end, i + 1)
        else:
            i += 1
    return found
