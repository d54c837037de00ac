"""Dockerfiles: base images, instructions, and the commands that a build and a start run."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mlops_audit import parse
from mlops_audit.dockerfile import Instruction, pairs, read, substitute
from mlops_audit.facts import Fact, Kind, Site, TraitValue, matcher
from mlops_audit.parse.nodes import NotRead, ParseFailure, decode
from mlops_audit.resources import command, image
from mlops_audit.shell import Command, commands

# No real Dockerfile comes near these; they bound the work for one that was made to be slow.
MAX_BYTES = 256_000
MAX_STAGES = 200
MAX_COPIES = 60
MAX_VARIABLES = 500

# What a build copies to install dependencies or to configure a program: no code of the project.
NO_CODE = matcher((
    "*requirements*", "*constraints*.txt", "*.lock", "*-lock.*", "*lock.y*ml", "*pyproject.toml", "*pipfile*", "*environment*.y*ml",
    "*conda*.y*ml", "*env.y*ml", "*setup.py", "*setup.cfg", "*package.json", "*package*.json", "*npmrc", "*go.mod", "*go.sum", "*readme*",
    "*license*", "*description", "*.rprofile", "*renv/activate.r", "*pip.conf", "*.conf", "*.ini", "*.cfg", "*.cnf", "*.yml",
    "*.yaml", "*.crt", "*.pem", "*.env", "*.whl", "*.deb", "*.repo", "*.list", "*.gpg", "*cargo.toml", "*pom.xml",
    "*gemfile*", "*.python-version", "*packages.txt", "*.npmrc",
), True)  # fmt: skip
FOLDERS_OF_DOCKERFILES = frozenset({"docker", "dockerfiles", ".docker", "dockerfile", "containers", "container", "images", "build",
                                    "deploy", "deployment", "ci", "infra", "ops", ".devcontainer", "config"})  # fmt: skip
# Entry points that only start the command given to them.
LAUNCHERS = frozenset({"tini", "dumb-init", "docker-init", "env", "exec", "catatonit", "s6-svscan", "init"})
DOCKERFILE = re.compile(r"(?i)(^|[./_-])(dockerfile|containerfile)([._-][^/]*)?$")
# Programs that test or lint: an image that starts nothing else carries no service or job.
TESTS = re.compile(
    r"(?:python[\d.]* -m )?(?:pytest|py\.test|unittest|nose2?|tox|nox|coverage|flake8|ruff|mypy|pylint|black|isort|bandit|pre-commit|"
    r"npm (?:run )?test|make (?:test|lint|check))\b"
)
INSTALLS_ITSELF = re.compile(
    r"(?:pip[\d.]*|uv pip) install (?:\S+ )*(?:-e |--editable[ =])?\.(?:\[[\w,-]+\])?/?(?: |$)|setup\.py (?:install|develop|bdist_wheel)|"
    r"(?:python[\d.]* -m |uv )build\b|pip[\d.]* wheel (?:\S+ )*\.(?: |$)"
)
SCRIPT = re.compile(r"\.(py|sh|bash|r|R|ipynb|jl|js)$")
NOT_A_DOCKERFILE = re.compile(
    r"(?i)\.(py|ya?ml|json|sh|md|txt|dockerignore|js|ts|go|html|toml|rst|mk)$|ignore$"
)


@dataclass(slots=True)
class Stage:
    """A stage of a build while it is read."""

    name: str
    number: int
    line: int
    image: str
    platform: str = ""
    parent: Stage | None = None
    known: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    copied: list[tuple[str, str]] = field(
        default_factory=list
    )  # folder in the image, path in the build context
    files: list[str] = field(default_factory=list)  # everything that it copied of the build context
    own: bool = False
    entrypoint: Instruction | None = None
    command: Instruction | None = None
    says_how_to_start: bool = False


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The facts of a Dockerfile or a devcontainer.json; nothing for any other file."""
    name = posixpath.basename(path).lower()
    if name.endswith("devcontainer.json"):
        return list(_devcontainer(path, data))
    if DOCKERFILE.search(posixpath.basename(path)) and not NOT_A_DOCKERFILE.search(name):
        return list(_dockerfile(path, data))
    return ()


def _devcontainer(path: str, data: bytes) -> Iterator[Fact]:
    document = parse.json_document(data)
    reference = document.at("image")
    if reference:
        site = Site(path, document.line_of("image"))
        yield image(reference, site, "development", "devcontainer", unit=path)


def _dockerfile(path: str, data: bytes) -> Iterator[Fact]:
    if len(data) > MAX_BYTES:
        raise NotRead(f"a Dockerfile larger than {MAX_BYTES} bytes")
    text = decode(data)
    if "\0" in text:
        raise ParseFailure("a NUL byte in a text file")
    instructions = list(read(text))
    if not any(i.keyword == "FROM" for i in instructions):
        raise ParseFailure("a Dockerfile without FROM", 1 if text.strip() else 0)
    context = _context(path, instructions)
    stages: list[Stage] = []
    before: dict[str, str] = {}
    for instruction in instructions:
        if instruction.keyword == "FROM":
            if len(stages) >= MAX_STAGES:
                raise NotRead(f"more than {MAX_STAGES} stages", instruction.line)
            stages.append(_stage(instruction, before, stages))
        elif not stages:
            if instruction.keyword == "ARG":
                before.update((n, substitute(v, before)) for n, v in pairs(instruction.value) if v)
        else:
            yield from _instruction(path, context, instruction, stages[-1], stages, before)
    for stage in stages:
        if stage.says_how_to_start:
            yield from _start(path, context, stage)
    yield from _images(path, context, stages)


def _context(path: str, instructions: Sequence[Instruction]) -> str:
    """The folder that is most likely the build context: the Dockerfile's own, or the one above a docker/ folder.

    Where it copies from below its own folder's path, the context is the root.
    """
    folder = posixpath.dirname(path)
    if not folder:
        return ""
    for instruction in instructions:
        copies = instruction.keyword in ("COPY", "ADD") and not instruction.flag("from")
        sources = [source.removeprefix("./") for source in _operands(instruction)[:-1]] if copies else []
        if any(source.startswith(folder + "/") or source == folder for source in sources):
            return ""
    above, _, last = folder.rpartition("/")
    module = re.compile(rf"(?<![\w./-]){re.escape(last)}[./]\w")
    if any(i.keyword in ("CMD", "ENTRYPOINT") and module.search(i.value) for i in instructions):
        return above  # it starts a module of its own folder, seen from the folder above
    return above if last.lower() in FOLDERS_OF_DOCKERFILES else folder


def _stage(instruction: Instruction, before: dict[str, str], stages: list[Stage]) -> Stage:
    words = instruction.value.split()
    reference = substitute(words[0].strip("\"'"), before) if words else ""
    name = words[2] if len(words) >= 3 and words[1].upper() == "AS" else ""
    parent = next((s for s in reversed(stages) if s.name and s.name.lower() == reference.lower()), None)
    stage = Stage(name, len(stages), instruction.line, reference, instruction.flag("platform"), parent)
    if parent is not None:
        stage.known = dict(parent.known)
        stage.workdir, stage.copied, stage.files = parent.workdir, list(parent.copied), list(parent.files)
        stage.entrypoint, stage.command = parent.entrypoint, parent.command
    return stage


def _instruction(
    path: str,
    context: str,
    instruction: Instruction,
    stage: Stage,
    stages: list[Stage],
    before: dict[str, str],
) -> Iterator[Fact]:
    keyword = instruction.keyword
    value = (
        " ".join(instruction.value.split())
        if not instruction.body
        else f"{instruction.value}\n{instruction.body}"
    )
    traits: dict[str, TraitValue] = {
        "value": value[:2_000],
        "unit": path,
        "stage": stage.name or str(stage.number),
    }
    for flag in instruction.flags:
        name, _, held = flag.lstrip("-").partition("=")
        traits[f"{name}="] = substitute(held, stage.known) or "yes"
    if keyword in ("ENV", "ARG", "LABEL"):
        found = [(n, substitute(v, stage.known)) for n, v in pairs(instruction.value)]
        traits.update({f"{n}=": v for n, v in found})
        if len(stage.known) >= MAX_VARIABLES:
            found = []
        if keyword == "ENV":
            stage.known.update(found)
        elif keyword == "ARG":
            stage.known.update((n, v or before[n]) for n, v in found if v or n in before)
    elif keyword == "WORKDIR":
        stage.workdir = posixpath.normpath(
            posixpath.join(stage.workdir, substitute(value.strip("\"'"), stage.known))
        )
    elif keyword in ("COPY", "ADD"):
        copies = _copy(instruction, stage, stages)
        if copies:
            traits["copies"] = copies
    elif keyword == "ENTRYPOINT":
        stage.entrypoint, stage.command, stage.says_how_to_start = instruction, None, True
    elif keyword == "CMD":
        stage.command, stage.says_how_to_start = instruction, True
    yield Fact(Kind.INSTRUCTION, keyword, Site(path, instruction.line), traits)
    if keyword == "RUN":
        yield from _run(path, context, instruction, stage)


def _operands(instruction: Instruction) -> list[str]:
    if instruction.words:
        return list(instruction.words)
    try:
        return shlex.split(instruction.value.replace("\n", " "))
    except ValueError:  # an unclosed quote
        return instruction.value.split()


def _copy(instruction: Instruction, stage: Stage, stages: list[Stage]) -> tuple[str, ...]:
    """What is copied of the build context; notes in the stage where it is put and whether it is code."""
    operands = [substitute(word, stage.known) for word in _operands(instruction)]
    if len(operands) < 2 or instruction.body or len(stage.copied) >= MAX_COPIES:
        return ()
    *sources, target = operands
    into = posixpath.normpath(posixpath.join(stage.workdir, target))
    origin = instruction.flag("from")
    if origin:
        other = next((s for s in stages if s.name.lower() == origin.lower() or str(s.number) == origin), None)
        if other is None or other is stage:
            return ()
        stage.own = stage.own or any(s.own for s in _ancestry(other))
        for source in sources:
            place = posixpath.normpath(posixpath.join("/", source))
            if f"{other.workdir}/".startswith(f"{place}/") or place == "/":
                stage.files += other.files
            there = _in_context(other, place)
            if there is not None:
                stage.copied.append((into, there))
                stage.files.append(there)
        return ()
    local = [s for s in sources if not re.match(r"[a-z+]+://|git@", s)]
    copies = tuple(posixpath.normpath(s.lstrip("/") or ".") for s in local)
    stage.files += copies
    is_folder = target.endswith("/") or target in (".", "./") or len(sources) > 1
    for source in copies:
        last = posixpath.basename(source)
        is_file = "." in last.strip(".") and not source.endswith("/")
        if is_file:
            above = posixpath.dirname(source)
            keeps_name = posixpath.basename(into) == last
            if NO_CODE(source):
                continue
            if not is_folder:
                stage.copied.append((into, source))
            if is_folder or keeps_name:
                stage.copied.append(
                    (posixpath.dirname(into) if keeps_name and not is_folder else into, above or ".")
                )
            elif "." not in posixpath.basename(into):  # a target without a slash can be a folder
                stage.copied.append((into, above or "."))
        else:
            stage.copied.append((into, "." if "*" in source else source))
    stage.own = stage.own or any(not NO_CODE(source) for source in copies)
    return copies


def _ancestry(stage: Stage) -> Iterator[Stage]:
    here: Stage | None = stage
    while here is not None:
        yield here
        here = here.parent


def _in_context(stage: Stage, place: str) -> str | None:
    """The path of the build context that was copied to a place of the image, None where nothing was.

    Of several the innermost folder decides, of equal ones a whole copied folder, else the last.
    """
    above = [
        (len(target), source == ".", number)
        for number, (target, source) in enumerate(stage.copied)
        if place == target or place.startswith(target.rstrip("/") + "/")
    ]
    if not above:
        return None
    target, source = stage.copied[max(above)[2]]
    return posixpath.normpath(posixpath.join(source, posixpath.relpath(place, target)))


def _directory(context: str, stage: Stage) -> str:
    if stage.workdir == "/" and ("/", ".") not in stage.copied:
        return _joined(context, ".")  # a single file copied to the top does not make that the project's copy
    return _joined(context, _in_context(stage, stage.workdir) or ".")


def _run(path: str, context: str, instruction: Instruction, stage: Stage) -> Iterator[Fact]:
    if instruction.body and re.match(r"<<-?\s*[\"']?\w+[\"']?\s*$", instruction.value):
        yield from _commands(path, context, stage, instruction.body, instruction.body_line)
    elif instruction.body:  # `RUN bash <<EOF` runs what it is given, `RUN python <<EOF` something else
        yield from _commands(path, context, stage, instruction.value, instruction.line)
        if re.match(r"(/bin/)?(ba|z|da)?sh\b", instruction.value):
            yield from _commands(path, context, stage, instruction.body, instruction.body_line)
    else:
        script = shlex.join(instruction.words) if instruction.words else _continued(instruction.value)
        yield from _commands(path, context, stage, script, instruction.line)


def _start(path: str, context: str, stage: Stage) -> Iterator[Fact]:
    """What a container of the stage starts: ENTRYPOINT with CMD as Docker puts them together."""
    entry, command = stage.entrypoint, stage.command
    if entry is None:
        if command is not None:
            yield from _entry(path, context, stage, command, list(command.words))
        return
    if not entry.words:  # the shell form takes no CMD
        yield from _entry(path, context, stage, entry, [])
        return
    words = list(entry.words)
    if command is None:
        yield from _entry(path, context, stage, entry, words)
        return
    given = list(command.words) or ["/bin/sh", "-c", command.value]
    program = posixpath.basename(words[0])
    if (program in LAUNCHERS or program.endswith(".sh") or "entrypoint" in program) and not given[
        0
    ].startswith("-"):
        if program not in LAUNCHERS:
            yield from _entry(path, context, stage, entry, words)
        yield from _entry(path, context, stage, command, given)
    else:
        yield from _entry(path, context, stage, entry, words + given)


def _entry(
    path: str, context: str, stage: Stage, instruction: Instruction, words: list[str]
) -> Iterator[Fact]:
    script = shlex.join(words) if words else _continued(instruction.value)
    yield from _commands(path, context, stage, script, instruction.line, entry="yes")


def _continued(value: str) -> str:
    return value.replace("\n", "\\\n")


def _commands(path: str, context: str, stage: Stage, script: str, line: int, **more: str) -> Iterator[Fact]:
    name = stage.name or str(stage.number)
    for found in commands(script, line, _directory(context, stage), stage.known):
        holds = (
            tuple(_joined(context, source) or "." for source in stage.files)
            if INSTALLS_ITSELF.search(found.text)
            else None
        )
        yield command(
            path, _in_repository(found, context, stage), path, "docker", stage=name, holds=holds, **more
        )


def _in_repository(found: Command, context: str, stage: Stage) -> Command:
    """The command with places of the image told as the paths of the repository that were copied there."""
    directory = found.directory
    if directory.startswith("/"):
        inside = _in_context(stage, directory)
        directory = directory if inside is None else _joined(context, inside)

    def told(place: re.Match[str]) -> str:
        inside = _in_context(stage, posixpath.normpath(place[0]))
        if inside is None or (_target_of_root(stage, place[0]) and not SCRIPT.search(place[0])):
            return place[0]
        return posixpath.relpath("/" + _joined(context, inside), "/" + directory)

    text = (
        found.text
        if directory.startswith(("/", "?"))
        else re.sub(r"(?<![\w./:=@-])/[\w.-]+(?:/[\w.-]+)*/?", told, found.text)
    )
    return found._replace(text=text, directory=directory)


def _target_of_root(stage: Stage, place: str) -> bool:
    """Whether only a copy to the image's root explains a place: most of what is there was not copied."""
    return not any(t != "/" and (place == t or place.startswith(t + "/")) for t, _ in stage.copied)


def _joined(context: str, inside: str) -> str:
    joined = posixpath.normpath(posixpath.join(context, inside))
    return "" if joined in (".", "/") or joined.startswith("..") else joined


def _images(path: str, context: str, stages: list[Stage]) -> Iterator[Fact]:
    final = {s.number for s in _ancestry(stages[-1])}
    own = {a.number for s in stages if s.own for a in _ancestry(s)}
    development = "/.devcontainer/" in f"/{path}"
    tests = _only_tests(stages)
    for stage in stages:
        if stage.parent is not None:
            continue
        role = "base" if stage.number in final else "build"
        yield image(
            stage.image, Site(path, stage.line), "development" if development else role, "docker",
            stage=stage.name or str(stage.number), own="yes" if stage.number in own else None, unit=path,
            context=context or ".", platform=stage.platform or None, tests=tests,
        )  # fmt: skip


def _only_tests(stages: Sequence[Stage]) -> str | None:
    """`yes` where something is started and every start tests or lints."""
    starts = [
        i for stage in stages if stage.says_how_to_start for i in (stage.entrypoint, stage.command) if i
    ]
    texts = [
        found.text
        for start in starts
        for found in commands(
            shlex.join(start.words) if start.words else _continued(start.value), start.line, "", {}
        )
    ]
    return "yes" if texts and all(TESTS.match(text) for text in texts) else None
