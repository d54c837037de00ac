"""What one file tells in sum, for the inferences that look at all files: found out file by file, kept with its facts.

The sum stands in the traits of the file's own fact, so that reach asks no call or text of any file one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mlops_audit.facts import Fact, Kind, TraitValue, Zone, matcher, values

WORD = re.compile(r"[A-Za-z_]\w*")
SHORTEST = 3  # letters of a word by which a module or something that is called is known
LONGEST_LINE = 120  # that can name a folder by itself
LONGEST_NAMING = 100  # of an argument in which a definition is handed over

# Traits that name what is called.
NAMING = frozenset({"runs", "entry_point", "handler", "Handler", "command"})
# Definitions that a platform finds by their name.
FOUND_BY_NAME = frozenset({
    "lambda_handler", "handler", "main", "init", "run", "score", "predict", "predict_fn", "model_fn", "input_fn", "output_fn",
    "entrypoint", "app", "create_app", "generate_predictions", "process", "task_func", "dependencies",
})  # fmt: skip
# Calls at the top of a module that set something up and do no work of its own.
SETTING_UP = matcher((
    "logging.*", "*.getLogger*", "*.setLevel", "*.addHandler", "setup_logging*", "structlog.*", "loguru.*", "warnings.*", "sys.path.*",
    "sys.stdout*", "os.environ*", "dotenv.*", "load_dotenv", "typing.*", "re.compile", "nltk.download", "matplotlib.*", "seaborn.*",
    "pandas.set_option", "torch.set_*", "torch.backends*", "numpy.random.seed", "numpy.seterr", "numpy.set_printoptions", "random.seed",
    "register*", "*.register*",
))  # fmt: skip
# What makes the routes of a module that an application has to mount, and what mounts them.
ROUTERS = ("APIRouter", "Blueprint", "NinjaAPI.Router", "ninja.Router", "APIBlueprint")
MOUNTING = ("include_router", "register_blueprint", "add_router", "register_blueprints")
# Parameters that have a function go on from earlier work, and how many arguments stand before one that is hardly ever
# passed by its place.
SWITCH = re.compile(r"resume|restore|load|ckpt|chkpt|checkpoint|continue|restart|warm", re.IGNORECASE)
FAR = 3
APPLICATIONS = ("FastAPI", "Flask", "Typer", "Celery", "Starlette", "Sanic", "Litestar")


SUMS = frozenset(
    {
        "states",
        "works",
        "names",
        "called",
        "lines",
        "words",
        "inside",
        "sites",
        "handed",
        "gives",
        "routes",
        "mounts",
    }
)


def told(facts: Sequence[Fact]) -> dict[str, TraitValue]:
    """The sum of one file's facts, the first of which is that of the file itself. What is empty is left out.

    states  the kinds of fact that it states
    works   `yes` when it is started as it is: a script, a pipeline, an application
    names   words by which a text, setting or command may name a module
    called  words by which something may be called, the own name of a function and of its class within it left out
    lines   its texts, line by line, that are one word each; words: the words of all others
    inside  pairs of top-level definitions, the first of which names the second
    sites   what is called, each with the function around it; handed: the words of the arguments there
    gives   what is called with switches, each with these; `*` for what may hold any
    routes  `yes` when it makes routes that an application has to mount; mounts: `yes` when it mounts some
    """
    first, *stated = facts
    bodies = _bodies(stated)
    lines, words = _texts(stated)
    tests = first.zone is Zone.TEST
    found: dict[str, TraitValue] = {
        "states": tuple(dict.fromkeys([fact.kind.value for fact in stated])),
        "works": "yes" if any(map(works, stated)) else "",
        "names": "" if tests else "\n".join(sorted(_names(stated))),
        "called": "\n".join(sorted(_called(first, stated, bodies))),
        "lines": "\n".join(sorted(lines)),
        "words": "\n".join(sorted(words)),
        "inside": _inside(stated, bodies),
        "sites": () if tests else _sites(bodies),
        "handed": () if tests else _handed(bodies),
        "gives": () if tests else _gives(stated),
        "routes": "yes" if any(map(_routes, stated)) else "",
        "mounts": "yes"
        if any(name.endswith(MOUNTING) for body in bodies.values() for name in body.calls)
        else "",
    }
    return {trait: value for trait, value in found.items() if value}


@dataclass(slots=True)
class _Body:
    """What is called in a function, with the words of the arguments; those of long texts hand nothing over."""

    calls: dict[str, None]
    words: set[str]
    long: set[str]


Bodies: TypeAlias = "Mapping[tuple[str, ...], _Body]"


def _bodies(facts: Iterable[Fact]) -> dict[tuple[str, ...], _Body]:
    """The calls of each function, or of methods of the same name, with () for the top of the file."""
    found: dict[tuple[str, ...], _Body] = {}
    texts: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}
    for fact in facts:
        if fact.kind is not Kind.CALL:
            continue
        traits = fact.traits
        around = values(traits["function"]) if "function" in traits else ()
        body = found.get(around)
        if body is None:
            body = found[around] = _Body({}, set(), set())
            texts[around] = ([], [])
        body.calls[fact.name] = None
        short, long = texts[around]
        for trait, value in traits.items():
            if trait[-1:] == "=" or trait.isdigit():
                for text in (value,) if isinstance(value, str) else value:
                    (short if len(text) < LONGEST_NAMING else long).append(text)
    for around, (short, long) in texts.items():
        found[around].words.update(WORD.findall("\n".join(short)))
        found[around].long.update(WORD.findall("\n".join(long)))
    return found


def every(files: Iterable[Fact], trait: str) -> set[str]:
    """All that files tell together under a trait of their sums."""
    found: set[str] = set()
    for file in files:
        if trait in file.traits:
            found.update("".join(values(file.traits[trait])).split("\n"))
    return found


def works(fact: Fact) -> bool:
    """Whether a fact shows that its file is started as it is: a script, a pipeline, an application."""
    if fact.kind in (Kind.PIPELINE, Kind.STEP):
        return True
    if fact.kind is Kind.DEFINITION:
        return fact.name in FOUND_BY_NAME
    if fact.kind is not Kind.CALL:
        return False
    if "main" in fact.traits or fact.name.endswith(APPLICATIONS):
        return True
    return not (_ELSEWHERE & fact.traits.keys() or SETTING_UP(fact.name))


def _routes(fact: Fact) -> bool:
    return (
        fact.kind is Kind.CALL
        and "target" in fact.traits
        and fact.name.endswith(ROUTERS)
        and "function" not in fact.traits
    )


_ELSEWHERE = frozenset({"function", "decorates", "target"})


def _names(facts: Iterable[Fact]) -> set[str]:
    texts: list[str] = []
    for fact in facts:
        kind, traits = fact.kind, fact.traits
        if kind is Kind.COMMAND or (kind is Kind.STRING and len(fact.name) < 200 and " " not in fact.name):
            texts.append(fact.name)
        elif kind is Kind.SETTING and not fact.site.path.endswith(".py"):
            texts.extend(values(traits.get("value")))
        if "runs" in traits:
            texts.extend(values(traits["runs"]))
    return set(_naming(WORD.findall("\n".join(texts))))


def _called(file: Fact, facts: Iterable[Fact], bodies: Bodies) -> set[str]:
    """Every word by which something may be called: names of calls, their arguments, imports, commands, short texts.

    What a function says of itself, or a method of its class, does not count.
    """
    path, own = file.site.path, file.zone in (Zone.SOURCE, Zone.NOTEBOOK)
    package, python = path.endswith("__init__.py"), path.endswith(".py")
    said: set[str] = set()
    texts: list[str] = []
    for fact in facts:
        kind, traits = fact.kind, fact.traits
        if kind is Kind.IMPORT:
            if own and not package:
                said.add(fact.name.rpartition(".")[2])
        elif kind is Kind.COMMAND:
            texts.append(fact.name)
        elif kind is Kind.STRING:
            if (
                len(fact.name) < 200
                and " " not in fact.name
                and traits.get("variable") != "__all__"
                and file.zone is not Zone.TEST
                and not package
            ):
                texts.append(fact.name)
        elif kind is Kind.SETTING and not python:
            texts.extend(values(traits.get("value")))
        elif kind is Kind.DEFINITION:
            for trait in ("decorators", "bases"):
                said.update([name.rpartition(".")[2] for name in values(traits.get(trait))])
        if not NAMING.isdisjoint(traits):
            for trait in NAMING:
                texts.extend(values(traits.get(trait)))
    said.update(_naming(WORD.findall("\n".join(texts))))
    for around, body in bodies.items() if own else ():
        words = {name.rpartition(".")[2] for name in body.calls}
        words.update(_naming(body.words), _naming(body.long))
        said |= words.difference([part for name in around for part in name.split(".")])
    return said


def _texts(facts: Iterable[Fact]) -> tuple[set[str], set[str]]:
    """What may name a file: the lines of texts that are one word, and the words of all texts beside. What people read
    loads nothing."""
    texts: list[str] = []
    for fact in facts:
        if fact.kind in (Kind.HEADING, Kind.SENTENCE):
            continue
        if fact.kind in (Kind.STRING, Kind.COMMAND, Kind.IMPORT):
            texts.append(fact.name)
        for value in fact.traits.values():
            if isinstance(value, str):
                texts.append(value)
            else:
                texts.extend(value)
    said = "\n".join(dict.fromkeys(texts))
    words = set(said.split())
    lines = {line for line in said.split("\n") if line in words and len(line) < LONGEST_LINE}
    return lines, words - lines


def _inside(facts: Iterable[Fact], bodies: Bodies) -> tuple[str, ...]:
    """For every top-level definition those of the same file that it names, as `name<newline>other`."""
    named: dict[str, set[str]] = {}
    for fact in facts:
        if fact.kind is Kind.DEFINITION:
            names = values(fact.traits.get("calls_inside"))
            named.setdefault(fact.name.partition(".")[0], set()).update([n.partition(".")[0] for n in names])
    if len(named) < 2:
        return ()
    for around, body in bodies.items():
        name = around[0].partition(".")[0] if around else ""
        if name in named:
            named[name].update(body.words, body.long)
    return tuple(
        f"{name}\n{other}"
        for name, words in named.items()
        for other in named
        if other in words and other != name
    )


def _sites(bodies: Bodies) -> tuple[str, ...]:
    """What is called, each with the function around."""
    pairs = [(around[0] if around else "", body) for around, body in bodies.items()]
    return tuple(dict.fromkeys(f"{name}\n{call}" for name, body in pairs for call in body.calls))


def _handed(bodies: Bodies) -> tuple[str, ...]:
    """The words of what is handed over, each with the function around."""
    words: dict[str, set[str]] = {}
    for around, body in bodies.items():
        words.setdefault(around[0] if around else "", set()).update(body.words)
    return tuple(f"{name}\n{' '.join(sorted(found))}" for name, found in words.items() if found)


def _gives(facts: Iterable[Fact]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for fact in facts:
        if fact.kind is not Kind.CALL:
            continue
        traits = fact.traits
        given = {trait[:-1] for trait in traits if trait[-1:] == "=" and SWITCH.search(trait)}
        many = str(FAR + 1) in traits or "**=" in traits
        if many or any(trait.isdigit() and str(value)[:1] == "*" for trait, value in traits.items()):
            given.add("*")
        if given:
            found[f"{fact.name.rpartition('.')[2]}\n{' '.join(sorted(given))}"] = None
    return tuple(found)


def _naming(words: Iterable[str]) -> list[str]:
    """Words that are long enough to name something."""
    return [word for word in words if len(word) >= SHORTEST]
