"""Makefiles and justfiles: targets, what they need, and the commands of their recipes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlops_audit import automation
from mlops_audit.automation import Script, kept
from mlops_audit.facts import Fact
from mlops_audit.parse.nodes import MAX_BYTES, NotRead, ParseFailure, decode

MAX_VALUE = 2_000


@dataclass(slots=True)
class Target:
    name: str
    line: int
    needs: list[str] = field(default_factory=list)
    recipe: list[Script] = field(default_factory=list)


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """A job for every target, with the commands of its recipe."""
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    text = decode(data)
    if "\x00" in text:
        raise ParseFailure("a NUL byte in a text file")
    name = path.rpartition("/")[2].lower()
    if "justfile" in name or name.endswith(".just"):
        return _facts(path, "just", *_just(text))
    if name in ("makefile", "gnumakefile") or re.match(r"(?:gnu)?makefile[.-]|.*[.-]makefile$|.*\.mk$", name):
        return _facts(path, "make", *_make(text))
    return ()


def _facts(path: str, system: str, targets: list[Target], variables: dict[str, str]) -> Iterator[Fact]:
    folder = path.rpartition("/")[0]
    known = {target.name for target in targets}
    for target in targets:
        shared = {"unit": f"{path}#{target.name}", "system": system}
        runs = tuple(
            f"{path}#{need}" for need in dict.fromkeys(target.needs) if need in known and need != target.name
        )
        yield automation.job(
            target.name, path, target.line, {**shared, **kept({"runs": runs, "needs": tuple(target.needs)})}
        )
        for script in target.recipe:
            for masked, line in _recipe_line(script):
                traits = {**shared, **kept({"masked": masked})}
                yield from automation.commands(
                    line,
                    path,
                    traits,
                    directory=folder,
                    variables=variables if system == "just" else None,
                    goes_on=True,
                )


def _recipe_line(script: Script) -> Iterator[tuple[bool, Script]]:
    """A recipe line without the marks `@`, `-` and `+`; `-` swallows its failure."""
    marks = re.match(r"[@+\-\s]*", script.text)
    text = script.text[marks.end() :] if marks else script.text
    yield ("-" in marks[0] if marks else False), Script(text, script.line, script.flat)


# ------------------------------------------------------------------------------------------------------ make

_ASSIGNMENT = re.compile(
    r"\s*(?:(?:export|override|unexport)\s+)*([A-Za-z_][\w.-]*)\s*(::?:?=|\?=|\+=|!=|=)\s*(.*)"
)
_RULE = re.compile(r"((?:[^\s:=#][^:=#]*?))\s*::?(?!=)\s*(.*)")
_REFERENCE = re.compile(r"\$[({]([A-Za-z_][\w.-]*)[)}]")
_DIRECTIVE = re.compile(
    r"(-?include|sinclude|ifeq|ifneq|ifdef|ifndef|else|endif|vpath|\.PHONY|\.SILENT|\.DEFAULT_GOAL|\.ONESHELL)\b"
)


def _make(text: str) -> tuple[list[Target], dict[str, str]]:
    """The targets in their order, the default one first, with known variables put into their recipes."""
    targets: dict[str, Target] = {}
    variables: dict[str, str] = {}
    current: list[Target] = []
    default, one_shell, in_define = "", False, False
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        start = number
        line = lines[number]
        while line.endswith("\\") and number + 1 < len(lines):
            number += 1
            line += "\n" + lines[number]
        number += 1
        if in_define or re.match(r"\s*define\b", line):
            in_define = not re.match(r"\s*endef\b", line)
        elif line.startswith("\t") and current:
            if line.strip() and not line.strip().startswith("#"):
                for target in current:
                    target.recipe.append(Script(line[1:], start + 1))
        elif not line.strip() or line.lstrip().startswith("#"):
            continue
        elif re.match(r"\s*\.ONESHELL\b", line):
            one_shell = True
        elif not line.startswith("\t") and (assignment := _ASSIGNMENT.match(line)) and _is_assignment(line):
            _assign(variables, assignment[1], assignment[2], _joined(assignment[3]))
            if assignment[1] == ".DEFAULT_GOAL":
                default = assignment[3].strip()
        elif goal := re.match(r"\.DEFAULT_GOAL\s*:?=\s*(\S+)", line):
            default = goal[1]
        elif _DIRECTIVE.match(line.lstrip()):
            continue
        elif rule := _RULE.match(_joined(line)):
            current = _rule(targets, variables, rule, start + 1)
    for target in targets.values():
        target.recipe = [_filled_script(script, variables, target) for script in target.recipe]
        if one_shell and target.recipe:
            target.recipe = [Script("\n".join(s.text for s in target.recipe), target.recipe[0].line)]
    ordered = sorted(targets.values(), key=lambda target: target.name != default)
    return ordered, variables


def _is_assignment(line: str) -> bool:
    colon = line.find(":")
    equals = line.find("=")
    return colon < 0 or (equals <= colon + 3 and line[colon:equals].strip(":") == "") or equals < colon


def _joined(text: str) -> str:
    return re.sub(r"\s*\\\n\s*", " ", text).strip()


def _assign(variables: dict[str, str], name: str, sign: str, raw: str) -> None:
    value = _filled(re.sub(r"\s+#.*", "", raw), variables)
    if sign == "?=" and name in variables:
        return
    if sign == "+=" and name in variables:
        value = f"{variables[name]} {value}"
    if (
        sign == "!="
        or len(value) > MAX_VALUE
        or re.search(r"\$\((?:shell|wildcard|if|foreach|patsubst|call)\b", value)
    ):
        variables.pop(name, None)
    else:
        variables[name] = value


def _rule(
    targets: dict[str, Target], variables: dict[str, str], rule: re.Match[str], line: int
) -> list[Target]:
    needs, _, inline = rule[2].partition(";")
    if re.match(
        r"\s*(?:(?:export|override|private|unexport)\s+)*[\w.-]+\s*(?:[:?+]|::)?=", rule[2]
    ):  # a variable of the target
        needs, inline = "", ""
    wanted = [word for word in _filled(needs.partition("#")[0], variables).split() if word != "|"]
    found: list[Target] = []
    for name in _filled(rule[1], variables).split()[:50]:
        if name.startswith(".") and "/" not in name and name.isupper():
            continue
        target = targets.setdefault(name, Target(name, line))
        target.needs.extend(wanted)
        if inline.strip():
            target.recipe.append(Script(inline, line))
        found.append(target)
    return found


def _filled(text: str, variables: dict[str, str]) -> str:
    """The text with known variables put in, once; values are kept short by the caller."""
    return _REFERENCE.sub(lambda m: variables.get(m[1], m[0]), text)


def _filled_script(script: Script, variables: dict[str, str], target: Target) -> Script:
    """A recipe line as the shell gets it: variables put in, `$(MAKE)` as `make`, `$$` as `$`."""
    automatic = {"@": target.name, "<": target.needs[0] if target.needs else "", "^": " ".join(target.needs)}
    text = re.sub(r"\$[({]MAKE[)}]", "make", script.text)
    text = re.sub(r"\$[({]CURDIR[)}]", ".", text)
    for _ in range(3):
        if len(text) < 20_000:
            text = _filled(text, variables)
    text = re.sub(r"(?<!\$)\$([@<^])", lambda m: automatic[m[1]] or m[0], text)
    # what make would still put in is a hole, not a substitution of the shell
    text = re.sub(r"(?<!\$)\$\(([A-Za-z_][\w.-]*)\)", r"${\1}", text)
    text = re.sub(
        r"(?<!\$)\$\((\w+) ([^()$]*)\)", lambda m: f"${{{m[1]}}}" if m[1] != "shell" else f"$({m[2]})", text
    )
    return Script(text.replace("$$", "$"), script.line, script.flat)


# ------------------------------------------------------------------------------------------------------ just

_RECIPE = re.compile(r"@?([A-Za-z_][\w-]*)((?:\s+[^:=\s]+(?:=(?:'[^']*'|\"[^\"]*\"|\S+))?)*)\s*:(?!=)\s*(.*)")


def _just(text: str) -> tuple[list[Target], dict[str, str]]:
    targets: list[Target] = []
    variables: dict[str, str] = {}
    current: Target | None = None
    script = False
    for number, line in enumerate(text.split("\n"), 1):
        if line[:1] in (" ", "\t") and current is not None:
            body = line.strip()
            if body.startswith("#!"):
                script = True
                current.recipe.append(Script(body + "\n", number))
            elif script and current.recipe:
                current.recipe[0] = Script(current.recipe[0].text + line + "\n", current.recipe[0].line)
            elif current.recipe and current.recipe[-1].text.endswith("\\"):
                last = current.recipe[-1]
                current.recipe[-1] = Script(f"{last.text}\n{body}", last.line)
            elif body and not body.startswith("#"):
                current.recipe.append(Script(body, number))
        elif assignment := re.match(
            r"(?:export\s+)?([A-Za-z_]\w*)\s*:=\s*(?:'([^']*)'|\"([^\"]*)\")\s*$", line
        ):
            variables[assignment[1]] = assignment[2] or assignment[3] or ""
        elif not line.startswith(("#", "[", "set ", "alias ", "import ", "mod ")) and (
            recipe := _RECIPE.match(line)
        ):
            needs = (
                re.sub(r"\(([\w-]+)[^)]*\)", r"\1", recipe[3].partition("#")[0]).replace("&&", " ").split()
            )
            current, script = Target(recipe[1], number, needs), False
            targets.append(current)
    for target in targets:
        target.recipe = [
            Script(re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda m: variables.get(m[1], m[0]), s.text), s.line)
            for s in target.recipe
        ]
        if target.recipe and re.match(r"#!.*\b(?:python|node|ruby|perl|Rscript)", target.recipe[0].text):
            target.recipe = []
    return targets, variables
