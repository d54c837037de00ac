"""The documentation says what is so: pages of rules, links, options, keys, recipes and the picture."""

from __future__ import annotations

import html
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mlops_audit import catalogue, cli, config, parse
from mlops_audit.cli import command_of
from mlops_audit.formats.rule_pages import pages
from mlops_audit.rule_packs import rule_pack

CHECKOUT = Path(__file__).resolve().parents[1]
RULES = CHECKOUT / "docs/rules"
GUIDE = (CHECKOUT / "docs/guide.md").read_text()
README = (CHECKOUT / "README.md").read_text()
MAKE = "run: mlops-audit rules --write-docs docs/rules && python docs/picture.py"


def test_the_pages_of_the_rules_are_those_of_the_rules() -> None:
    made = pages(rule_pack(examples=True), catalogue.load())
    kept = {path.relative_to(RULES).as_posix(): path.read_text() for path in RULES.rglob("*.md")}
    assert set(kept) == set(made), MAKE
    stale = [path for path in made if made[path] != kept[path]]
    assert not stale, MAKE


def test_the_picture_shows_the_report_as_it_is() -> None:
    spec = importlib.util.spec_from_file_location("picture", CHECKOUT / "docs/picture.py")
    assert spec is not None
    assert spec.loader is not None
    picture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(picture)
    drawn = html.unescape(re.sub(r"<[^>]*>", "", (CHECKOUT / "docs/report.svg").read_text()))
    drawn = re.sub(r"\s+", "", drawn)
    lines = [re.sub(r"\s+", "", re.sub(r"\x1b\[[\d;]*m", "", line)) for line in picture.shown().splitlines()]
    assert len(lines) == picture.LINES
    assert not [line for line in lines if line not in drawn], MAKE
    assert "http://www.w3.org" in (CHECKOUT / "docs/report.svg").read_text()
    assert "https://cdn" not in (CHECKOUT / "docs/report.svg").read_text(), "a picture fetches nothing"


def documents() -> list[Path]:
    return [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_links_inside_the_repository_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), f"{path.name}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{path.name}: {target}"


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_guide_names_every_command_and_every_option_of_the_audit() -> None:
    for name in cli.MODULES:
        assert re.search(rf"^\| `{name}\b", GUIDE, re.MULTILINE), name
    for option in command_of("audit").params:
        if isinstance(option, click.Option) and not option.hidden:
            name = max(option.opts, key=len)
            assert re.search(rf"^\| `{name}\b", GUIDE, re.MULTILINE), name


def test_the_guide_names_every_key_of_the_configuration_and_no_other() -> None:
    section = GUIDE.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)) == set(config.USER_KEYS)


@pytest.mark.parametrize("document", [README, GUIDE], ids=["README.md", "guide.md"])
def test_exit_codes_are_those_of_the_program(document: str) -> None:
    named = {
        int(code)
        for code in re.findall(r"^\| (\d+) \| (?:the audit|a |nothing|an |interr)", document, re.MULTILINE)
    }
    assert named >= {cli.PASSED, cli.FAILED, cli.MISUSED, cli.NOTHING, cli.BROKEN, cli.INTERRUPTED}


def shown_commands() -> Iterator[tuple[str, str]]:
    for text in (README, GUIDE, (CHECKOUT / "CONTRIBUTING.md").read_text()):
        for command, rest in re.findall(
            r"mlops-audit ([a-z]+)((?: [^\n`#|]*)?)", re.sub(r"\n +(?=--)", " ", text)
        ):
            if command in cli.MODULES or "--" in rest:
                yield command, rest


@pytest.mark.parametrize(("command", "rest"), sorted(set(shown_commands())))
def test_commands_that_the_documents_show_have_those_options(command: str, rest: str) -> None:
    assert command in cli.MODULES
    known = {opt for param in command_of(command).params for opt in param.opts}
    assert set(re.findall(r"--[a-z-]+", rest)) <= known | {"--help"}


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.DOTALL | re.MULTILINE)


def test_the_configuration_in_the_readme_is_one() -> None:
    (text,) = blocks(README, "toml")
    read = config.of_repository(lambda name: text.encode() if name == config.OWN_FILE else None)
    assert (read.maturity, read.scores["data"]) == (1, 6.0)
    assert read.disable


def test_recipes_for_ci_are_well_formed() -> None:
    recipes = blocks(GUIDE, "yaml")
    assert len(recipes) == 3
    for recipe in recipes:
        (document,) = parse.yaml(recipe.encode())
        assert document.items
