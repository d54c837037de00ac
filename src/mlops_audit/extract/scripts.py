"""Shell, batch and PowerShell scripts: the commands they run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlops_audit import automation
from mlops_audit.automation import Script
from mlops_audit.facts import Fact
from mlops_audit.parse.nodes import MAX_BYTES, NotRead, ParseFailure, decode

SHEBANG = re.compile(r"#!\s*\S*?(?:/|env\s+(?:-S\s+)?)(?:ba|da|z|k|a)?sh\b")


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The commands of a script, in the unit of its own path; a script is started by others and is no job."""
    name = path.rpartition("/")[2].lower()
    suffix = name.rpartition(".")[2] if "." in name.lstrip(".") else ""
    if suffix not in ("sh", "bash", "zsh", "ksh", "bat", "cmd", "ps1") and (
        suffix or not data.startswith(b"#!")
    ):
        return []
    if len(data) > MAX_BYTES:
        raise NotRead(f"larger than {MAX_BYTES} bytes")
    if b"\x00" in data[:4096]:
        raise ParseFailure("a NUL byte in a text file")
    text = decode(data)
    traits = {"unit": path, "system": "shell"}
    if suffix in ("bat", "cmd"):
        return automation.commands(_as_shell(text, batch=True), path, traits)
    if suffix == "ps1":
        return automation.commands(_as_shell(text, batch=False), path, traits)
    if not suffix and not SHEBANG.match(text):
        return []
    return automation.commands(Script(text, 1), path, traits, own_path=path, goes_on=True)


def _as_shell(text: str, *, batch: bool) -> Script:
    """A Windows script line by line in the words of a shell, so far as single commands go."""
    lines = []
    block = False  # inside of a comment of several lines
    for raw in text.split("\n"):
        line = raw.strip()
        if not batch and (block or line.startswith("<#")):
            block = "#>" not in line
            line = ""
        if (
            batch
            and re.match(
                r"(?i)@?(?:rem\b|::|:\w|echo off|setlocal|endlocal|goto\b|if\b|for\b|else\b|\)|\()", line
            )
        ) or (
            not batch
            and re.match(
                r"(?i)[{}]|(?:if|else|elseif|for|foreach|while|function|param|try|catch|finally|switch)\b|[$@)]",
                line,
            )
        ):
            line = ""
        line = line.removeprefix("@").replace("\\", "/")
        if batch:
            line = re.sub(r"%~?(\w+)%?", r"${\1}", line)
            line = re.sub(r"(?i)^(?:call|start(?:\s+\"[^\"]*\")?(?:\s+/\w+)*)\s+", "", line)
            line = re.sub(r"(?i)^cd\s+/d\s+", "cd ", line)
            line = line[:-1] + "\\" if line.endswith("^") else line
        else:
            line = re.sub(r"(?i)^&\s*", "", line)
            line = re.sub(r"(?i)^(?:set-location|push-location|sl)\s+", "cd ", line)
            line = line[:-1] + "\\" if line.endswith("`") else line
        if line.count('"') % 2 or line.count("'") % 2:
            line = line.replace('"', "").replace("'", "")
        lines.append(line)
    return Script("\n".join(lines), 1)
