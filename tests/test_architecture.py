"""Imports run one way: every module of the package stands in a layer, and none imports one above it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import mlops_audit

PACKAGE = Path(mlops_audit.__file__).parent

# From the top; modules of one layer may not import each other. A new module fails until somebody decides where it
# stands. `extract` is the frame that runs the extractors (extract.python and so on), which know nothing of each other.
LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "__main__",
        "start",
        "cutoff",
        "cli",
        "cli.audit cli.baseline cli.check cli.compare cli.configuration cli.facts cli.machine cli.rules cli.trend",
        "cli.options cli.surroundings",
        "cli.output",
        "cli.words cli.codes",
        "changes.trend_report",
        "verify check formats.rule_pages changes.sides changes.trend",
        "changes.states",
        "__init__",
        "config.shown",
        "audit config",
        "config.extending",
        "config.reader",
        "config.settings config.waiver_tables",
        "config.words",
        "report changes.compare",
        "roadmap formats.location formats.snippets formats.sarif formats.terminal formats.explain changes.terminal formats.page formats.junit formats.code_quality formats.job_log formats.badge formats.spreadsheet",
        "formats.pipeline changes.chart",
        "formats.markdown formats.not_read waivers changes.baseline changes.telling",
        "examination",
        "alike",
        "quiet asked rule_packs",
        "ignores",
        "score memory changes.identity unread",
        "workers",
        "judge extract reach projects",
        "reach.needs reach.listening",
        "reach.failures reach.trials reach.uncalled reach.unloaded reach.unset shipped",
        "reach.unbound reach.unprovided reach.unreached",
        "EXTRACTORS reach.unbuildable reach.unbundled reach.launch reach.uninstalled reach.unmade reach.bodies reach.unused",
        "reach.runners reach.containers",
        "reach.places",
        "records tree reach.named_tasks reach.command_words reach.stated reach.brought reach.told literals",
        "rules",
        "repository.work_tree repository.plain_folder repository.history repository.objects revision",
        "repository.clean_git",
        "catalogue repository scaffold question",
        "repository.regular_files",
        "code",
        "code.reader",
        "code.commands code.decisions",
        "code.walk code.literal_values",
        "code.expressions",
        "code.around",
        "code.names code.constructs code.javascript",
        "code.annotations code.construct_pipelines",
        "code.construct_triggers",
        "code.construct_arguments",
        "manifests.requirements_files manifests.pyproject manifests.pipfile manifests.setup_cfg manifests.setup_py manifests.environments manifests.runtimes",
        "manifests manifests.version_tables",
        "automation code.text code.values code.scopes code.syntax stages code.construct_types",
        "resources packages placeholders",
        "shell",
        "shell.reader",
        "shell.prefixes",
        "shell.words",
        "shell.tokens",
        "head",
        "parse",
        "parse.yaml_events parse.json_values parse.toml_tables parse.ini_sections",
        "parse.grammars",
        "parse.nodes config.presets answer cache index budget safe redact formats.line_hash formats.json_text notations dockerfile templates documents code.newer r r.tokens r.chunks",
        "facts formats changes",
        "names",
        "globs hashes",
    )
)


def name_of(path: Path) -> str:
    dotted = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return dotted.removesuffix(".__init__") or "__init__"


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_bytes())))


@cache
def modules() -> dict[str, Path]:
    return {name_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if "_data" not in path.parts}


def layer_of(module: str) -> int:
    name = "EXTRACTORS" if module.startswith("extract.") else module
    found = [number for number, layer in enumerate(LAYERS) if name in layer]
    assert found, f"{module}: decide in which layer it stands, and add it to LAYERS"
    return found[0]


def imported_by(path: Path) -> set[str]:
    known = modules()
    found: set[str] = set()
    for node in nodes(path):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            inside = [name.removeprefix("mlops_audit.") in known for name in names]
            names += (
                [] if all(inside) else [node.module]
            )  # `from package import module` asks the package for nothing
        for name in names:
            if name == "mlops_audit":
                found.add("__init__")
            inner = name.removeprefix("mlops_audit.")
            if name.startswith("mlops_audit.") and inner in known:
                found.add(inner)
    return found


def test_every_module_stands_in_a_layer() -> None:
    for module in modules():
        layer_of(module)


def test_imports_run_one_way() -> None:
    wrong = []
    for module, path in modules().items():
        for other in imported_by(path) - {module, "__init__"}:
            if layer_of(other) <= layer_of(module):
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_there_are_no_drawers() -> None:
    names = {module.rpartition(".")[2] for module in modules()}
    assert not names & {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}


def test_only_the_start_and_the_command_line_touch_the_streams() -> None:
    for module, path in modules().items():
        if module in ("start", "question", "cli", "cli.output"):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in ("sys.stdout", "sys.stderr"), f"{module}:{node.lineno}"


def test_only_the_command_line_prints_or_exits() -> None:
    for module, path in modules().items():
        if module in ("cli", "__main__"):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "sys.exit", "exit", "quit"), (
                    f"{module}:{node.lineno} calls {called}"
                )


def test_only_the_repository_package_knows_git_and_one_module_of_it_starts_processes() -> None:
    for module, path in modules().items():
        forbidden = {"subprocess", "pty", "git"}
        if module.startswith("repository."):
            forbidden = set() if module == "repository.clean_git" else {"subprocess", "pty"}
        for node in nodes(path):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                )
                assert not forbidden & {name.partition(".")[0] for name in names}, f"{module}:{node.lineno}"
