"""What one file tells in sum, for the inferences that look at all files: found out file by file, kept with its facts.

The sum stands in the traits of the file's own fact, so that reach asks no call or text of any file one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import NamedTuple, TypeAlias

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
    calls = [_Call(fact, _arguments(fact.traits)) for fact in stated if fact.kind is Kind.CALL]
    others = [fact for fact in stated if fact.kind is not Kind.CALL]
    bodies = _bodies(calls)
    lines, words = _texts(stated)
    tests = first.zone is Zone.TEST
    found: dict[str, TraitValue] = {
        "states": tuple(dict.fromkeys([fact.kind.value for fact in stated])),
        "works": "yes" if any(map(works, others)) or any(works(call.fact) for call in calls) else "",
        "names": "" if tests else "\n".join(sorted(_names(stated, others))),
        "called": "\n".join(sorted(_called(first, stated, others, bodies))),
        "lines": "\n".join(sorted(lines)),
        "words": "\n".join(sorted(words)),
        "inside": _inside(others, bodies),
        "sites": () if tests else _sites(bodies),
        "handed": () if tests else _handed(bodies),
        "gives": () if tests else _gives(calls),
        "routes": "yes" if any(_routes(call.fact) for call in calls) else "",
        "mounts": "yes"
        if any(name.endswith(MOUNTING) for body in bodies.values() for name in body.calls)
        else "",
    }
    return {trait: value for trait, value in found.items() if value}


class _Call(NamedTuple):
    """A call with what is passed to it, under the trait of each argument."""

    fact: Fact
    arguments: Sequence[tuple[str, TraitValue]]


def _arguments(traits: Mapping[str, TraitValue]) -> list[tuple[str, TraitValue]]:
    return [(trait, value) for trait, value in traits.items() if trait[-1] in _ENDS]


_ENDS = frozenset("=0123456789")  # of the names of traits that are arguments: `name=`, `1`


@dataclass(slots=True)
class _Body:
    """What is called in a function, with the words of the arguments; those of long texts hand nothing over."""

    calls: dict[str, None]
    words: set[str]
    long: set[str]


Bodies: TypeAlias = "Mapping[tuple[str, ...], _Body]"


def _bodies(calls: Iterable[_Call]) -> dict[tuple[str, ...], _Body]:
    """The calls of each function, or of methods of the same name, with () for the top of the file."""
    found: dict[tuple[str, ...], _Body] = {}
    texts: dict[tuple[str, ...], dict[TraitValue, None]] = {}
    for fact, arguments in calls:
        around = values(fact.traits.get("function"))
        body = found.get(around)
        if body is None:
            body = found[around] = _Body({}, set(), set())
            texts[around] = {}
        body.calls[fact.name] = None
        for _, value in arguments:
            texts[around][value] = None
    for around, said in texts.items():
        flat = _flat(said)
        found[around].words.update(WORD.findall("\n".join([t for t in flat if len(t) < LONGEST_NAMING])))
        found[around].long.update(WORD.findall("\n".join([t for t in flat if len(t) >= LONGEST_NAMING])))
    return found


def _flat(found: Iterable[TraitValue]) -> list[str]:
    """The texts of values."""
    texts: list[str] = []
    for value in found:
        if isinstance(value, str):
            texts.append(value)
        else:
            texts.extend(value)
    return texts


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
    return _ELSEWHERE.isdisjoint(fact.traits) and not SETTING_UP(fact.name)


def _routes(fact: Fact) -> bool:
    return (
        fact.kind is Kind.CALL
        and "target" in fact.traits
        and fact.name.endswith(ROUTERS)
        and "function" not in fact.traits
    )


_ELSEWHERE = frozenset({"function", "decorates", "target"})


def _names(facts: Iterable[Fact], others: Iterable[Fact]) -> set[str]:
    texts: list[str] = []
    for fact in others:
        kind = fact.kind
        if kind is Kind.COMMAND or (kind is Kind.STRING and len(fact.name) < 200 and " " not in fact.name):
            texts.append(fact.name)
        elif kind is Kind.SETTING and not fact.site.path.endswith(".py"):
            texts.extend(values(fact.traits.get("value")))
    for fact in facts:
        if "runs" in fact.traits:
            texts.extend(values(fact.traits["runs"]))
    return set(_naming(WORD.findall("\n".join(texts))))


def _called(file: Fact, facts: Iterable[Fact], others: Iterable[Fact], bodies: Bodies) -> set[str]:
    """Every word by which something may be called: names of calls, their arguments, imports, commands, short texts.

    What a function says of itself, or a method of its class, does not count.
    """
    path, own = file.site.path, file.zone in (Zone.SOURCE, Zone.NOTEBOOK)
    package, python = path.endswith("__init__.py"), path.endswith(".py")
    said: set[str] = set()
    texts: list[str] = []
    for fact in others:
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
    for fact in facts:
        if not NAMING.isdisjoint(fact.traits):
            for trait in NAMING:
                texts.extend(values(fact.traits.get(trait)))
    said.update(_naming(WORD.findall("\n".join(texts))))
    for around, body in bodies.items() if own else ():
        words = {name.rpartition(".")[2] for name in body.calls}
        words.update(_naming(body.words), _naming(body.long))
        said |= words.difference([part for name in around for part in name.split(".")])
    return said


def _texts(facts: Iterable[Fact]) -> tuple[set[str], set[str]]:
    """What may name a file: the lines of texts that are one word, and the words of all texts beside. What people read
    loads nothing."""
    read = [fact for fact in facts if fact.kind is not Kind.HEADING and fact.kind is not Kind.SENTENCE]
    found = dict.fromkeys(chain.from_iterable([fact.traits.values() for fact in read]))
    found.update(dict.fromkeys([fact.name for fact in read if fact.kind in _NAMED]))
    said = "\n".join(_flat(found))
    words = set(said.split())
    lines = {line for line in said.split("\n") if line in words and len(line) < LONGEST_LINE}
    return lines, words - lines


_NAMED = frozenset({Kind.STRING, Kind.COMMAND, Kind.IMPORT})  # facts whose name is a text


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


def _gives(calls: Iterable[_Call]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for fact, arguments in calls:
        given = {trait[:-1] for trait, _ in arguments if _switches(trait)}
        if str(FAR + 1) in fact.traits or "**=" in fact.traits or any(map(_spreads, arguments)):
            given.add("*")
        if given:
            found[f"{fact.name.rpartition('.')[2]}\n{' '.join(sorted(given))}"] = None
    return tuple(found)


@cache
def _switches(trait: str) -> bool:
    """Whether an argument is a switch, by its name."""
    return trait[-1] == "=" and SWITCH.search(trait) is not None


def _spreads(argument: tuple[str, TraitValue]) -> bool:
    """Whether an argument may be any number of them: `*more`."""
    trait, value = argument
    return value[:1] == "*" and trait[-1] != "="


def _naming(words: Iterable[str]) -> list[str]:
    """Words that are long enough to name something."""
    return [word for word in words if len(word) >= SHORTEST]
