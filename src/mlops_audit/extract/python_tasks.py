"""Tasks kept as Python: nox sessions, invoke and fabric tasks, doit tasks; and rake tasks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from mlops_audit import automation, code
from mlops_audit.automation import Script, kept
from mlops_audit.facts import Fact, TraitValue, values
from mlops_audit.parse.nodes import decode


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """A job for every session or task with the commands that it runs."""
    name = path.rpartition("/")[2].lower()
    if name == "rakefile" or name.endswith(".rake"):
        return _rake(path, decode(data))
    found = code.read(path, data)
    imports = {imported.name.partition(".")[0] for imported in found.imports}
    if name == "noxfile.py" or "nox" in imports:
        return _decorated(
            path, found, "nox", ("nox.session",), ("session.run", "session.run_always", "session.run_install")
        )
    if imports & {"invoke", "fabric"}:
        return _decorated(path, found, "invoke", ("invoke.task", "fabric.task"), ())
    if name == "dodo.py":
        return _doit(path, found)
    return ()


def _decorated(
    path: str, found: code.Code, system: str, marks: tuple[str, ...], runners: tuple[str, ...]
) -> Iterator[Fact]:
    """Functions under a decorator are tasks; what they run by their first parameter are the commands."""
    definitions = {definition.name: definition for definition in found.definitions}
    folder = posixpath.dirname(path)
    tasks: dict[str, tuple[str, int]] = {}
    for call in found.calls:
        if call.decorates and call.name in marks:
            name = next(iter(values(call.arguments.get("name="))), call.decorates)
            needs = _names(call.arguments.get("pre=")) + (
                [] if system == "nox" else _names(call.arguments.get("1"))
            )
            tasks[call.decorates] = (name, call.line)
            runs = tuple(f"{path}#{need}" for need in needs if need != name)
            shared: dict[str, TraitValue] = {"unit": f"{path}#{name}", "system": system}
            yield automation.job(name, path, call.line, {**shared, **kept({"runs": runs})})
    for call in found.calls:
        if call.function not in tasks:
            continue
        definition = definitions.get(call.function)
        first = definition.parameters[0] if definition is not None and definition.parameters else ""
        if call.name not in runners and call.name not in (f"{first}.run", f"{first}.sudo", f"{first}.local"):
            continue
        shared = {"unit": f"{path}#{tasks[call.function][0]}", "system": system}
        swallowed = (
            values(call.arguments.get("warn=")) == ("True",)
            or values(call.arguments.get("success_codes=")) != ()
        )
        traits = {**shared, **kept({"masked": swallowed, "guard": call.guards})}
        script = Script(_text(call.arguments, shell=system != "nox"), call.line, flat=True)
        moved = any(block.endswith((".cd", ".chdir")) for block in call.blocks)
        yield from automation.commands(script, path, traits, directory="?" if moved else folder)


def _names(value: TraitValue | None) -> list[str]:
    return [name.replace("_", "-") for text in values(value) for name in re.findall(r"[A-Za-z_]\w*", text)]


def _text(arguments: Mapping[str, TraitValue], *, shell: bool) -> str:
    """The command of `run("a", "b")` or `run("a b")`; what is not literal is left out."""
    if shell:
        return " ".join(values(arguments.get("1"))) or " ".join(values(arguments.get("command=")))
    words: list[str] = []
    for number in range(1, 40):
        for word in values(arguments.get(str(number))):
            if not word.startswith("*"):
                words.append(f'"{word}"' if re.search(r"[\s;&|<>()]", word) else word)
    return " ".join(words)


def _doit(path: str, found: code.Code) -> Iterator[Fact]:
    for definition in found.definitions:
        if definition.form != "function" or not definition.name.startswith("task_"):
            continue
        name = definition.name.removeprefix("task_")
        entries = [setting for setting in found.settings if setting.function == definition.name]
        needs = [need for entry in entries if entry.name == "task_dep" for need in values(entry.value)]
        shared: dict[str, TraitValue] = {"unit": f"{path}#{name}", "system": "doit"}
        runs = tuple(f"{path}#{need}" for need in needs)
        yield automation.job(name, path, definition.line, {**shared, **kept({"runs": runs})})
        for entry in entries:
            if entry.name == "actions":
                scripts = [Script(text, entry.line, flat=True) for text in values(entry.value)]
                yield from automation.commands(scripts, path, shared, directory=posixpath.dirname(path))


def _rake(path: str, text: str) -> Iterator[Fact]:
    shared: dict[str, TraitValue] = {}
    for number, line in enumerate(text.split("\n"), 1):
        head = re.match(r"\s*task\s+:?[\"']?([\w:-]+)[\"']?:?\s*(?:=>\s*(.*?))?(?:\s+do\b.*)?$", line)
        if head is not None:
            shared = {"unit": f"{path}#{head[1]}", "system": "rake"}
            needs = re.findall(r"[\w-]+", head[2] or line.partition(f"{head[1]}: ")[2].removesuffix("do"))
            runs = tuple(f"{path}#{need}" for need in needs)
            yield automation.job(head[1].rstrip(":"), path, number, {**shared, **kept({"runs": runs})})
        elif shared and (run := re.match(r"\s*(?:sh|system)\s*\(?\s*([\"'])(.*)\1", line)):
            script = Script(run[2], number, flat=True)
            yield from automation.commands(script, path, shared, directory=posixpath.dirname(path))
