"""What building, composing and deploying containers starts of a repository."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from mlops_audit.reach.places import Repository


def containers(program: str, rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """What building, starting or composing containers runs, but for the command that one of them is given."""
    words, composed = _words(program, rest)
    if composed:
        yield from _composed(words, here, repository)
    elif words[:1] == ["build"]:
        yield from _built(words, here, repository)


def given(program: str, rest: list[str]) -> list[str]:
    """The words with the command that a container is given when it is started, with options and image before it."""
    words, composed = _words(program, rest)
    if composed:
        return words if "run" in words or "exec" in words else []
    return words[1:] if words[:1] == ["run"] else []


def _words(program: str, rest: list[str]) -> tuple[list[str], bool]:
    """What follows the program, and whether that composes several containers."""
    words = [word for word in rest if word != "buildx"]
    if words[:1] == ["compose"]:
        return words[1:], True
    return words, program == "docker-compose"


def _composed(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    files = [words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-f", "--file")]
    names = files or ["docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"]
    for path in filter(None, (repository.file(name, *here) for name in names)):
        units = repository.units.get(path, ())
        named = [unit for unit in units if unit.partition("#")[2] in words]
        yield path
        yield from named or units
        if not files:
            break


def _built(words: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    file = next((words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-f", "--file")), "")
    file = file or next((w.partition("=")[2] for w in words if w.startswith("--file=")), "")
    context = words[-1] if len(words) > 1 and not words[-1].startswith("-") else "."
    name = file or f"{context}/Dockerfile"
    for place in here:
        path = normpath(f"{place}/{name}" if place else name)
        if path in repository.paths:
            yield path
            return
    if path_found := repository.file(file or "Dockerfile", *here):
        yield path_found


def manifests(rest: list[str], here: tuple[str, ...], repository: Repository) -> Iterator[str]:
    """The manifests and charts that kubectl and helm apply: files and folders that they name."""
    for word in rest:
        if word.startswith("-") or "://" in word:
            continue
        for place in here:
            root = normpath(f"{place}/{word}" if place else word)
            if root in repository.paths:
                yield from repository.whole(root)
                break
            within = repository.under(root) if root != "." else ()
            inside = [path for path in within if path.endswith((".yaml", ".yml", ".tpl", ".json"))]
            if inside:
                for path in inside:
                    yield from repository.whole(path)
                break
