"""R scripts and the R chunks of R Markdown and Quarto: imports, calls, comparisons, {targets} pipelines, services."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlops_audit.facts import Fact, Kind, Site, TraitValue, values
from mlops_audit.parse.nodes import MAX_BYTES, NotRead, decode
from mlops_audit.r.tokens import CLOSING, tokens

MAX_NESTING = 200
MAX_ARGUMENT = 200

COMPARISONS = frozenset({"<", ">", "<=", ">=", "==", "!="})
WORDS = frozenset({"if", "else", "for", "while", "repeat", "function", "in", "next", "break", "return"})
LOADERS = frozenset({"library", "require", "requireNamespace", "loadNamespace", "base::library", "base::require",
                     "base::requireNamespace", "base::loadNamespace"})  # fmt: skip
TARGETS = re.compile(
    r"(?:targets::|tarchetypes::)?tar_(?:target\w*|files?(?:_input)?|render|quarto|url|parquet|rds|csv)"
)
SCHEDULERS = {
    "cron_add": "frequency",
    "cronR::cron_add": "frequency",
    "taskscheduler_create": "schedule",
    "taskscheduleR::taskscheduler_create": "schedule",
}
ENDPOINT = re.compile(r"#[*'][^\S\n]*@(get|post|put|delete|head|patch|use)[^\S\n]+(\S+)", re.IGNORECASE)


@dataclass(slots=True)
class Frame:
    """An open bracket: of a call, of the head of an `if`, `while`, `for` or `function`, or of a body."""

    bracket: str  # "" for a body without braces, which ends with its line
    line: int
    start: int  # index of the first token inside
    name: str = ""  # the call's name, or the function's for heads and bodies of functions
    word: str = ""  # the keyword of a head or of its body
    condition: str = ""
    traits: dict[str, TraitValue] = field(default_factory=dict)
    commas: list[int] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    head: Frame | None = None


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of an R script, or of the R chunks of a document."""
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    text = decode(data)
    if not path.lower().endswith((".rmd", ".qmd")):
        return _Script(path).read(text, 1, dead=False).facts()
    from mlops_audit.r.chunks import chunks

    script = _Script(path)
    for line, chunk, dead in chunks(text):
        script.read(chunk, line, dead)
    return script.facts()


class _Script:
    """The facts of one file, gathered over its chunks, which share their variables."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Fact] = []
        self.targets: list[Fact] = []
        self.endpoints: list[tuple[int, str]] = []
        self.modules: dict[str, str] = {}  # variables that hold a Python module
        self.literals: dict[str, TraitValue] = {}
        self.imported: set[str] = set()

    def read(self, text: str, line: int, dead: bool) -> _Script:
        if not dead:
            for found in ENDPOINT.finditer(text):
                where = line + text.count("\n", 0, found.start())
                self.endpoints.append((where, f"{found[1].upper()} {found[2]}"))
        self.text, self.unevaluated = text, dead
        self.tokens = list(tokens(text, line))
        self.stack: list[Frame] = []
        awaited: Frame | None = None  # the head whose body comes next
        index = 0
        while index < len(self.tokens):
            token = self.tokens[index]
            if awaited is not None and token.kind != "newline":
                self.push(Frame("{" if token.text == "{" and token.kind == "operator" else "", token.line, index,
                                awaited.name, awaited.word, awaited.condition, head=awaited))  # fmt: skip
                awaited = None
                if self.stack[-1].bracket:
                    index += 1
                    continue
            if token.kind == "newline":
                if awaited is None:
                    self.end_lines()
            elif token.kind == "name":
                if token.text == "repeat":
                    awaited = Frame("(", token.line, index, word="repeat")
                elif token.text == "else":
                    self.end_lines()
                elif self.at(index + 1) == "::" or self.at(index + 1) == ":::":
                    self.imports(token.text, token.line)
            elif token.kind == "operator":
                if token.text in CLOSING:
                    self.push(self.opened(index))
                elif token.text in CLOSING.values():
                    awaited = self.close(token.text, index) or awaited
                elif token.text == ",":
                    self.end_lines()
                    if self.stack:
                        self.stack[-1].commas.append(index)
                elif token.text in ("<-", "=", "<<-"):
                    self.assigned(index)
            index += 1
        self.end_lines()
        return self

    def push(self, frame: Frame) -> None:
        if len(self.stack) >= MAX_NESTING:
            raise NotRead("nested too deeply", frame.line)
        self.stack.append(frame)

    def at(self, index: int) -> str:
        """The text of an operator or name, "" for strings and past the ends."""
        if 0 <= index < len(self.tokens) and self.tokens[index].kind in ("name", "operator", "newline"):
            return self.tokens[index].text
        return ""

    def opened(self, index: int) -> Frame:
        """The frame of the bracket at the index: a head, a call, or a mere bracket."""
        bracket, line, before = self.tokens[index].text, self.tokens[index].line, index - 1
        frame = Frame(bracket, line, index + 1)
        if bracket != "(" or before < 0:
            return frame
        word = self.at(before)
        if word in ("if", "while", "for", "function", "\\"):
            frame.word = "function" if word == "\\" else word
            if frame.word == "function" and self.at(before - 1) in ("<-", "=", "<<-") and before > 1:
                frame.name = self.tokens[before - 2].text
            return frame
        name = self.name(before)
        if name and word not in WORDS:
            frame.name, frame.line = name, self.tokens[before].line
            frame.traits = self.surroundings()
            for outer in self.stack:
                if outer.word:
                    outer.calls.append(name)
        return frame

    def name(self, index: int) -> str:
        """The name that ends at the index: `fn`, `pkg::fn`, `object$fn`; members of Python modules as in Python."""
        if self.tokens[index].kind not in ("name", "string"):
            return ""
        parts = [self.tokens[index].text]
        start = index
        while (
            self.at(start - 1) in ("::", ":::", "$", "@")
            and start > 1
            and self.tokens[start - 2].kind == "name"
        ):
            parts[:0] = [
                self.tokens[start - 2].text,
                "::" if ":" in self.at(start - 1) else self.at(start - 1),
            ]
            start -= 2
        if self.tokens[index].kind == "string" and len(parts) == 1:
            return ""
        if module := self.modules.get(parts[0]):
            return ".".join([module, *(part for part in parts[1:] if part != "$")])
        return "".join(parts)

    def surroundings(self) -> dict[str, TraitValue]:
        """The traits that a call has through what encloses it."""
        bodies = [frame for frame in reversed(self.stack) if frame.word and frame.head is not None]
        traits: dict[str, TraitValue] = {}
        if guards := tuple(frame.condition for frame in bodies if frame.condition):
            traits["guard"] = guards
        if function := next((frame.name for frame in bodies if frame.word == "function" and frame.name), ""):
            traits["function"] = function
        if any(frame.word in ("for", "while", "repeat") for frame in bodies):
            traits["loop"] = "yes"
        if self.unevaluated or any(guard in ("FALSE", "F", "0") for guard in guards):
            traits["dead"] = "yes"
        return traits

    def end_lines(self) -> None:
        """Close the bodies without braces that end here."""
        while self.stack and not self.stack[-1].bracket:
            self.finish(self.stack.pop())

    def close(self, bracket: str, index: int) -> Frame | None:
        """Close the innermost bracket; a head is given back, for its body comes next."""
        self.end_lines()
        if not self.stack or CLOSING[self.stack[-1].bracket] != bracket:
            return None
        frame = self.stack.pop()
        if frame.head is not None:
            self.finish(frame)
        elif frame.word:
            inside = self.tokens[frame.start : index]
            if frame.word in ("if", "while"):
                frame.condition = self.source(frame.start, index, 300)
                frame.traits = self.surroundings()
                if not any(token.text in COMPARISONS and token.kind == "operator" for token in inside):
                    frame.traits["truth"] = "yes"
            return frame
        elif frame.name:
            self.called(frame, index)
        return None

    def finish(self, body: Frame) -> None:
        """The facts of a body that ends: the comparison that guards it, or the function it belongs to."""
        head = body.head
        if head is None:
            return
        calls = tuple(dict.fromkeys(body.calls))
        if body.word in ("if", "while") and "truth" not in head.traits:
            leads = [
                "raise" if name in ("stop", "rlang::abort", "abort", "quit", "q") else name for name in calls
            ]
            if "return" in (self.at(i) for i in range(body.start, min(body.start + 400, len(self.tokens)))):
                leads.append("return")
            traits: dict[str, TraitValue] = {"form": "if", "leads": tuple(dict.fromkeys(leads))}
            traits.update({k: v for k, v in head.traits.items() if k in ("function", "dead")})
            self.found.append(Fact(Kind.COMPARISON, head.condition, Site(self.path, head.line), traits))
        elif body.word == "function" and body.name:
            starts = [head.start, *(comma + 1 for comma in head.commas)]
            parameters = tuple(self.tokens[i].text for i in starts if self.tokens[i].kind == "name")
            traits = {"form": "function", "parameters": parameters, "calls_inside": calls}
            self.found.append(Fact(Kind.DEFINITION, body.name, Site(self.path, head.line), traits))

    def source(self, start: int, end: int, longest: int = MAX_ARGUMENT) -> str:
        """The source text of tokens, white space folded."""
        while start < end and self.tokens[start].kind == "newline":
            start += 1
        if start >= end:
            return ""
        begin = self.tokens[start].start
        return " ".join(self.text[begin : min(self.tokens[end - 1].end, begin + 2 * longest)].split())[
            :longest
        ]

    def value(self, start: int, end: int) -> TraitValue:
        """The text of a literal, the elements of a vector of literals, else the source text."""
        inside = [token for token in self.tokens[start:end] if token.kind != "newline"][: MAX_ARGUMENT + 1]
        if len(inside) == 1:
            only = inside[0]
            return self.literals.get(only.text, only.text) if only.kind == "name" else only.text
        if (
            len(inside) > 3
            and inside[0].text in ("c", "list")
            and inside[1].text == "("
            and inside[-1].text == ")"
        ):
            elements = [token for token in inside[2:-1] if token.text != ","]
            if all(token.kind in ("string", "number") for token in elements) and len(inside) <= MAX_ARGUMENT:
                return tuple(token.text for token in elements)
        return self.source(start, end)

    def arguments(self, frame: Frame, end: int) -> Iterator[tuple[str, int, int]]:
        """The arguments of a call: name or "", and the range of tokens of the value."""
        starts = [frame.start, *(comma + 1 for comma in frame.commas)]
        for start, stop in zip(starts, [*frame.commas, end], strict=True):
            while start < stop and self.tokens[start].kind == "newline":
                start += 1
            named = (
                self.at(start + 1) == "="
                and start + 1 < stop
                and self.tokens[start].kind in ("name", "string")
            )
            if named:
                yield self.tokens[start].text, start + 2, stop
            elif start < stop:
                yield "", start, stop

    def called(self, frame: Frame, end: int) -> None:
        """The facts of a call whose bracket closes at the index."""
        traits = dict(frame.traits)
        position = 0
        ranges: dict[str, tuple[int, int]] = {}
        for name, start, stop in self.arguments(frame, end):
            position += not name
            key = f"{name}=" if name else str(position)
            traits[key] = self.value(start, stop)
            ranges[key] = (start, stop)
        site = Site(self.path, frame.line)
        self.found.append(Fact(Kind.CALL, frame.name, site, traits))
        first = traits.get("1") or traits.get("package=") or ""
        if frame.name in LOADERS and isinstance(first, str) and re.fullmatch(r"[\w.]+", first):
            if traits.get("character.only=") not in ("TRUE", "T"):
                self.imports(first, frame.line, traits)
        elif frame.name.endswith("p_load"):
            for value in (v for k, v in traits.items() if k.isdigit()):
                self.imports(str(value), frame.line, traits)
        elif TARGETS.fullmatch(frame.name) and "dead" not in traits:
            self.target(frame, traits, ranges)
        elif (frequency := SCHEDULERS.get(frame.name)) and "dead" not in traits:
            schedule = traits.get(f"{frequency}=") or "daily"
            found = {"system": "cron", "schedule": schedule, "triggers": ("schedule",), "unit": self.path}
            self.found.append(Fact(Kind.PIPELINE, str(traits.get("id=") or self.path), site, found))
        elif frame.name in ("vetiver_api", "vetiver::vetiver_api") and "dead" not in traits:
            found = {"system": "vetiver", "id": self.path, "unit": self.path}
            self.found.append(Fact(Kind.RESOURCE, "service", site, found))

    def imports(self, package: str, line: int, traits: dict[str, TraitValue] | None = None) -> None:
        found: dict[str, TraitValue] = {"module": package}
        if self.unevaluated or (traits and "dead" in traits) or "dead" in self.surroundings():
            found["dead"] = "yes"
        elif package in self.imported:
            return
        else:
            self.imported.add(package)
        self.found.append(Fact(Kind.IMPORT, package, Site(self.path, line), found))

    def assigned(self, index: int) -> None:
        """Remember variables that hold a literal, at the top, or a Python module."""
        if (
            index < 1
            or self.tokens[index - 1].kind != "name"
            or any(frame.bracket != "{" for frame in self.stack)
        ):
            return
        variable = self.tokens[index - 1].text
        after = self.tokens[index + 1 : index + 7]
        texts = [token.text for token in after]
        if texts[:3] == ["reticulate", "::", "import"]:
            texts, after = texts[2:], after[2:]
        if texts[:2] == ["import", "("] and len(after) > 2 and after[2].kind == "string":
            self.modules[variable] = texts[2]
        elif (
            not self.stack
            and after
            and after[0].kind in ("string", "number")
            and (len(after) == 1 or after[1].kind == "newline")
        ):
            self.literals[variable] = texts[0]

    def target(self, frame: Frame, traits: dict[str, TraitValue], ranges: dict[str, tuple[int, int]]) -> None:
        """A {targets} step; the names in its command are the targets it depends on, known once all are read."""
        name = traits.get("name=") or traits.get("1") or ""
        command = next(
            (ranges[key] for key in ("command=", "2" if "1" in traits else "1", "path=") if key in ranges),
            None,
        )
        found: dict[str, TraitValue] = {
            "system": "targets",
            "unit": f"{self.path}#{name}",
            "pipeline": self.path,
        }
        if command:
            found["command"] = self.source(*command)
            names = (token.text for token in self.tokens[slice(*command)] if token.kind == "name")
            found["deps"] = tuple(dict.fromkeys(names))
        if traits.get("format="):
            found["format"] = traits["format="]
        self.targets.append(Fact(Kind.STEP, str(name), Site(self.path, frame.line), found))

    def facts(self) -> list[Fact]:
        """Everything found, with the pipeline and the service that the file as a whole makes up."""
        facts = self.found
        if self.targets:
            names = {fact.name for fact in self.targets}
            for fact in self.targets:
                deps = tuple(d for d in values(fact.traits.get("deps")) if d in names and d != fact.name)
                facts.append(Fact(fact.kind, fact.name, fact.site, {**fact.traits, "deps": deps}))
            traits: dict[str, TraitValue] = {"system": "targets", "triggers": ("manual",), "unit": self.path}
            facts.append(Fact(Kind.PIPELINE, self.path, Site(self.path, self.targets[0].site.line), traits))
        if self.endpoints:
            lines, endpoints = zip(*self.endpoints, strict=True)
            traits = {"system": "plumber", "id": self.path, "endpoint": endpoints, "unit": self.path}
            facts.append(Fact(Kind.RESOURCE, "service", Site(self.path, lines[0]), traits))
        return facts
