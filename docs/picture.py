"""Draws docs/report.svg: the beginning of the real report of a sample repository, as a terminal shows it.

.venv/bin/python docs/picture.py
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

import mlops_audit
from mlops_audit.report import render

CHECKOUT = Path(__file__).resolve().parents[1]
SAMPLE = "fixtures/level-3"
LINES, COLUMNS = 58, 104
PAPER = TerminalTheme(
    (22, 24, 29),
    (215, 218, 224),
    [(60, 64, 72), (240, 110, 110), (126, 200, 120), (229, 192, 96), (110, 170, 250), (200, 140, 230), (90, 200, 210), (200, 204, 210)],
    [(120, 124, 132), (255, 130, 130), (150, 220, 140), (245, 210, 120), (140, 190, 255), (215, 160, 240), (120, 220, 230), (255, 255, 255)],
)  # fmt: skip


def shown() -> str:
    """The lines of the picture, coloured for a terminal."""
    report = render(mlops_audit.audit(CHECKOUT / SAMPLE), "terminal", color=True, width=COLUMNS, unicode=True)
    return "\n".join(report.split("\n")[:LINES])


def picture() -> str:
    """The picture as SVG."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            file=nowhere, record=True, width=COLUMNS, force_terminal=True, color_system="truecolor"
        )
        console.print(Text(f"$ mlops-audit audit {SAMPLE}", style="bold"))
        console.print(Text.from_ansi(shown()))
        drawn = console.export_svg(title="mlops-audit", theme=PAPER, unique_id="report")
    return re.sub(r"@font-face \{[^}]*\}\s*", "", drawn)  # fonts from elsewhere are not fetched


if __name__ == "__main__":
    (CHECKOUT / "docs/report.svg").write_text(picture(), encoding="utf-8")
