"""Jenkinsfiles: stages with their shell steps, approvals, conditions and triggers, read without running Groovy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mlops_audit import automation
from mlops_audit.automation import Script, kept
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import MAX_BYTES, decode

PLACE = re.compile(r"(?:.*/)?(?:[^/]*jenkinsfile[^/]*|[^/]*\.(?:groovy|jenkins))", re.IGNORECASE)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """A job for every stage; a Jenkinsfile counts as started by pushes, its triggers are registered elsewhere."""
    if not PLACE.fullmatch(path) or len(data) > MAX_BYTES:
        return
    text = decode(data)
    if "jenkinsfile" not in path.lower() and not re.search(r"\bpipeline\s*\{", text):
        return
    yield from _facts(path, list(_tokens(text)))


class _Token(NamedTuple):
    kind: str  # "word", "text", "{", "}", "(", ")", "other"
    value: str
    line: int


_WITHOUT_OPEN_COMMENTS = (
    r"(?P<comment>//[^\n]*)|(?P<text>'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\")"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<mark>[{}()])|(?P<line>\n)|(?P<other>[^\sA-Za-z_'\"/{}()]+|/)"
)
_PIECES = re.compile(_WITHOUT_OPEN_COMMENTS.replace("//[^\\n]*", r"//[^\n]*|/\*.*?\*/", 1), re.DOTALL)
_LAST_PIECES = re.compile(_WITHOUT_OPEN_COMMENTS, re.DOTALL)


def _pieces(text: str) -> Iterator[re.Match[str]]:
    """The pieces of a text; where no comment ends any more, none is looked for: each beginning of one would ask for the
    whole rest."""
    last, found = text.rfind("*/"), _PIECES.search(text)
    while found is not None:
        yield found
        found = (_PIECES if found.end() <= last else _LAST_PIECES).search(text, found.end())


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _pieces(text):
        value = match[0]
        if match.lastgroup == "word":
            yield _Token("word", value, line)
        elif match.lastgroup == "text":
            quote = 3 if value.startswith(("'''", '"""')) else 1
            yield _Token("text", value[quote:-quote], line)
        elif match.lastgroup == "mark":
            yield _Token(value, value, line)
        elif match.lastgroup == "other":
            yield _Token("other", value, line)
        line += value.count("\n")


@dataclass(slots=True)
class _Block:
    head: str
    argument: str
    line: int


@dataclass(slots=True)
class _Stage:
    name: str
    line: int
    manual: bool = False
    dead: bool = False
    condition: str = ""


def _facts(path: str, tokens: list[_Token]) -> Iterator[Fact]:
    crons = [
        t.value
        for i, t in enumerate(tokens)
        if t.kind == "text"
        and any(w.value in ("cron", "parameterizedCron") for w in tokens[max(0, i - 2) : i])
    ]
    polled = any(t.kind == "word" and t.value == "pollSCM" for t in tokens)
    triggers = tuple(sorted({"push", *(["schedule"] if crons else []), *(["push"] if polled else [])}))
    blocks: list[_Block] = []
    stages: list[_Stage] = []
    found: list[Fact] = []
    jobs: list[_Stage] = []
    waiting = False  # an `input` of an earlier stage stands before all later ones
    variables: dict[str, str] = {}
    for number, token in enumerate(tokens):
        if token.kind == "{":
            head, argument = _head(tokens, number)
            blocks.append(_Block(head, argument, token.line))
            if head == "stage":
                stages.append(_Stage(argument or f"stage {len(jobs) + 1}", token.line, manual=waiting))
                jobs.append(stages[-1])
        elif token.kind == "}":
            if blocks and blocks.pop().head == "stage" and stages:
                stages.pop()
        elif token.kind == "word":
            before = tokens[number - 1] if number else None
            inside = [block.head for block in blocks]
            if (
                token.value == "input"
                and stages
                and (number + 1 == len(tokens) or tokens[number + 1].value not in ("=", ".", ":"))
            ):
                stages[-1].manual = waiting = True
            elif "when" in inside and stages:
                stages[-1].condition = f"{stages[-1].condition} {token.value}".strip()[:300]
                stages[-1].dead |= token.value == "false" and "expression" in inside and "not" not in inside
            elif inside[-1:] == ["environment"] and _is_assignment(tokens, number):
                variables[token.value] = tokens[number + 2].value
            elif token.value in ("sh", "bat", "powershell", "pwsh") and (
                before is None or before.value not in (".", "def", ":")
            ):
                found += _shell(path, tokens, number, blocks, stages, triggers, variables)
            elif token.value in ("image", "docker.image", "docker.build"):
                text = next((t for t in tokens[number + 1 : number + 3] if t.kind == "text"), None)
                if text is not None and (token.value == "docker.image" or "docker" in inside):
                    found.append(
                        automation.image(text.value, path, text.line, _shared(path, stages, triggers))
                    )
    for stage in jobs:
        shared = _shared(path, [stage], triggers)
        own = kept({"manual": stage.manual, "schedule": tuple(crons), "workflow": ""})
        yield automation.job(stage.name, path, stage.line, {**shared, **own})
    yield from found


def _is_assignment(tokens: list[_Token], number: int) -> bool:
    after = tokens[number + 1 : number + 3]
    return len(after) == 2 and after[0].value == "=" and after[1].kind == "text" and "$" not in after[1].value


def _head(tokens: list[_Token], at: int) -> tuple[str, str]:
    """The word in front of a block and the text in its brackets: `stage('x') {` gives stage and x."""
    i, argument = at - 1, ""
    if i >= 0 and tokens[i].kind == ")":
        depth = 0
        for place in range(i, max(-1, i - 200), -1):
            i = place
            if tokens[i].kind == "text":
                argument = tokens[i].value
            depth += {")": 1, "(": -1}.get(tokens[i].kind, 0)
            if not depth:
                break
        i -= 1
    elif i >= 0 and tokens[i].kind == "text":
        argument = tokens[i].value
        i -= 1
    return (tokens[i].value if i >= 0 and tokens[i].kind == "word" else ""), argument


def _shared(path: str, stages: list[_Stage], triggers: tuple[str, ...]) -> dict[str, TraitValue]:
    stage = stages[-1] if stages else None
    return kept({
        "unit": f"{path}#{stage.name}" if stage is not None else path, "system": "jenkins", "triggers": triggers,
        "step": stage.name if stage is not None else "", "condition": stage.condition if stage is not None else "",
        "dead": any(s.dead for s in stages),
    })  # fmt: skip


def _shell(
    path: str,
    tokens: list[_Token],
    at: int,
    blocks: list[_Block],
    stages: list[_Stage],
    triggers: tuple[str, ...],
    variables: dict[str, str],
) -> list[Fact]:
    """The commands of `sh '...'`, `sh(script: '...', returnStatus: true)`, `bat ...`."""
    ahead = tokens[at + 1 : at + 16]
    if ahead and ahead[0].kind == "(":
        close = next((n for n, t in enumerate(ahead) if t.kind == ")"), len(ahead))
        ahead = ahead[:close]
    text = next(
        (
            t
            for n, t in enumerate(ahead)
            if t.kind == "text" and (n < 2 or ahead[n - 2].value == "script" or n < 4)
        ),
        None,
    )
    if text is None or any(t.kind in "{}" for t in ahead[: ahead.index(text)]):
        return []
    swallowed = any(t.value == "returnStatus" for t in ahead) or any(
        b.head in ("catchError", "warnError") for b in blocks
    )
    inside = [block.head for block in blocks]
    after = next((h for h in inside if h == "post"), "")
    places = [block.argument for block in blocks if block.head == "dir"]
    directory = "/".join(place.strip("/").removeprefix("./") for place in places)
    traits = {**_shared(path, stages, triggers), **kept({"masked": swallowed, "condition": after})}
    script = re.sub(r"\\\n", "\\\n", text.value).replace("\\$", "$").replace('\\"', '"')
    found = Script(script, text.line)
    return automation.commands(
        found, path, traits, directory="?" if "$" in directory else directory, variables=variables
    )
