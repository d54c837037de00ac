"""Repositories that are templates of projects (cookiecutter, copier, bundle templates), seen as what they set up."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

# A file at the root by which a repository says that it is a template.
MARKERS = frozenset(
    {"cookiecutter.json", "copier.yml", "copier.yaml", "databricks_template_schema.json", "cruft.json"}
)
SUFFIXES = (".tmpl", ".jinja", ".jinja2", ".j2", ".tpl")
SLOT = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\[\[.*?\]\]")
CONTROL = (
    r"(?:if|else|elif|end|endif|endfor|range|for|with|define|block|set|macro|break|raw|endraw|skip|fail)\b"
)
ACTION = re.compile(
    r"\{\{-?\s*(?:\"(?P<quoted>[^\"\n]*)\"|`(?P<ticked>[^`\n]*)`)\s*-?\}\}|"
    rf"(?P<control>\{{%.*?%\}}|\{{#.*?#\}}|\{{\{{-?\s*(?:{CONTROL}|/\*|\$\w+\s*:=).*?\}}\}})|(?<!\$)(?P<value>\{{\{{.*?\}}\}})",
    re.DOTALL,
)


def placed(paths: Collection[str]) -> Mapping[str, str]:
    """Where the files of a template land in the project that it sets up; {} for a repository that is no template.

    Files outside of the template's folder are its own tooling and not in the mapping. Slots in names become `project`.
    """
    if not any(path in MARKERS for path in paths):
        return {}
    heads = {head for path in paths if (head := _head(path)) is not None}
    found: dict[str, str] = {}
    for path in sorted(paths):
        head = max((h for h in heads if path.startswith(h)), key=len, default=None)
        if head is None:
            continue
        name = SLOT.sub("project", path[len(head) :])
        for suffix in SUFFIXES:
            if name.endswith(suffix) and PurePosixPath(name.removesuffix(suffix)).name:
                name = name.removesuffix(suffix)
                break
        found[path] = name
    return found


def _head(path: str) -> str | None:
    """The folder of the template in which a path stands: up to the first name with a slot, or `template/`."""
    parts = path.split("/")
    for number, part in enumerate(parts[:-1]):
        if SLOT.search(part):
            return "/".join(parts[: number + 1]) + "/"
    return "template/" if parts[0] == "template" and len(parts) > 1 else None


def filled(data: bytes) -> bytes:
    """The text of a template with every value as `project` and without control actions, on the same lines."""
    text = data.decode("utf-8", errors="surrogateescape")
    if "{{" not in text and "{%" not in text:
        return data

    def fill(action: re.Match[str]) -> str:
        literal = action["quoted"] if action["quoted"] is not None else action["ticked"]
        if literal is not None:  # `{{ "{{x}}" }}` is how a template writes braces
            return str(literal)
        return ("" if action["control"] else "project") + "\n" * action[0].count("\n")

    return ACTION.sub(fill, text).encode("utf-8", errors="surrogateescape")
