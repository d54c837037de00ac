"""Code that nothing uses: modules of definitions that no automation runs, no code imports and no text names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlops_audit.facts import Fact, Kind, Zone, matcher, values

# Calls at the top of a module that set something up and do no work of its own.
SETTING_UP = matcher((
    "logging.*", "*.getLogger*", "*.setLevel", "*.addHandler", "setup_logging*", "structlog.*", "loguru.*", "warnings.*", "sys.path.*",
    "sys.stdout*", "os.environ*", "dotenv.*", "load_dotenv", "typing.*", "re.compile", "nltk.download", "matplotlib.*", "seaborn.*",
    "pandas.set_option", "torch.set_*", "torch.backends*", "numpy.random.seed", "numpy.seterr", "numpy.set_printoptions", "random.seed",
    "register*", "*.register*",
))  # fmt: skip
# Definitions that a platform finds by their name.
FOUND_BY_NAME = frozenset({
    "lambda_handler", "handler", "main", "init", "run", "score", "predict", "predict_fn", "model_fn", "input_fn", "output_fn",
    "entrypoint", "app", "create_app", "generate_predictions", "process", "task_func", "dependencies",
})  # fmt: skip
NAMES_OF_TOOLS = matcher(("*hubconf.py", "*setup.py", "*__init__.py", "*__main__.py", "*noxfile.py", "*tasks.py", "*dodo.py", "*gunicorn*", "*settings.py", "*config.py", "*version*.py", "*manage.py"), True)  # fmt: skip
# So many modules must be used before the way in which a project uses its modules is visible at all. A library, most
# of whose modules nothing in it uses, has no unused ones.
ENOUGH = 4
WORD = re.compile(r"[A-Za-z_]\w{2,}")


def unused(
    facts: Sequence[Fact], imports: Mapping[str, Sequence[str]], run: frozenset[str]
) -> frozenset[str]:
    """The source modules that nothing uses. `imports` are the edges between files, `run` the files automation reaches.

    A module is used when it is run, does work at its top, holds what a platform finds by name, bears a name that a
    configuration, command or short text of the repository mentions, or is imported by one that is used. What only
    tests run, name or import is not used by that. Modules without definitions are data and never unused.
    """
    modules = {
        fact.site.path
        for fact in facts
        if fact.kind is Kind.FILE
        and fact.zone is Zone.SOURCE
        and fact.name.endswith(".py")
        and not NAMES_OF_TOOLS(fact.name)
    }
    defining = {fact.site.path for fact in facts if fact.kind is Kind.DEFINITION}
    words: set[str] = set()
    used = set(run)
    for fact in facts:
        path = fact.site.path
        if _works(fact):
            used.add(path)
        if fact.zone is Zone.TEST:
            continue
        if fact.kind is Kind.COMMAND or (
            fact.kind is Kind.STRING and len(fact.name) < 200 and " " not in fact.name
        ):
            words.update(WORD.findall(fact.name))
        elif fact.kind is Kind.SETTING and not path.endswith(".py"):
            words.update(word for value in values(fact.traits.get("value")) for word in WORD.findall(value))
        for target in values(fact.traits.get("runs")):
            words.update(WORD.findall(target))
    used |= {path for path in modules if path.rpartition("/")[2].removesuffix(".py") in words}
    used |= {
        fact.site.path
        for fact in facts
        if fact.kind is Kind.FILE and fact.zone in (Zone.SOURCE, Zone.NOTEBOOK)
    } - modules
    stack = list(used)
    while stack:
        for target in imports.get(stack.pop(), ()):
            if target not in used:
                used.add(target)
                stack.append(target)
    found = (modules & defining) - used
    told = len(modules & used)
    return frozenset(found) if told >= ENOUGH and len(found) < told else frozenset()


def _works(fact: Fact) -> bool:
    """Whether a fact shows that its file is started as it is: a script, a pipeline, an application."""
    if fact.kind in (Kind.PIPELINE, Kind.STEP):
        return True
    if fact.kind is Kind.DEFINITION:
        return fact.name in FOUND_BY_NAME
    if fact.kind is not Kind.CALL:
        return False
    if "main" in fact.traits or fact.name.endswith(
        ("FastAPI", "Flask", "Typer", "Celery", "Starlette", "Sanic", "Litestar")
    ):
        return True
    return not ({"function", "decorates", "target"} & set(fact.traits) or SETTING_UP(fact.name))
