"""The report for a terminal: bars, the ladder of levels, what to do next."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mlops_audit.safe import plain, shortened

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Document = dict[str, Any]

NARROWEST, WIDEST = 60, 120
TOP_FIXES = 8
STYLES = {
    "pass": "green", "partial": "yellow", "missing": "red", "na": "bright_black", "unknown": "magenta", "waived": "blue",
    "critical": "bold red", "major": "red", "minor": "yellow", "note": "cyan",
}  # fmt: skip
SIGNS = {
    "pass": "✔", "partial": "◐", "missing": "✘", "na": "–", "unknown": "?", "waived": "≈",
    "full": "█", "empty": "░", "open": "●", "closed": "○", "to": "→", "cut": "…",
}  # fmt: skip
ASCII = {
    "pass": "+", "partial": "~", "missing": "x", "na": "-", "unknown": "?", "waived": "w",
    "full": "#", "empty": ".", "open": "*", "closed": "o", "to": "->", "cut": "...",
}  # fmt: skip
TERMS = {"quick": "1-2 weeks", "medium": "1-3 months", "long": "3-6 months"}


def terminal(document: Document, *, color: bool, width: int, unicode: bool) -> str:
    """The report as text of at most `width` columns (60 to 120), with ANSI colours when asked."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        force_terminal=color,
        force_interactive=False,
        color_system="standard" if color else None,
        width=min(max(width, NARROWEST), WIDEST),
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    page = _Page(console, document, SIGNS if unicode else ASCII)
    page.head()
    page.pillars()
    page.ladder()
    page.way_up()
    page.anti_patterns()
    page.claims()
    page.aspects()
    page.fixes()
    page.held_back()
    page.foot()
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().split("\n")
    text = "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"
    return text if unicode else text.encode("ascii", "backslashreplace").decode("ascii")


class _Page:
    """Prints the parts of a report one after the other; all text is `Text`, so nothing is read as markup."""

    def __init__(self, console: Console, document: Document, signs: dict[str, str]) -> None:
        self.console = console
        self.document = document
        self.signs = signs
        self.aspects_by_id = {a["id"]: a for pillar in document["pillars"] for a in pillar["aspects"]}

    def line(self, *parts: str | tuple[str, str], indent: int = 0) -> None:
        """One paragraph of plain parts and (text, style) parts; lines after the first are indented two more."""
        from rich.text import Text

        text = Text()
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(plain(content), style)
        self._wrapped(text, indent)

    def _wrapped(self, text: Text, indent: int) -> None:
        from rich.text import Text

        hanging = indent + 2
        lines = text.wrap(self.console, self.console.width - hanging)
        for number, row in enumerate(lines):
            row.rstrip()
            self.console.print(Text(" " * (hanging if number else indent)) + row, soft_wrap=True)

    def cropped(self, *parts: str | tuple[str, str], indent: int = 0) -> None:
        """One line, cut at the width."""
        from rich.text import Text

        text = Text(" " * indent)
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(plain(content), style)
        mark = self.signs["cut"]
        if text.cell_len > self.console.width:
            text.truncate(self.console.width - len(mark))
            text.append(mark, "bright_black")
        self.console.print(text, soft_wrap=True)

    def title(self, text: str) -> None:
        self.console.print()
        self.line((text, "bold underline"))

    def name_of(self, aspect: str) -> str:
        return str(self.aspects_by_id[aspect]["title"]) if aspect in self.aspects_by_id else aspect

    def head(self) -> None:
        document, maturity = self.document, self.document["maturity"]
        commit = f" at {document['commit'][:12]}" if document["commit"] else ""
        kinds = ", ".join(document["kinds"]) or "none"
        self.line(("MLOps audit of ", "bold"), (document["project"], "bold cyan"), commit)
        self.line((f"{document['files']} files read, none of them run. Kinds: {kinds}.", "bright_black"))
        self.console.print()
        top = maturity["levels"][-1]["level"]
        self.line(
            ("Maturity ", "bold"),
            (f"{maturity['level']} of {top}", "bold cyan"),
            f"  {maturity['title']}: {maturity['meaning']}",
        )
        self.line(("Score    ", "bold"), (f"{_points(document['score'])}/10", "bold cyan"))
        severities = document["counts"]["severities"]
        found: list[str | tuple[str, str]] = [("Findings ", "bold")]
        for number, (name, count) in enumerate(severities.items()):
            found += [", " if number else "", (f"{count} {name}", STYLES[name] if count else "bright_black")]
        counts = document["counts"]["verdicts"]
        self.line(*found, f"; {counts['pass']} in place, {counts['na']} do not apply")
        if counts["unknown"]:
            self.line(
                ("Unknown  ", "bold"),
                (str(counts["unknown"]), STYLES["unknown"]),
                " aspects: files that could have decided them were not read; they earn no points and open no gate",
            )

    def pillars(self) -> None:
        self.title("Pillars")
        widest = max(len(pillar["title"]) for pillar in self.document["pillars"])
        for pillar in self.document["pillars"]:
            counts = {
                v: sum(a["verdict"] == v for a in pillar["aspects"])
                for v in ("pass", "partial", "missing", "na", "unknown", "waived")
                if v not in ("unknown", "waived") or self.document["counts"]["verdicts"][v]
            }
            tally: list[str | tuple[str, str]] = []
            for verdict, count in counts.items():
                tally += [
                    "  ",
                    (f"{self.signs[verdict]}{count:<2}", STYLES[verdict] if count else "bright_black"),
                ]
            self.line(f"{pillar['title']:<{widest}}  ", *self.bar(pillar["score"]), *tally)

    def bar(self, score: float | None, cells: int = 20) -> list[str | tuple[str, str]]:
        if score is None:
            return [(self.signs["empty"] * cells, "bright_black"), "  n/a"]
        full = int(score * cells / 10 + 0.5)
        style = "green" if score >= 7 else "yellow" if score >= 4 else "red"
        return [
            (self.signs["full"] * full, style),
            (self.signs["empty"] * (cells - full), "bright_black"),
            (f" {score:4.1f}", style),
        ]

    def ladder(self) -> None:
        self.title("Levels")
        maturity = self.document["maturity"]
        for level in maturity["levels"]:
            gates = [gate for gate in maturity["gates"] if gate["level"] == level["level"]]
            style = "green" if level["reached"] else "bright_black"
            sign = self.signs["pass" if level["reached"] else "na"]
            row: list[str | tuple[str, str]] = [(f"{sign} {level['level']} {level['title']:<20}", style), " "]
            row += [
                (self.signs["open" if g["open"] else "closed"], "green" if g["open"] else "red")
                for g in gates
            ]
            self.line(*row)
            for gate in gates:
                if not gate["open"]:
                    word = " or " if gate["needs"] == "any" else ", "
                    names = word.join(map(self.name_of, gate["closed_by"]))
                    state = "in place" if gate["at_least"] == "pass" else "at least begun"
                    self.line((f"needs {names} {state}", "bright_black"), indent=4)

    def way_up(self) -> None:
        following = self.document["maturity"]["next"]
        if not following or not following["fixes"]:
            return
        self.title(f"The cheapest way to level {following['level']}, {following['title']}")
        for number, aspect in enumerate(following["fixes"], 1):
            found = self.aspects_by_id[aspect]
            term = TERMS[found["effort"]]
            self.line((f"{number}. {found['title']}", "bold"), f" ({term}) {found['fix']}")

    def anti_patterns(self) -> None:
        if self.document["anti_patterns"]:
            self.title("Anti-patterns")
            for pattern in self.document["anti_patterns"]:
                self.line((pattern["title"], "bold red"), f": {pattern['meaning']}")

    def claims(self) -> None:
        claims = self.document["unsupported_claims"]
        if claims:
            self.title(
                f"Claims that nothing supports, of {len(claims)}"
                if len(claims) > 3
                else "Claims that nothing supports"
            )
            for claim in claims[:3]:
                self.line((f"{claim['path']}:{claim['line']} ", "cyan"), f"says: {claim['text']}")

    def aspects(self) -> None:
        self.title("Aspects")
        for pillar in self.document["pillars"]:
            if pillar["aspects"]:
                self.line((f"{pillar['title']}", "bold"))
            for aspect in pillar["aspects"]:
                verdict = aspect["verdict"]
                parts: list[str | tuple[str, str]] = [
                    (f"{self.signs[verdict]} ", STYLES[verdict]),
                    (aspect["title"], STYLES[verdict] if verdict == "na" else ""),
                ]
                self.cropped(*parts, *self.notes(aspect), indent=2)

    def notes(self, aspect: Document) -> Iterable[str | tuple[str, str]]:
        """The first place of the first signal found and how many more there are, then what is lacking."""
        reasons = {off["aspect"]: off["reason"] for off in self.document["disabled"]}
        if aspect["id"] in reasons:
            return [(f"  disabled: {reasons[aspect['id']]}", "bright_black")]
        if aspect["verdict"] == "unknown":
            more = len(aspect["unread"]) - 1 + aspect["unread_left_out"]
            rest = f" and {more} more" if more else ""
            return [
                "  ",
                (shortened(plain(aspect["unread"][0]), 60), "cyan"),
                (f"{rest} not read", "bright_black"),
            ]
        if waiver := aspect["waiver"]:
            until = f"  waived by {waiver['owner']} until {waiver['expires']} (found {waiver['verdict']}): "
            return [(until, STYLES["waived"]), (waiver["reason"], "bright_black")]
        several = len({row["project"] for row in self.aspects_by_id.values() if row["verdict"] != "na"}) > 1
        first: dict[str, str] = {}
        for piece in aspect["evidence"]:
            first.setdefault(piece["signal"], _site(piece))
        parts: list[str | tuple[str, str]] = []
        for signal, place in list(first.items())[:1]:
            more = f" and {len(first) - 1} more" if len(first) > 1 else ""
            parts += ["  ", (shortened(plain(place), 60), "cyan"), (f" {signal}{more}", "bright_black")]
        if several and aspect["verdict"] not in ("na", "missing"):
            parts.append(
                (f"{', ' if parts else '  '}in {plain(aspect['project'] or 'the root')}", "bright_black")
            )
        if aspect["lacks"] and aspect["verdict"] != "na":
            lacks: Sequence[str] = aspect["lacks"]
            rest = f" and {len(lacks) - 2} more" if len(lacks) > 2 else ""
            parts += ["; " if parts else "  ", (f"lacks: {', '.join(lacks[:2])}{rest}", "bright_black")]
        return parts

    def fixes(self) -> None:
        steps = self.document["roadmap"]
        if not steps:
            return
        self.title(f"First fixes, of {len(steps)}" if len(steps) > TOP_FIXES else "Fixes")
        titles = {pillar["id"]: pillar["title"] for pillar in self.document["pillars"]}
        for step in steps[:TOP_FIXES]:
            effect = step["effect"]
            gains = [f"+{effect['pillar_gain']:.1f} {titles[effect['pillar']]}"]
            for opened in effect["opens"]:
                plural = "gate" if opened["closed"] == 1 else "gates"
                gains.append(
                    f"opens {opened['gates']} of {opened['closed']} closed {plural} of level {opened['level']}"
                )
            if effect["level_after"] != effect["level_before"]:
                gains.append(f"reaches level {effect['level_after']}")
            self.line(
                (f"{step['severity']:<8} ", STYLES[step["severity"]]),
                (step["title"], "bold"),
                f" {self.signs['to']} ",
                (", ".join(gains), "green"),
                (f" ({TERMS[step['term']]}; mlops-audit explain {step['aspect']})", "bright_black"),
            )

    def held_back(self) -> None:
        """What waivers, comments and a baseline held back, and what is wrong with them."""
        baseline, waivers = self.document["baseline"], self.document["waivers"]
        if baseline:
            new = baseline["new"]
            self.title("Baseline")
            self.line(
                f"Held back by {baseline['file']}: {baseline['hidden']}. New: {len(new['aspects'])} aspects, "
                f"{len(new['places'])} lines. Gone: {len(baseline['gone'])}"
                + (" (mlops-audit baseline update takes them out)" if baseline["gone"] else "")
            )
            for row in baseline["gone"][:5]:
                where = f"{row['path']}: {row['signal']}" if "path" in row else f"was {row['verdict']}"
                self.line(("gone ", "green"), f"{row['aspect']}, {where}", indent=2)
            for place in new["places"][:5]:
                self.line((_site(place), "cyan"), f" {place['signal']} ({place['aspect']})", indent=2)
        if waivers["ignored"] or waivers["places"] or waivers["notes"]:
            self.title("Waivers")
            for row in waivers["places"]:
                words = f" {row['signal']}: waived by {row['owner']} until {row['expires']}: {row['reason']}"
                self.line((_site(row), "cyan"), words)
            for row in waivers["ignored"]:
                self.line((_site(row), "cyan"), f" is no evidence of {row['aspect']}: {row['reason']}")
            for note in waivers["notes"]:
                self.line((f"{note['path']}:{note['line']} ", "yellow"), note["what"])

    def foot(self) -> None:
        document = self.document
        if document["thresholds"]:
            self.title("Thresholds")
            for row in document["thresholds"]:
                verdict = "pass" if row["held"] else "missing"
                sign = (f"{self.signs[verdict]} ", STYLES[verdict])
                self.line(sign, f"{row['threshold']}: wanted {row['wanted']}, found {row['found']}")
        if document["configured_by"]:
            self.title("Configured by")
            self.line(", ".join(document["configured_by"]))
        if document["disabled"]:
            self.title("Disabled by configuration")
            for off in document["disabled"]:
                self.line(self.name_of(off["aspect"]), f": {off['reason']}")
        if document["excluded"]:
            self.title("Left out by configuration")
            self.line(", ".join(document["excluded"]))
        if document["problems"]:
            self.title(f"Not read, or broken as committed: {len(document['problems'])}")
            for problem in document["problems"][:5]:
                self.line((shortened(plain(_site(problem)), 70), "cyan"), f": {problem['reason']}")
            if len(document["problems"]) > 5:
                self.line(
                    (f"and {len(document['problems']) - 5} more; the other formats name them", "bright_black")
                )


def _points(score: float | None) -> str:
    return "n/a" if score is None else f"{score:.1f}"


def _site(piece: Document) -> str:
    cell = f"#cell{piece['cell']}" if piece["cell"] else ""
    return f"{piece['path']}{cell}:{piece['line']}" if piece["line"] else f"{piece['path']}{cell}"
