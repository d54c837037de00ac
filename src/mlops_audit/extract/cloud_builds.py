"""Build services of clouds: Cloud Build, CodeBuild, Taskcluster."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from mlops_audit import automation, parse
from mlops_audit.automation import Script, kept, literals, script_of, texts
from mlops_audit.facts import Fact, TraitValue
from mlops_audit.parse.nodes import Node, decode


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """Facts of a build, by its name or shape; where its trigger is registered elsewhere a push starts it."""
    name = path.rpartition("/")[2].lower()
    reader = None
    if re.search(r"build[-_]?spec[^/]*\.ya?ml$", path, re.IGNORECASE) or (
        b"phases:" in data and b"commands:" in data
    ):
        reader = _codebuild
    elif (
        name in (".taskcluster.yml", ".taskcluster.yaml")
        or (b"provisionerId" in data and b"taskQueueId" in data)
        or b"hookGroupId" in data
    ):
        reader = _taskcluster
    elif re.search(r"cloud[-_]?build", path, re.IGNORECASE) or re.search(
        rb"name['\"]?\s*:\s*['\"]?gcr\.io/(?:cloud-builders|google\.com/cloudsdktool)", data
    ):
        reader = _cloud_build
    if reader is None:
        return
    lines = decode(data).split("\n")
    documents = [parse.json_document(data)] if name.endswith(".json") else parse.yaml(data)
    for document in documents:
        yield from reader(document, path, lines)


# ----------------------------------------------------------------------------------------------- Cloud Build

PLAIN = frozenset(
    {"bash", "sh", "python", "python3", "gcloud", "gsutil", "docker", "make", "npm", "kubectl", "git", "pip"}
)


def _cloud_build(document: Node, path: str, lines: list[str]) -> Iterator[Fact]:
    steps = document.get("steps")
    if steps is None or not isinstance(steps.value, list) or not any(step.at("name") for step in steps.value):
        return
    shared: dict[str, TraitValue] = {"unit": path, "system": "cloudbuild", "triggers": ("push",)}
    yield automation.job(
        document.at("name") or posixpath.basename(path), path, document.line_of("steps"), shared
    )
    variables = literals(document.get("substitutions"))
    for step in steps.value:
        image = _substituted(step.at("name"), variables)
        if not image:
            continue
        traits = {**shared, **kept({"step": step.at("id"), "masked": step.at("allowFailure") == "true"})}
        yield automation.action(image, path, step.line_of("name"), traits)
        yield automation.image(image, path, step.line_of("name"), traits)
        place = step.at("dir").removeprefix("./").rstrip("/")
        place = "" if place == "." else "?" if "$" in place else place
        found = _cloud_script(step, image, lines)
        if found is not None:
            text = _substituted(found.text, variables)
            yield from automation.commands(
                Script(text, found.line, found.flat), path, traits, directory=place
            )


def _cloud_script(step: Node, image: str, lines: list[str]) -> Script | None:
    """What a step runs: its script, its entry point with arguments, or the builder's own program with arguments."""
    script = step.get("script")
    if script is not None and script.text:
        return script_of(script, lines)
    args = step.get("args")
    words = list(args.list) if args is not None else []
    entry = step.at("entrypoint")
    program = posixpath.basename(re.sub(r"[:@].*", "", image))
    program = {"cloud-sdk": "gcloud", "gke-deploy": "gke-deploy"}.get(program, program)
    shell = next((n for n, w in enumerate(words) if re.fullmatch(r"-[a-z]*c", w.text)), None)
    if entry in ("bash", "sh", "/bin/bash", "/bin/sh") and shell is not None and shell + 1 < len(words):
        return script_of(words[shell + 1], lines)
    if not entry and program not in PLAIN and not words:
        return None
    first = [entry or program, *(word.text for word in words)]
    line = words[0].line if words else step.line
    return Script(
        " ".join(f"'{w}'" if re.search(r"\s", w) and "'" not in w else w for w in first if w), line, flat=True
    )


def _substituted(text: str, variables: dict[str, str]) -> str:
    text = re.sub(r"(?<!\$)\$\{?(_[A-Z0-9_]+)\}?", lambda m: variables.get(m[1], m[0]), text)
    return text.replace("$$", "$")


# ------------------------------------------------------------------------------------------------- CodeBuild


def _codebuild(document: Node, path: str, lines: list[str]) -> Iterator[Fact]:
    phases = document.get("phases")
    if phases is None or not phases.items or not any(body.get("commands") for _, body in phases.items):
        return
    shared: dict[str, TraitValue] = {"unit": path, "system": "codebuild", "triggers": ("push",)}
    own = kept(
        {
            "secrets": tuple(
                k
                for s in ("secrets-manager", "parameter-store")
                for k, _ in (document.get("env", s) or Node({}, 1)).items
            )
        }
    )
    yield automation.job(posixpath.basename(path), path, document.line_of("phases"), {**shared, **own})
    variables = literals(document.get("env", "variables"))
    for name, body in phases.items:
        scripts = [script_of(item, lines) for item in (body.get("commands") or Node([], 1)).list if item.text]
        masked = body.at("on-failure") == "CONTINUE"
        traits = {**shared, **kept({"step": name, "masked": masked})}
        yield from automation.commands(
            scripts, path, traits, variables=variables | {"CODEBUILD_SRC_DIR": "."}
        )
        final = [script_of(item, lines) for item in (body.get("finally") or Node([], 1)).list if item.text]
        yield from automation.commands(final, path, {**traits, "masked": "yes"}, variables=variables)


# ----------------------------------------------------------------------------------------------- Taskcluster


def _taskcluster(document: Node, path: str, lines: list[str]) -> Iterator[Fact]:
    """Tasks of `.taskcluster.yml` start by pushes, those of hooks by their schedule."""
    schedule = texts(document.get("schedule"))
    hook = (
        document.get("schedule") is not None
        or document.get("hookId") is not None
        or document.get("hookGroupId") is not None
    )
    triggers = ("schedule",) if schedule else ("manual",) if hook else ("push",)
    for number, task in enumerate(_tasks(document), 1):
        name = task.at("metadata", "name") or document.at("metadata", "name") or f"task {number}"
        shared: dict[str, TraitValue] = {
            "unit": f"{path}#{name}",
            "system": "taskcluster",
            "triggers": triggers,
        }
        yield automation.job(name, path, task.line, {**shared, **kept({"schedule": schedule})})
        image = task.get("payload", "image")
        if image is not None and image.text:
            yield automation.image(image.text, path, image.line, shared)
        command = task.get("payload", "command")
        variables = literals(task.get("payload", "env"))
        words = [
            item for part in (command.list if command is not None else []) for item in part.list if item.text
        ]
        shell = next((n for n, w in enumerate(words) if re.fullmatch(r"-[-a-z]*c", w.text)), None)
        if shell is not None and shell + 1 < len(words):
            yield from automation.commands(
                script_of(words[shell + 1], lines), path, shared, variables=variables
            )
        elif words:
            text = Script(
                " ".join(f"'{w.text}'" if " " in w.text else w.text for w in words), words[0].line, flat=True
            )
            yield from automation.commands(text, path, shared, variables=variables)


def _tasks(document: Node) -> Iterator[Node]:
    """Every mapping with a payload, whatever conditions stand around it."""
    stack = [document]
    for _ in range(2_000):
        if not stack:
            return
        node = stack.pop()
        if node.get("payload") is not None:
            yield node
        elif isinstance(node.value, list):
            stack.extend(reversed(node.value))
        else:
            stack.extend(child for _, child in reversed(node.items))
