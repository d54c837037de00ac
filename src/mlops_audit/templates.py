"""Text templates (Go templates of Helm, Jinja) masked so that what is left can be read as YAML."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

CONTROL = re.compile(
    r"\s*(if|else|elif|endif|end|endfor|endwith|range|for|with|define|block|template|set|macro|break)\b"
)
OPENING = frozenset({"if", "with", "range", "for", "define", "block"})
CLOSING = frozenset({"end", "endif", "endfor", "endwith"})


class Masked(NamedTuple):
    """A template without its actions, line by line as before, and the conditions that enclose each line."""

    text: str
    lines: tuple[int, ...]  # where the enclosing conditions change, ascending
    conditions: tuple[str, ...]  # what they are from there on, "" for none

    def condition(self, line: int) -> str:
        """The conditions that a line stands under, outermost first, joined by `and`."""
        place = bisect_right(self.lines, line) - 1
        return self.conditions[place] if place >= 0 else ""


def is_template(text: str) -> bool:
    """Whether a text holds template actions: `{{ x }}` that is no `${{ x }}` of a CI system, or `{% x %}`."""
    return "{%" in text or ("{{" in text and re.search(r"(?<!\$)\{\{", text) is not None)


def mask(text: str) -> Masked:
    """Drop control actions and lines that are nothing but an action; a value `{{ .x }}` becomes `<.x>`."""
    parts: list[str] = []
    lines: list[int] = []
    conditions: list[str] = []
    stack: list[str] = []
    at, line = 0, 1
    # `${#names}` of a shell is no comment: Jinja's marks count only where its statements stand
    opening = re.compile(r"\{\{|\{%|\{#" if "{%" in text else r"\{\{")
    while True:
        opened = opening.search(text, at)
        if opened is None:
            break
        close = {"{{": "}}", "{%": "%}", "{#": "#}"}[opened[0]]
        end = text.find(close, opened.end())
        if end < 0:
            break
        parts.append(text[at : opened.start()])
        line += text.count("\n", at, opened.start())
        action = text[opened.end() : end].strip("- \t\n")
        inner = text.count("\n", opened.start(), end)
        control = CONTROL.match(action)
        if control or opened[0] != "{{" or action.startswith("/*") or ":=" in action:
            if control:
                _follow(stack, control[1], action)
                lines.append(line)
                conditions.append(" and ".join(c for c in stack[:16] if c))
            parts.append("\x00" + "\n" * inner)
        else:
            parts.append("\x01" + re.sub(r"[^\w.-]+", "_", action).strip("_")[:120] + "\x02" + "\n" * inner)
        line += inner
        at = end + 2
    parts.append(text[at:])
    masked = "\n".join(map(_line, "".join(parts).split("\n")))
    return Masked(masked, tuple(lines), tuple(conditions))


def _follow(stack: list[str], word: str, action: str) -> None:
    """Keep the stack of open blocks up to date; each entry is a condition, "" for a block that is none."""
    rest = action[action.find(word) + len(word) :].strip()
    if word in OPENING:
        stack.append(rest if word in ("if", "with") else "")
    elif word in CLOSING:
        if stack:
            stack.pop()
    elif word in ("else", "elif") and stack and stack[-1]:
        chained = re.sub(r"^if\b", "", rest).strip()
        stack[-1] = f"not ({stack[-1]})" + (f" and {chained}" if chained else "")
        stack[-1] = stack[-1][:300]


def _line(line: str) -> str:
    if "\x00" not in line and "\x01" not in line:
        return line
    if not re.sub(r"\x00|\x01[^\x02]*\x02", "", line).strip():
        return ""
    return line.replace("\x00", "").replace("\x01", "<").replace("\x02", ">")
