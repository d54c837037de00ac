"""Words of a shell text as the shell would see them: variables and directories that are known put in."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from mlops_audit.shell.tokens import past

MAX_VALUE = 2_000  # characters of a variable's value
ROOT = "\x01"  # stands for the root of the repository inside the value of a variable
# Variables in which CI systems keep the directory of the checked out repository.
ROOTS = frozenset({
    "GITHUB_WORKSPACE", "CI_PROJECT_DIR", "BUILD_SOURCESDIRECTORY", "WORKSPACE", "CIRCLE_WORKING_DIRECTORY",
})  # fmt: skip

ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\]|\+)?=")

NAME = re.compile(r"[A-Za-z_]\w*|[0-9@*#?!-]")

# By the quote around it, "" for none: what stands for itself.
_ORDINARY = {
    "": re.compile(r"[^\\'\"$`]+"),
    '"': re.compile(r"[^\\\"$`]+"),
    "'": re.compile(r"[^']+"),
}

_SAFE = re.compile(r"[\w./:=@%+,~${}?*\[\]^-]+")


@dataclass(slots=True)
class Words:
    """Where a shell stands and what its variables are; `assigned` are the values given in the open blocks."""

    variables: dict[str, str]
    directory: str
    stack: list[str] = field(default_factory=list)
    assigned: list[dict[str, set[str]]] = field(default_factory=list)

    def assign(self, word: str, known: bool) -> None:
        assignment = ASSIGNMENT.match(word)
        if assignment is None:
            return
        name, value = assignment[1], word[assignment.end() :]
        if assignment[2] or not known or len(value) > MAX_VALUE:
            self.variables.pop(name, None)
            if self.assigned:
                self.assigned[-1].setdefault(name, set()).update(("", "\0"))
            return
        if self.assigned:
            seen = self.assigned[-1].setdefault(name, set())
            if name in self.variables:
                seen.add(self.variables[name])
            seen.add(value)
        self.variables[name] = value

    def change_directory(self, name: str, arguments: list[str]) -> None:
        targets = [a for a in arguments if not a.startswith("-") or a == "-"]
        if name == "popd" or targets == ["-"]:
            self.directory = self.stack.pop() if self.stack else "?"
            return
        self.stack.append(self.directory)
        del self.stack[:-100]
        self.directory = _inside(self.directory, targets[0] if targets else "~")

    def expand(self, raw: str) -> tuple[str, str, bool]:
        """A word as shown and without quotes, with known variables put in, and whether all of it is known."""
        shown: list[str] = []
        plain: list[str] = []
        known = True
        taken_as_is = False  # a dollar sign in single quotes is no variable
        quote = ""
        unclosed: set[str] = set()
        i, size = 0, len(raw)
        while i < size:
            if ordinary := _ORDINARY[quote].match(raw, i):
                text = ordinary[0]
                taken_as_is |= quote == "'" and ("$" in text or "`" in text)
                shown.append(text)
                plain.append(text)
                i = ordinary.end()
                continue
            char = raw[i]
            if char == "\\":
                if raw[i + 1 : i + 2] != "\n":
                    shown.append(raw[i : i + 2])
                    plain.append(
                        raw[i + 1 : i + 2] if not quote or raw[i + 1 : i + 2] in '"\\$`' else raw[i : i + 2]
                    )
                i += 2
            elif char == quote:
                quote = ""
                shown.append(char)
                i += 1
            elif not quote and char in "'\"":
                quote = char
                shown.append(char)
                i += 1
            else:
                end = past(raw, i, unclosed)
                if end == i + 1 and (name := NAME.match(raw, i + 1)):
                    end = name.end()
                value = self.value(raw[i:end]) if end > i + 1 else None
                known &= value is not None or end == i + 1
                text = raw[i:end] if value is None else value
                shown.append(text)
                plain.append(text)
                i = end
        text, bare = "".join(shown), "".join(plain)
        if ROOT in text:
            text, bare = (
                (_relative(t, self.directory) for t in (text, bare))
                if not ASSIGNMENT.match(bare)
                else (text, bare)
            )
        if _SAFE.fullmatch(bare) and not taken_as_is:
            text = bare
        return text, bare, known

    def value(self, reference: str) -> str | None:
        """The value of `$x`, `${x}`, `${x:-y}` or of a substitution that only names a directory."""
        if reference.startswith("$("):
            return self.value_of(reference[2:-1])
        if reference.startswith("`"):
            return self.value_of(reference[1:-1])
        if reference.startswith("${{"):
            return None
        name, default = reference[1:], None
        if reference.startswith("${"):
            parts = re.fullmatch(r"\{(\w+)(?:\[[0@*]\])?(?::?[-=](.*))?\}", reference[1:], re.DOTALL)
            if parts is None:
                return None
            name, default = parts[1], parts[2]
        if name in ROOTS:
            return self.variables.get(name, ROOT)
        if name == "PWD" and not self.directory.startswith("?"):
            return self.variables.get(name, f"{ROOT}/{self.directory}".rstrip("/"))
        if name in self.variables:
            return self.variables[name]
        if default is None or len(default) > MAX_VALUE:
            return None
        inner = re.sub(r"^([\"'])(.*)\1$", r"\2", default, flags=re.DOTALL)
        return None if "$" in inner or "`" in inner else inner

    def value_of(self, script: str) -> str | None:
        """The directory that `$(pwd)`, `$(dirname x)`, `$(cd x && pwd)` and the like stand for."""
        script = " ".join(script.split())
        if len(script) > 300:
            return None
        if script == "pwd" and not self.directory.startswith("?"):
            return f"{ROOT}/{self.directory}".rstrip("/")
        if script == "git rev-parse --show-toplevel":
            return ROOT
        inner = re.fullmatch(r"(dirname|realpath|readlink -f|basename)( --)? (\S+|\"[^\"]*\")", script)
        moved = re.fullmatch(
            r"cd(?: -P)?(?: --)? (.+?)(?: >/dev/null(?: 2>&1)?| &> ?/dev/null)?(?: &&|;) pwd(?: -P)?", script
        )
        if inner is None and moved is None:
            return None
        saved, self.directory = self.directory, "?"
        _, plain, known = self.expand(inner[3] if inner else moved[1] if moved else "")
        self.directory = saved
        if not known or ROOT not in plain:
            return None
        if moved or (inner and inner[1] in ("realpath", "readlink -f")):
            return ROOT + posixpath.normpath(plain[1:] or "/").rstrip("/") if plain.startswith(ROOT) else None
        if inner and inner[1] == "dirname":
            return ROOT + posixpath.dirname(plain[1:]).rstrip("/") if plain.startswith(ROOT) else None
        return posixpath.basename(plain)


def _relative(text: str, directory: str) -> str:
    """A path that begins at the root of the repository, seen from `directory`."""
    if directory.startswith(("?", "/")):
        return text if directory.startswith("?") else text.replace(ROOT, ".")
    before, _, path = text.partition(ROOT)
    path, mark, rest = path.partition(":")
    found = posixpath.relpath("/" + path.lstrip("/").strip("\"'"), "/" + directory)
    quote = path[-1] if path.endswith(("'", '"')) else ""
    return f"{before}{found}{quote}{mark}{rest}".replace(ROOT, ".")


def _inside(directory: str, target: str) -> str:
    """The directory that `cd target` leads to from `directory`."""
    if target.startswith(ROOT):
        directory, target = "", target[1:].lstrip("/") or "."
    if target.startswith("/"):
        return posixpath.normpath(target)
    if (
        target.startswith("~")
        or "$" in target
        or "`" in target
        or "{{" in target
        or "%" in target
        or ROOT in target
    ):
        known = re.sub(r"^(?:~[^/]*|[^/]*[$`%{][^/]*)", "?", target)
        return known if "$" not in known and known.startswith("?") else "?"
    found = posixpath.normpath(posixpath.join(directory, target))
    return "" if found == "." else found if len(found) < 300 else "?"
