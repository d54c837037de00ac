"""Facts of notebooks (Jupyter, R Markdown, Quarto): their Python cells read as one program, shell lines, headings."""

from __future__ import annotations

import gc
import json
import posixpath
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from mlops_audit import code, shell
from mlops_audit.facts import Fact, Kind, Site, TraitValue
from mlops_audit.parse.nodes import NotRead, ParseFailure, decode

MAX_BYTES = 10_000_000
MAX_CODE = 2_000_000  # characters of code in all cells

# Cell magics whose cell is Python all the same, those whose cell is shell; cells under any other are left alone.
_PYTHON_MAGICS = frozenset({
    "time", "timeit", "capture", "prun", "mprun", "memit", "lprun", "python", "python3", "px", "pyspark", "spark", "debug",
    "snakeviz", "scalene", "heat", "wandb", "matplotlib", "local", "send_to_spark", "notify", "autopx", "ipytest",
})  # fmt: skip
_SHELL_MAGICS = frozenset({"bash", "sh", "shell", "system", "sx", "!", "cmd"})
# One-percent magics that stand for a language of the whole cell (Databricks).
_LANGUAGES = frozenset({"sql", "md", "scala", "r", "fs", "html", "markdown", "javascript", "bigquery"})
_STATEMENT_MAGICS = frozenset({"time", "timeit", "prun", "memit", "lprun", "mprun", "debug"})
_COMMAND_MAGICS = frozenset({"pip", "conda", "mamba", "uv", "poetry", "sx", "system", "sh", "bash"})

_MAGIC_LINE = re.compile(r"^[ \t]*(?:[%!?]|[\w.\[\], \t]+=[ \t]*[%!])|\?[ \t]*$", re.MULTILINE)
# A line that stands neither in a string nor in a formatted one's field, so that its `!` is no Python.
_SHELL_LINE = re.compile(r"(?<!\\\n)^[ \t]*!(?!=|[rsa]\s*[:}])", re.MULTILINE)
_ASSIGNED = re.compile(r"^([ \t]*)[\w.\[\], \t]+=[ \t]*([%!])(.*)$")
_CONFLICT = re.compile(rb"^(?:<{7} |>{7} )", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*(?:\{([^}\n]*)\})?(.*)$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_PLACEHOLDER = re.compile(
    r"(?i)^[\W_]*(?:todo|tbd|tba|fixme|wip|coming soon|insert.*|<!--.*-->|\[[^\]]*\]|-\s*\[ \].*)?[\W_]*$"
)
_NUMBER = re.compile(r"\d(?:[.,]\d|\s*%)")  # the end of its whole part, and what makes it a measure


@dataclass(slots=True)
class _Program:
    """The Python of a notebook as one text, and where each of its lines stands."""

    lines: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # number of lines before each cell
    cells: list[int] = field(default_factory=list)
    commands: list[Fact] = field(default_factory=list)

    def add(self, cell: int, lines: list[str]) -> None:
        self.starts.append(len(self.lines))
        self.cells.append(cell)
        self.lines.extend(lines)

    def cell_texts(self) -> Iterator[tuple[int, int, str]]:
        """First line (from 0), line after the last one, and text of each cell."""
        for begin, end in zip(self.starts, [*self.starts[1:], len(self.lines)], strict=True):
            yield begin, end, "\n".join(self.lines[begin:end])


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a notebook. Raises ParseFailure when it is no notebook or none of its cells can be read.

    Outputs are never read. A cell that is no Python of this interpreter is left out, the others still count.
    """
    if not path.lower().endswith(".ipynb"):
        return _document(path, decode(data))
    return _jupyter(path, data)


def _jupyter(path: str, data: bytes) -> Iterator[Fact]:
    notebook = _load(data)
    language = _language(notebook)
    program = _Program()
    prose: list[tuple[int, str]] = []
    for number, cell in enumerate(_cells(notebook), 1):
        kind = cell.get("cell_type")
        source = _source(cell)
        if kind in ("markdown", "heading"):
            level = cell.get("level")
            prose.append(
                (
                    number,
                    f"{'#' * level} {source}" if kind == "heading" and isinstance(level, int) else source,
                )
            )
        elif (
            kind == "code"
            and language == "python"
            and cell.get("language", "python") in ("python", "python3")
        ):
            _cell(path, number, source, program)
    yield from _headings(path, prose)
    yield from program.commands
    found = _code(path, program)
    if found is not None:
        yield from code.facts(found, lambda line: _place(path, program, line))


def _load(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    collecting = gc.isenabled()
    gc.disable()
    try:
        notebook = json.loads(decode(data))
    except json.JSONDecodeError as error:
        if (conflict := _CONFLICT.search(data)) is not None:
            raise ParseFailure("merge conflict markers", data.count(b"\n", 0, conflict.start()) + 1) from None
        what = "empty" if not data.strip() else f"no JSON: {error.msg}"
        raise ParseFailure(f"no notebook: {what}", error.lineno if data.strip() else 0) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ParseFailure(f"no notebook: {type(error).__name__}") from None
    finally:
        if collecting:
            gc.enable()
    if not isinstance(notebook, dict) or not ("cells" in notebook or "worksheets" in notebook):
        raise ParseFailure("no notebook: JSON without cells")
    return notebook


def _language(notebook: dict[str, Any]) -> str:
    """`python` for Python kernels and for notebooks that name none."""
    metadata = notebook.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for key, name in (("kernelspec", "language"), ("language_info", "name"), ("kernelspec", "name")):
        about = metadata.get(key)
        text = about.get(name) if isinstance(about, dict) else None
        if isinstance(text, str) and text:
            lower = text.lower()
            if "python" in lower or "pyspark" in lower or lower.startswith(("conda", "py")):
                return "python"
            if key == "kernelspec" and name == "name":
                return (
                    "other"
                    if lower in ("ir", "scala", "javascript", "bash", "sql") or "julia" in lower
                    else "python"
                )
            return "other"
    return "python"


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells of a notebook of format 4 (`cells`) or 3 (`worksheets`)."""
    groups = [notebook.get("cells")]
    worksheets = notebook.get("worksheets")
    if isinstance(worksheets, list):
        groups.extend(sheet.get("cells") for sheet in worksheets if isinstance(sheet, dict))
    for group in groups:
        for cell in group if isinstance(group, list) else ():
            yield cell if isinstance(cell, dict) else {}


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join([part for part in source if isinstance(part, str)])
    if not isinstance(source, str):
        return ""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _cell(path: str, number: int, source: str, program: _Program) -> None:
    """Adds the Python of a cell to the program, its magics and shell lines blanked out, and its commands."""
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return
    lines = _dedented(lines, first)
    head = lines[first].strip()
    if head.startswith("%%"):
        word = re.match(r"%%\s*([\w!]*)", head)
        magic = word.group(1).lower() if word else ""
        if magic in _SHELL_MAGICS or (
            magic == "script" and re.match(r"%%script\s+(?:\S*/)?(?:ba)?sh\b", head)
        ):
            program.commands.extend(_commands(path, number, "\n".join(lines[first + 1 :]), first + 2))
        if magic not in _PYTHON_MAGICS:
            return
        lines[first] = ""
    elif head.startswith("%") and (head[1:].split() or [""])[0].lower() in _LANGUAGES:
        return
    elif re.match(r"%sh\b", head):  # on Databricks the whole cell is shell
        body = "\n".join([head[3:].strip(), *lines[first + 1 :]])
        program.commands.extend(_commands(path, number, body, first + 1))
        return
    text = "\n".join(lines)
    magic = ("%" in text or "!" in text or "?" in text) and _MAGIC_LINE.search(text)
    if magic and not _parses(text):
        lines = _without_magics(path, number, lines, program.commands)
    program.add(number, lines)


def _dedented(lines: list[str], first: int) -> list[str]:
    """The lines without the white space before the first one, as Jupyter runs a cell that begins indented."""
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip(" \t"))]
    return [line.removeprefix(indent) for line in lines] if indent else lines


def _without_magics(path: str, number: int, lines: list[str], commands: list[Fact]) -> list[str]:
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        text = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        assigned = _ASSIGNED.match(line)
        if assigned is not None:
            indent, sign, rest = assigned.groups()
            text = sign + rest
        if text[:1] not in ("%", "!", "?") and not (text.endswith("?") and not re.search(r"[#'\"]", text)):
            kept.append(line)
            at += 1
            continue
        begin = at
        whole = [text]
        while whole[-1].endswith("\\") and at + 1 < len(lines):
            at += 1
            whole.append(lines[at].rstrip())
        at += 1
        body = "\n".join(whole)
        word, _, rest = body[1:].lstrip("!%").partition(" ")
        if text.startswith("!"):
            commands.extend(_commands(path, number, body.lstrip("!").lstrip(), begin + 1))
        elif text.startswith("%") and word in _COMMAND_MAGICS:
            script = rest if word in ("sx", "system", "sh", "bash") else f"{word} {rest}"
            commands.extend(_commands(path, number, script, begin + 1))
        elif text.startswith("%") and word in ("run", "cd"):
            commands.extend(_runs(path, number, rest.strip(), begin + 1) if word == "run" else ())
        elif (
            text.startswith("%")
            and word in _STATEMENT_MAGICS
            and rest.strip()
            and not rest.lstrip().startswith("-")
        ):
            kept.append(indent + rest.strip())
            kept.extend(whole[1:])
            continue
        kept.append(f"{indent}pass")
        kept.extend("" for _ in range(at - begin - 1))
    return kept


def _commands(path: str, number: int, script: str, line: int) -> Iterator[Fact]:
    for command in shell.commands(script, line):
        yield code.command_fact(command, "notebook", Site(path, command.line, number), {})


def _runs(path: str, number: int, arguments: str, line: int) -> Iterator[Fact]:
    """`%run ./other`: another notebook or script, run in this one."""
    words = [word for word in shell.words(arguments) if not word.startswith("-")]
    if not words:
        return
    folder = posixpath.dirname(path)
    traits: dict[str, TraitValue] = {"unit": path, "system": "notebook", "directory": folder}
    if not words[0].startswith(("/", "$")):
        below = posixpath.normpath(posixpath.join(folder, words[0]))
        traits["runs"] = (below,) if below.endswith((".py", ".ipynb")) else (f"{below}.py", f"{below}.ipynb")
    yield Fact(Kind.COMMAND, " ".join(("%run", *words)), Site(path, line, number), traits)


def _parses(text: str) -> bool:
    if '"""' not in text and "'''" not in text and _SHELL_LINE.search(text):
        return False
    try:
        code.tree_of(text)
    except ParseFailure:
        return False
    return True


def _code(path: str, program: _Program) -> code.Code | None:
    """The code of all cells as one program; cells that are no Python are left out when there are others."""
    text = "\n".join(program.lines)
    if not text.strip():
        return None
    if len(text) > MAX_CODE:
        raise NotRead(f"more than {MAX_CODE} characters of code")
    try:
        return code.read_text(path, text)
    except ParseFailure as whole:
        failure = whole
    lines, readable = list(program.lines), 0
    for begin, end, part in program.cell_texts():
        try:
            code.tree_of(part)
            readable += bool(part.strip())
        except ParseFailure as broken:
            old = code.repaired(part, True) if code.is_python_2(broken) else None
            readable += old is not None
            failure = ParseFailure(broken.reason) if not readable else failure
            lines[begin:end] = old.split("\n") if old is not None else [""] * (end - begin)
    if not readable:
        raise failure
    return code.read_text(path, "\n".join(lines))


def _place(path: str, program: _Program, line: int) -> Site:
    cell = bisect_right(program.starts, line - 1) - 1
    return Site(path, line - program.starts[cell], program.cells[cell])


# ------------------------------------------------------------------------------------- R Markdown and Quarto


def _document(path: str, text: str) -> Iterator[Fact]:
    """The facts of the Python chunks of a document; chunks that are never evaluated are left out."""
    kept: list[str] = []
    fence, python = "", False
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if fence:
            if (
                match is not None
                and match.group(1).startswith(fence)
                and not match.group(2)
                and not match.group(3).strip()
            ):
                fence = ""
                kept.append("")
            else:
                kept.append(line if python else "")
            continue
        if match is not None:
            fence = match.group(1)
            options = match.group(2) or ""
            python = bool(re.match(r"\s*python\b", options)) and not re.search(r"eval\s*=\s*F", options)
        kept.append("")
    program = _Program()
    start = 0
    for end, line in enumerate([*kept, ""]):
        if line == "" and end >= start:
            part = kept[start:end]
            if any(part) and re.search(
                r"^#\|\s*eval:\s*false", "\n".join(part), re.MULTILINE | re.IGNORECASE
            ):
                kept[start:end] = [""] * (end - start)
            start = end + 1
    program.add(0, _without_magics(path, 0, kept, program.commands) if any(kept) else [])
    yield from program.commands
    found = _code(path, program)
    if found is not None:
        yield from code.facts(found, lambda line: Site(path, line))


# -------------------------------------------------------------------------------------------------- headings


def _headings(path: str, prose: list[tuple[int, str]]) -> Iterator[Fact]:
    """The headings of Markdown cells with what stands below them, up to the next of the same level or above."""
    titles: list[tuple[int, str, int, int, int]] = []  # level, text, cell, line, lines of text before it
    said: list[str] = []  # the lines of text
    for number, source in prose:
        fenced = False
        for line, text in enumerate(source.split("\n"), 1):
            stripped = text.strip()
            if stripped.startswith("```"):
                fenced = not fenced
            match = _HEADING.match(text) if stripped.startswith("#") and not fenced else None
            if match is not None:
                title = re.sub(r"[*_`]|<[^>]*>", "", match.group(2))
                titles.append((len(match.group(1)), title, number, line, len(said)))
            elif stripped:
                said.append(stripped)
    document = titles[0][1] if titles else ""
    whole = "\n".join(said)
    starts = list(accumulate((len(text) + 1 for text in said), initial=0))
    words = list(accumulate((len(text.split()) for text in said), initial=0))
    numbers = [found.span() for found in _NUMBER.finditer(whole)]
    parents: list[tuple[int, str]] = []
    for index, (level, text, number, line, begin) in enumerate(titles):
        while parents and parents[-1][0] >= level:
            parents.pop()
        later = (titles[other] for other in range(index + 1, len(titles)))
        end = next((before for other, _, _, _, before in later if other <= level), len(said))
        start, stop = starts[begin], starts[end] - 1
        first = bisect_left(numbers, (start, 0))
        traits: dict[str, TraitValue] = {
            "level": str(level),
            "words": str(words[end] - words[begin]),
            "document": document,
        }
        if any(not _PLACEHOLDER.match(said[row]) for row in range(begin, end)):
            traits["filled"] = "yes"
        if first < len(numbers) and numbers[first][1] <= stop:
            traits["numbers"] = "yes"
        if parents:
            traits["parents"] = tuple(title for _, title in parents)
        if begin < end:
            traits["text"] = whole[start : min(stop, start + 2000)]
        parents.append((level, text))
        yield Fact(Kind.HEADING, text, Site(path, line, number), traits)
