"""Git histories that tests make: every commit at a fixed time, so that its id is the same on every machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


class History:
    """A repository whose commits a test writes one after the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.count = 0
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        stamp = f"2026-01-{1 + self.count // 24:02} {self.count % 24:02}:00:00 +0000"
        who = {"AUTHOR": "a", "COMMITTER": "c"}
        made = {f"GIT_{role}_{part}": value for role, name in who.items()
                for part, value in (("NAME", name), ("EMAIL", f"{name}@b.invalid"), ("DATE", stamp))}  # fmt: skip
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false", *words]
        ran = subprocess.run(
            command, cwd=self.root, env=kept | made, check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Put texts into the work tree; None takes a file away."""
        for path, text in files.items():
            place = self.root / path
            if text is None:
                place.unlink()
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, "utf-8")

    def commit(self, files: Mapping[str, str | None] | None = None) -> str:
        """Commit the work tree with these changes; the id of the commit."""
        self.write(files or {})
        self.count += 1
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"commit {self.count}")
        return self.git("rev-parse", "HEAD")

    def lay_out(self, fixture: str) -> str:
        """Commit a sample repository of fixtures/."""
        shutil.copytree(
            FIXTURES / fixture, self.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected.yaml")
        )
        return self.commit()
