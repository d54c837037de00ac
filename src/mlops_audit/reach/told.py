"""What one file tells in sum, for the inferences that look at all files: found out file by file, kept with its facts.

The sum stands in the traits of the file's own fact, so that reach asks no call or text of any file one by one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mlops_audit.facts import Fact, Kind, TraitValue, Zone, matcher, values

WORD = re.compile(r"[A-Za-z_]\w{2,}")
ANY_WORD = re.compile(r"[A-Za-z_]\w*")
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
APPLICATIONS = ("FastAPI", "Flask", "Typer", "Celery", "Starlette", "Sanic", "Litestar")

Traits = Mapping[str, TraitValue]


SUMS = frozenset({"states", "works", "names", "called", "lines", "words", "inside", "sites", "handed"})


def told(facts: Sequence[Fact]) -> dict[str, TraitValue]:
    """The sum of one file's facts, the first of which is that of the file itself. What is empty is left out.

    states  the kinds of fact that it states
    works   `yes` when it is started as it is: a script, a pipeline, an application
    names   words by which a text, setting or command may name a module
    called  words by which something may be called, a function's own name within itself left out
    lines   its texts, line by line, that are one word each; words: the words of all others
    inside  pairs of top-level definitions, the first of which names the second
    sites   what is called, each with the function around it; handed: the words of the arguments there
    """
    first, *stated = facts
    tests = first.zone is Zone.TEST
    lines, words = _texts(stated)
    calls = [fact for fact in stated if fact.kind is Kind.CALL]
    sites, handed = ((), ()) if tests else _sites(calls)
    found: dict[str, TraitValue] = {
        "states": tuple(dict.fromkeys([fact.kind.value for fact in stated])),
        "works": "yes" if any(map(works, stated)) else "",
        "names": () if tests else "\n".join(sorted(_names(stated))),
        "called": "\n".join(sorted(_called(first, stated, calls))),
        "lines": "\n".join(sorted(lines)),
        "words": "\n".join(sorted(words)),
        "inside": _inside(stated, calls),
        "sites": sites,
        "handed": handed,
    }
    return {trait: value for trait, value in found.items() if value}


def every(facts: Iterable[Fact], trait: str) -> set[str]:
    """All that the files tell together under a trait of their sums."""
    found: set[str] = set()
    for fact in facts:
        if fact.kind is Kind.FILE and trait in fact.traits:
            found.update("".join(values(fact.traits[trait])).split("\n"))
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
    return set(WORD.findall("\n".join(texts)))


def _called(file: Fact, facts: Iterable[Fact], calls: Iterable[Fact]) -> set[str]:
    """Every word by which something may be called: names of calls, their arguments, imports, commands, short texts.

    What a function says of itself does not count.
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
            said.update([name.rpartition(".")[2] for name in values(traits.get("decorators"))])
        if not NAMING.isdisjoint(traits):
            for trait in NAMING:
                texts.extend(values(traits.get(trait)))
    said.update(WORD.findall("\n".join(texts)))
    by_function: dict[tuple[str, ...], list[Fact]] = {}
    for fact in calls if own else ():
        by_function.setdefault(values(fact.traits.get("function")), []).append(fact)
    for function, made in by_function.items():
        words = {fact.name.rpartition(".")[2] for fact in made}
        words.update(WORD.findall("\n".join(argument for fact in made for argument in arguments(fact))))
        said |= words - {name.rpartition(".")[2] for name in function}
    return said


def arguments(fact: Fact) -> list[str]:
    """The texts of the arguments of a call."""
    found: list[str] = []
    for trait, value in fact.traits.items():
        if trait[-1:] == "=" or trait.isdigit():
            found.extend(values(value))
    return found


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


def _inside(facts: Iterable[Fact], calls: Iterable[Fact]) -> tuple[str, ...]:
    """For every top-level definition those of the same file that it names, as `name<newline>other`."""
    called: dict[str, set[str]] = {}
    texts: dict[str, list[str]] = defaultdict(list)
    for fact in facts:
        if fact.kind is Kind.DEFINITION:
            names = values(fact.traits.get("calls_inside"))
            called.setdefault(fact.name.partition(".")[0], set()).update([n.partition(".")[0] for n in names])
    if len(called) < 2:
        return ()
    for fact in calls:
        if "function" in fact.traits:
            texts[values(fact.traits["function"])[0].partition(".")[0]].extend(arguments(fact))
    return tuple(
        f"{name}\n{other}"
        for name, named in called.items()
        for words in [named.union(ANY_WORD.findall("\n".join(texts[name])))]
        for other in called
        if other in words and other != name
    )


def _sites(calls: Iterable[Fact]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is called, and the words of what is handed over, each with the function around."""
    sites: dict[str, None] = {}
    handed: dict[str, list[str]] = {}
    for fact in calls:
        around = next(iter(values(fact.traits.get("function"))), "")
        sites[f"{around}\n{fact.name}"] = None
        handed.setdefault(around, []).extend(text for text in arguments(fact) if len(text) < LONGEST_NAMING)
    words = {around: sorted(set(ANY_WORD.findall("\n".join(texts)))) for around, texts in handed.items()}
    return tuple(sites), tuple(f"{around}\n{' '.join(found)}" for around, found in words.items() if found)
