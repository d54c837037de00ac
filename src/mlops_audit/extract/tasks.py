"""Task runners kept as data: Taskfile, tox, mise, package.json, Procfile, and the runners of pyproject.toml."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from mlops_audit import automation, parse
from mlops_audit.automation import Script, kept, literals, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode

MAX_ENVIRONMENTS = 12


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """A job for every task, with its commands and the tasks that it runs first."""
    name = path.rpartition("/")[2].lower()
    if re.fullmatch(r"taskfile[^/]*\.ya?ml", name):
        return _taskfile(path, data)
    if name in ("tox.ini", "setup.cfg"):
        return _tox(path, decode(data))
    if name == "package.json":
        return _npm(path, data)
    if name == "procfile" or name.startswith("procfile."):
        return _procfile(path, decode(data))
    if name in ("deno.json", "deno.jsonc"):
        lines = decode(data).split("\n")
        return _table(path, "deno", parse.json_document(data).get("tasks"), lines)
    if name in ("pyproject.toml", "pixi.toml", "tox.toml", "hatch.toml", "pipfile") or "mise" in path:
        return _toml(path, name, data)
    return ()


def _task(
    path: str,
    system: str,
    name: str,
    line: int,
    scripts: Sequence[Script],
    *,
    needs: Sequence[str] = (),
    directory: str | None = None,
    variables: dict[str, str] | None = None,
    runs: Sequence[str] = (),
    goes_on: bool = False,
) -> Iterator[Fact]:
    """A job with its commands; `needs` are tasks of the same file, `runs` whole units or `module:function`."""
    shared: dict[str, TraitValue] = {"unit": f"{path}#{name}", "system": system}
    units = tuple(dict.fromkeys([*(f"{path}#{need}" for need in needs if need != name), *runs]))
    yield automation.job(name, path, line, {**shared, **kept({"runs": units})})
    folder = posixpath.dirname(path)
    inside = folder if not directory else posixpath.normpath(posixpath.join(folder, directory))
    for script in scripts:
        yield from automation.commands(
            script,
            path,
            shared,
            directory="" if inside == "." else inside,
            variables=variables,
            goes_on=goes_on,
        )


# -------------------------------------------------------------------------------------------------- Taskfile


def _taskfile(path: str, data: bytes) -> Iterator[Fact]:
    lines = decode(data).split("\n")
    for document in parse.yaml(data):
        tasks = document.get("tasks")
        variables = literals(document.get("vars")) | literals(document.get("env"))
        included = _included(document.get("includes"), path)
        for name, body in tasks.items if tasks is not None else ():
            steps = body if not body.items else body.get("cmds") or body.get("cmd") or Node([], body.line)
            scripts: list[Script] = []
            needs: list[str] = []
            for step in [*(body.get("deps") or Node([], body.line)).list, *steps.list]:
                if step.items:
                    needs += [step.at("task")] if step.at("task") else []
                    command = step.get("cmd") or step.get("defer")
                    if command is not None and command.text:
                        scripts.append(_go_template(script_of(command, lines), variables))
                elif any(step is dependency for dependency in (body.get("deps") or Node([], 1)).list):
                    needs.append(step.text)
                elif step.text:
                    scripts.append(_go_template(script_of(step, lines), variables))
            local = [
                need.removeprefix(":")
                for need in needs
                if ":" not in need.removeprefix(":") or (tasks and tasks.get(need))
            ]
            runs = [
                unit
                for need in needs
                if need not in local
                for unit in _unit_of_include(need.removeprefix(":"), included)
            ]
            line = tasks.line_of(name) if tasks is not None else body.line
            yield from _task(
                path, "task", name, line, scripts, needs=local, runs=runs, variables=variables,
                directory=_go_template(Script(body.at("dir"), 1), variables).text,
            )  # fmt: skip


def _go_template(script: Script, variables: dict[str, str]) -> Script:
    text = re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda m: variables.get(m[1], m[0]), script.text)
    return Script(text, script.line, script.flat)


def _included(includes: Node | None, path: str) -> dict[str, tuple[str, ...]]:
    """The Taskfiles that a name space stands for; a folder's may be called .yml or .yaml."""
    found: dict[str, tuple[str, ...]] = {}
    for name, body in includes.items if includes is not None else ():
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), body.text or body.at("taskfile")))
        if target.endswith((".yml", ".yaml")):
            found[name] = (target,)
        else:
            found[name] = (posixpath.join(target, "Taskfile.yml"), posixpath.join(target, "Taskfile.yaml"))
    return found


def _unit_of_include(need: str, included: dict[str, tuple[str, ...]]) -> list[str]:
    space, _, name = need.partition(":")
    return [f"{target}#{name}" for target in included.get(space, ())]


# ------------------------------------------------------------------------------------------------------- tox


def _tox(path: str, text: str, system: str = "tox", first: int = 1) -> Iterator[Fact]:
    sections = _ini_sections(text, first)
    base = sections.get("testenv", (0, {}))[1]
    listed = [
        name
        for key in ("envlist", "env_list")
        for name in _environments(sections.get("tox", (0, {}))[1].get(key))
    ]
    named = [name.removeprefix("testenv:") for name in sections if name.startswith("testenv:")]
    if "testenv" in sections and not listed and not named:
        listed = ["testenv"]
    for name in dict.fromkeys([*named, *listed[:MAX_ENVIRONMENTS]]):
        line, own = sections.get(f"testenv:{name}", sections.get("testenv", (first, {})))
        scripts = []
        for key in ("commands_pre", "commands", "commands_post"):
            block = own.get(key) or base.get(key)
            if block is not None:
                scripts.append(_tox_script(block, sections))
        place = (
            own.get("changedir") or base.get("changedir") or own.get("change_dir") or base.get("change_dir")
        )
        depends = own.get("depends")
        directory = _tox_text(place.text.strip()) if place is not None else ""
        needs = [need for need in _environments(depends) if need in named or need in listed]
        yield from _task(path, system, name, line, scripts, directory=directory, needs=needs)


def _ini_sections(text: str, first: int) -> dict[str, tuple[int, dict[str, Script]]]:
    """Sections with their keys; a value of several lines keeps its line ends, so that its numbers stay true."""
    sections: dict[str, tuple[int, dict[str, Script]]] = {}
    keys: dict[str, Script] = {}
    key = ""
    for number, line in enumerate(text.split("\n"), first):
        if head := re.match(r"\[([^\]]+)\]\s*$", line):
            keys = {}
            sections.setdefault(head[1].strip(), (number, keys))
            key = ""
        elif line[:1] in (" ", "\t") or not line.strip() or line.startswith(("#", ";")):
            if key:
                value = "" if line.lstrip().startswith(("#", ";")) else line.strip()
                keys[key] = Script(f"{keys[key].text}\n{value}", keys[key].line)
        elif pair := re.match(r"([\w.{}:-]+)\s*[=:]\s*(.*)", line):
            key = pair[1].lower()
            keys[key] = Script(pair[2], number)
        else:
            key = ""
    return sections


def _environments(value: Script | None) -> list[str]:
    """The names of an envlist, `py{310,311}-x` spelled out."""
    found: list[str] = []
    for raw in re.split(r"[,\s]+(?![^{]*\})", value.text if value is not None else ""):
        names = [raw]
        while names and "{" in names[0] and len(names) < 50:
            opened = re.match(r"([^{]*)\{([^}]*)\}(.*)", names[0])
            if opened is None:
                break
            names = [f"{opened[1]}{part.strip()}{opened[3]}" for part in opened[2].split(",")] + names[1:]
        found.extend(name for name in names if name)
    return found


def _tox_script(block: Script, sections: dict[str, tuple[int, dict[str, Script]]]) -> Script:
    lines = []
    for line in block.text.split("\n"):
        other = re.fullmatch(r"\{\[([^\]]+)\](\w+)\}", line.strip())
        if other is not None:
            referred = sections.get(other[1], (0, {}))[1].get(other[2])
            line = (
                "; ".join(part for part in referred.text.split("\n") if part) if referred is not None else ""
            )
        swallowed = re.match(r"\s*-\s*(?=\w)", line)
        line = re.sub(r"^\s*[-!]+\s*", "", line)
        lines.append(_tox_text(line) + (" || true" if swallowed else ""))
    return Script("\n".join(lines), block.line)


def _tox_text(text: str) -> str:
    text = re.sub(r"\{posargs:([^{}]*)\}", r"\1", text)
    text = re.sub(r"\{posargs\}|\{tty:[^}]*\}", "", text)
    text = re.sub(r"\{(?:toxinidir|tox_root|changedir)\}/?", "./", text)
    return re.sub(r"\{env:(\w+):([^{}]*)\}", r"\2", text).replace(" ./ ", " . ")


# ----------------------------------------------------------------------------------------- npm and processes


def _npm(path: str, data: bytes) -> Iterator[Fact]:
    document = parse.json_document(data)
    scripts = document.get("scripts")
    for name, body in scripts.items if scripts is not None else ():
        if scripts is not None and body.text:
            needs = [hook for hook in (f"pre{name}", f"post{name}") if scripts.get(hook) is not None]
            line = scripts.line_of(name)
            yield from _task(
                path, "npm", name, line, [Script(body.text, line, flat=True)], needs=needs, goes_on=True
            )


def _procfile(path: str, text: str) -> Iterator[Fact]:
    for number, line in enumerate(text.split("\n"), 1):
        if process := re.match(r"([A-Za-z0-9_-]+)\s*:\s*(\S.*)", line):
            yield from _task(path, "procfile", process[1], number, [Script(process[2], number, flat=True)])


# -------------------------------------------------------------------------------------------- pyproject.toml

# Keys of a task that name those that run before or after it.
BEFORE = ("deps", "depends", "depends_post", "depends-on", "depends_on", "uses")

# where tasks stand -> (system, prefix of their names comes from a level above)
TABLES = (
    (("tool", "poe", "tasks"), "poe"), (("tool", "pdm", "scripts"), "pdm"), (("tool", "taskipy", "tasks"), "taskipy"),
    (("tool", "pixi", "tasks"), "pixi"), (("tool", "rye", "scripts"), "rye"), (("tool", "hatch", "scripts"), "hatch"),
)  # fmt: skip


def _toml(path: str, name: str, data: bytes) -> Iterator[Fact]:
    if name == "pyproject.toml" and not re.search(rb"poe|pdm|taskipy|pixi|rye|hatch|tox", data):
        return
    lines = decode(data).split("\n")
    document = parse.toml(data)
    if name == "pyproject.toml":
        for keys, system in TABLES:
            yield from _table(path, system, document.get(*keys), lines)
        environments = document.get("tool", "hatch", "envs")
        legacy = document.get("tool", "tox", "legacy_tox_ini")
        if legacy is not None:
            yield from _tox(path, legacy.text, first=legacy.line + 1)
    else:
        environments = document.get("envs") if name == "hatch.toml" else None
        if name == "pixi.toml":
            yield from _table(path, "pixi", document.get("tasks"), lines)
        elif name == "pipfile":
            yield from _table(path, "pipenv", document.get("scripts"), lines)
        elif "mise" in path:
            yield from _table(path, "mise", document.get("tasks"), lines)
            return
    for environment, body in environments.items if environments is not None else ():
        prefix = "" if environment == "default" else f"{environment}:"
        yield from _table(path, "hatch", body.get("scripts"), lines, prefix)
    tox = (
        document.get("tool", "tox") if name == "pyproject.toml" else document if name == "tox.toml" else None
    )
    yield from _toml_tox(path, tox)


def _table(path: str, system: str, table: Node | None, lines: list[str], prefix: str = "") -> Iterator[Fact]:
    known = {name for name, _ in table.items} if table is not None else set()
    for name, body in table.items if table is not None else ():
        if name == "_" or (system == "pdm" and name.startswith("_")):
            continue
        scripts: list[Script] = []
        needs: list[str] = []
        runs: list[str] = []
        _read_task(body, system, known, lines, scripts, needs, runs, 0)
        place = body.at("cwd") or body.at("working_dir") or body.at("dir")
        line = table.line_of(name) if table is not None else body.line
        for alias in texts(body.get("alias")) if system == "mise" else ():
            yield from _task(path, system, alias, line, (), needs=[name])
        yield from _task(
            path, system, f"{prefix}{name}", line, scripts,
            needs=[f"{prefix}{need}" for need in needs], runs=runs, directory=place or None,
        )  # fmt: skip


def _read_task(
    body: Node,
    system: str,
    known: set[str],
    lines: list[str],
    scripts: list[Script],
    needs: list[str],
    runs: list[str],
    depth: int,
) -> None:
    """Collect what one task of a table runs: text, list, or a mapping with cmd, shell, script, sequence, chain ..."""
    if body.items:
        for key in (*BEFORE, "composite", "chain", "sequence", "switch"):
            child = body.get(key)
            for item in child.list if child is not None and depth < 4 else ():
                first = item.text.split()[0] if item.text.strip() else item.at("task")
                if first in known:
                    needs.append(first)
                elif first.endswith("*"):
                    needs.extend(name for name in known if name.startswith(first.rstrip("*")))
                elif key not in BEFORE:
                    _read_task(item, system, known, lines, scripts, needs, runs, depth + 1)
        for key in ("cmd", "shell"):
            child = body.get(key)
            if child is not None:
                joined = " ".join(texts(child)) if isinstance(child.value, list) else ""
                scripts.append(
                    Script(joined, child.line, flat=True) if joined else _toml_script(child, lines)
                )
        if system == "mise":
            _read_mise(body, known, lines, scripts, needs, runs, depth)
        for key in ("script", "call"):
            if body.at(key):
                runs.append(re.sub(r"\(.*", "", body.at(key), flags=re.DOTALL))
        if body.at("ref"):
            needs.append(body.at("ref").split()[0])
    elif isinstance(body.value, list):
        for item in body.value if depth < 4 else ():
            first = item.text.split()[0] if item.text.strip() else ""
            if first in known and system in ("poe", "hatch", "rye"):
                needs.append(first)
            else:
                _read_task(item, system, known, lines, scripts, needs, runs, depth + 1)
    elif body.text:
        first = body.text.split()[0]
        if system == "hatch" and first in known:
            needs.append(first)
        else:
            scripts.append(_toml_script(body, lines))


def _read_mise(
    body: Node,
    known: set[str],
    lines: list[str],
    scripts: list[Script],
    needs: list[str],
    runs: list[str],
    depth: int,
) -> None:
    """What a task of mise runs: text, a list of texts and of `{task = "x"}`, or a file."""
    ran = body.get("run")
    if ran is not None and depth < 4:
        _read_task(ran, "mise", known, lines, scripts, needs, runs, depth + 1)
    needs.extend(name for name in (body.at("task"), *texts(body.get("tasks"))) if name in known)
    if body.at("file"):
        runs.append(body.at("file"))


def _toml_script(node: Node, lines: list[str]) -> Script:
    head = lines[node.line - 1].rstrip() if 0 < node.line <= len(lines) else ""
    if head.endswith(('"""', "'''")) and "\n" in node.text:
        return Script(node.text, node.line + 1)
    return Script(node.text, node.line, flat='"""' not in head and "'''" not in head)


def _toml_tox(path: str, tox: Node | None) -> Iterator[Fact]:
    if tox is None:
        return
    base = tox.get("env_run_base") or Node({}, tox.line)
    environments = tox.get("env") or Node({}, tox.line)
    listed = [name for name in texts(tox.get("env_list")) if environments.get(name) is None]
    bodies = [*environments.items, *((name, base) for name in listed[:MAX_ENVIRONMENTS])]
    for name, body in bodies:
        commands = body.get("commands") or base.get("commands")
        scripts = [
            Script(" ".join(_tox_text(word) for word in texts(item)), item.line, flat=True)
            for item in (commands.list if commands is not None else ())
        ]
        yield from _task(path, "tox", name, body.line, scripts, directory=body.at("change_dir") or None)
