"""Pipelines in Python code: DAGs, flows, jobs and their steps, schedulers and consumers of events."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, lru_cache

from mlops_audit import code
from mlops_audit.facts import Fact, TraitValue, values
from mlops_audit.notations import BASES, NOTATIONS, Notation
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.resources import beside
from mlops_audit.stages import commands, enabled_schedule, joined, pipeline, step

# A file without any of these words holds nothing for this module.
MARKS = (
    b"airflow", b"prefect", b"dagster", b"kfp", b"aiplatform", b"tfx", b"zenml", b"kedro", b"metaflow", b"flyte", b"sagemaker",
    b"stepfunctions", b"azure", b"databricks", b"clearml", b"ray", b"modal", b"apache_beam", b"luigi", b"schedul", b"celery",
    b"huey", b"fastapi_util", b"crontab", b"rocketry", b"boto3", b"pubsub", b"afka", b"faust", b"quixstreams", b"pika",
    b"watchdog", b"watchfiles", b"functions_framework",
)  # fmt: skip
ALIAS = re.compile(r"as\s+(\w+)")
SCRIPT = re.compile(r"[\w./ -]+\.(?:py|R|r|ipynb|sh|ya?ml|json|sql)")
ARTIFACT = re.compile(r"\b(?:Input|Output)\[|\b(?:Input|Output)Path\b|\bAnnotated\[")
DATA_SCHEDULE = re.compile(
    r"\b(?:Dataset|Asset|DatasetAlias|AssetWatcher|DatasetAll|DatasetAny)\w*\(|^\[(?!\s*\])|^\(\w+\s*[|&]"
)
CONTINUOUS = "@continuous"


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The pipelines and steps of a Python file. Raises ParseFailure for what cannot be read."""
    try:
        found = code.read(path, data)
    except ParseFailure:
        if _is_marked(data):
            raise
        return []
    # The names that a file calls are few beside its bytes: they are asked first.
    return _File(path, found, data).facts() if _tells(found) and _is_marked(data) else []


def _is_marked(data: bytes) -> bool:
    return any(mark in data for mark in MARKS)


def _tells(found: code.Code) -> bool:
    """Whether anything in a file could be a pipeline or a step, by the names that it calls, derives from and imports."""
    return (
        any(_notation(call.name) for call in found.calls)
        or any(_forms(based.name) for based in found.bases)
        or any(imported.name.startswith("celery") for imported in found.imports)
    )


@lru_cache(maxsize=8192)
def _notation(name: str) -> tuple[Notation, ...]:
    """The notations that a qualified name may be an instance of."""
    if not (name.startswith(BEGINNINGS) or WITH_ANY_BEGINNING.fullmatch(name)):
        return ()
    return tuple(
        notation
        for notation, words in _BY_BEGINNING
        if name.startswith(words) and _compiled(notation.calls).fullmatch(name)
    )


@lru_cache(maxsize=2048)
def _forms(name: str) -> tuple[tuple[str, str], ...]:
    """The systems whose pipelines or steps are classes derived from a qualified name, each with the form."""
    return tuple((system, form) for system, pattern, form in BASES if re.fullmatch(pattern, name))


@cache
def _compiled(calls: str) -> re.Pattern[str]:
    return re.compile(calls)


def _beginnings(calls: str) -> tuple[str, ...]:
    """What a name begins with that an expression stands for, by its alternatives; "" where that may be anything."""
    while "(" in calls:
        calls = re.sub(r"\([^()]*\)", "", calls)
    return tuple(re.findall(r"(?:^|\|)(\w*)(?![?*{])", calls))


# Of some seventy notations a repository writes a few: only those are compiled by which a name begins.
_BY_BEGINNING = tuple((notation, _beginnings(notation.calls)) for notation in NOTATIONS)
BEGINNINGS = tuple({word for _, words in _BY_BEGINNING for word in words if word})
WITH_ANY_BEGINNING = re.compile("|".join(f"(?:{n.calls})" for n, words in _BY_BEGINNING if "" in words))


def _aliases(text: str) -> Iterator[tuple[str, str]]:
    """Each `name as alias` of a text: found by its `as`, which is a hundred times as fast as by its name."""
    last, found = 0, ALIAS.search(text)
    while found is not None:
        end = at = found.start()
        while end > last and text[end - 1].isspace():
            end -= 1
        begin = end
        while begin > last and (text[begin - 1].isalnum() or text[begin - 1] in "_."):
            begin -= 1
        if original := text[begin:end].lstrip(".") if end < at else "":
            last = found.end()
            yield original, found[1]
        found = ALIAS.search(text, max(last, at + 1))


class _File:
    """One Python file: names are looked up in its imports, definitions and calls."""

    def __init__(self, path: str, found: code.Code, data: bytes) -> None:
        self.path, self.code = path, found
        text = data.decode("utf-8", errors="replace")
        self.lines = text.split("\n")
        self.imports = {i.name.rpartition(".")[2]: i for i in found.imports}
        for original, alias in _aliases(text):
            if (known := self.imports.get(original.rpartition(".")[2])) is not None:
                self.imports.setdefault(alias, known)
        self.packages = {i.name.partition(".")[0] for i in found.imports}
        self.definitions = {d.name: d for d in found.definitions}
        self.targets: dict[str, str] = {}  # variables that hold pipelines, with their names

    def facts(self) -> list[Fact]:
        pipelines: list[Fact] = []
        steps: list[Fact] = []
        others: list[Fact] = []
        for call in self.code.calls:
            for notation in _notation(call.name):
                if notation.needs and notation.needs not in self.packages:
                    continue
                if notation.receiver and not self.is_flow(call.name.rpartition(".")[0]):
                    continue
                if notation.form == "pipeline":
                    pipelines.extend(self.pipeline(call, notation))
                    others.extend(self.commands(call, notation))
                elif call.decorates or not notation.needs or "task_id=" in call.arguments:
                    steps.append(self.step(call, notation))
                    others.extend(self.commands(call, notation))
                break
        for based in self.code.bases:
            for system, form in _forms(based.name):
                fact = (pipeline if form == "pipeline" else step)(
                    based.class_name, self.path, based.line, system
                )
                (pipelines if form == "pipeline" else steps).append(self.marked(fact, based.dead))
        pipelines.extend(self.beats())
        return [*self.merged(self.with_runs(pipelines, steps)), *self.placed(steps, pipelines), *others]

    def is_flow(self, receiver: str) -> bool:
        """Whether a receiver may be a flow: a decorated function, something imported, or a flow from a source."""
        definition = self.definitions.get(receiver)
        if definition is not None:
            return any(name.endswith(".flow") for name in definition.decorators)
        return receiver.endswith(("from_source", "with_options", ".flow")) or bool(self.function(receiver))

    def marked(self, fact: Fact, dead: bool) -> Fact:
        return replace(fact, traits={**fact.traits, "dead": "yes"}) if dead else fact

    def first(self, call: code.Called, keys: Iterable[str]) -> TraitValue:
        return next((call.arguments[key] for key in keys if call.arguments.get(key)), "")

    def name(self, call: code.Called, notation: Notation) -> str:
        keys = (key for key in notation.name if key in call.arguments)
        given = "".join(values(self.first(call, keys))[:1])
        function = (
            "".join(values(self.first(call, notation.functions))[:1])
            if not notation.name or not given
            else ""
        )
        return given or call.decorates or call.target or function or call.name.rpartition(".")[2]

    def pipeline(self, call: code.Called, notation: Notation) -> Iterator[Fact]:
        """The pipeline that a call stands for; a deployment or schedule of one too."""
        off = any(
            "".join(values(call.arguments.get(key))).strip("'\"").lower() in forms
            for key, forms in notation.off.items()
        )
        given = self.first(call, notation.schedule)
        text = enabled_schedule(given if isinstance(given, str) else ", ".join(given))
        triggers: list[str] = list(notation.triggers)
        if notation.system == "airflow" and text:
            if isinstance(given, tuple) or DATA_SCHEDULE.search(text):
                triggers.append("event")
            elif text == CONTINUOUS:
                triggers.append("continuous")
            else:
                triggers.append("schedule")
        elif text and "event" not in triggers:
            triggers.append("schedule")
        if any(enabled_schedule("".join(values(call.arguments.get(key)))) for key in notation.events):
            triggers.append("event")
        if off:
            text, triggers = "", []
        if not triggers and notation.schedule and self.is_mere_deployment(call, notation):
            return
        name = self.name(call, notation)
        if call.target:
            self.targets[call.target] = name
        fact = pipeline(
            name, self.path, call.line, notation.system, triggers=triggers, runs=self.runs(call, notation)
        )
        if text:
            fact = replace(fact, traits={**fact.traits, "schedule": text})
        if passed := values(call.arguments.get("parameters=") if notation.system == "prefect" else None):
            fact = replace(fact, traits={**fact.traits, "passes": passed})
        yield self.marked(fact, call.dead)

    def is_mere_deployment(self, call: code.Called, notation: Notation) -> bool:
        """Whether a call that could have scheduled something does not, and so says nothing by itself."""
        return notation.system in ("celery", "modal", "eventbridge")

    def runs(self, call: code.Called, notation: Notation) -> tuple[str, ...]:
        """Paths and `module:function` that a call names; functions of the same file need no naming."""
        found: dict[str, None] = {}
        if notation.receiver and not notation.paths:
            return ()
        if notation.receiver:
            found.update(
                dict.fromkeys(self.function(call.name.rpartition(".")[0].removesuffix(".from_source")))
            )
        for key in notation.functions:
            for text in values(call.arguments.get(key)):
                found.update(dict.fromkeys(self.function(text)))
        folder = self.folder(call, notation)
        for key in notation.paths:
            for text in values(call.arguments.get(key)):
                script = text.partition(":")[0] if re.search(r"\.py:\w+$", text) else text
                if SCRIPT.fullmatch(script):
                    found.update(dict.fromkeys(self.places(folder or "", script)))
        if folder and not found and not notation.shell:
            found.setdefault(self.places("", folder)[0])
        for key in notation.pipelines:
            found.update(dict.fromkeys(values(call.arguments.get(key))))
        return tuple(found)

    def folder(self, call: code.Called, notation: Notation) -> str | None:
        """The folder of a script that is given as a literal; None when it is not known."""
        given = "".join(values(self.first(call, notation.folder))[:1])
        # an attribute such as `settings.source_directory` or a call keeps its source text
        known = re.fullmatch(r"[\w./-]*", given) and not re.fullmatch(
            r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", given
        )
        return given if known else None

    def places(self, folder: str, script: str) -> tuple[str, ...]:
        """Where a script may stand: seen from the root, where programs are started, or from the file itself."""
        whole = posixpath.normpath(posixpath.join(folder, script.lstrip("/")))
        near = beside(self.path, whole)
        return (near,) if whole.startswith("..") else tuple(dict.fromkeys((whole, near)))

    def function(self, text: str) -> tuple[str, ...]:
        """`module:function` for a name that is imported from elsewhere."""
        head, _, rest = text.partition(".")
        if not re.fullmatch(r"\w+(?:\.\w+)*", text) or head in self.definitions:
            return ()
        known = self.imports.get(head)
        full = (
            f"{known.name}.{rest}" if known is not None and rest else known.name if known is not None else ""
        )
        if not full:
            known = next(
                (i for i in self.code.imports if text == i.name or text.startswith(f"{i.module}.")), None
            )
            full = text if known is not None else ""
        if known is None or not full:
            return ()
        module = known.module
        member = full.removeprefix(module).strip(".")
        return (f"{module}:{member}" if member else module,)

    def commands(self, call: code.Called, notation: Notation) -> Iterator[Fact]:
        texts = [
            text for key in notation.shell for text in [call.arguments.get(key, "")] if isinstance(text, str)
        ]
        texts += [
            joined(text)
            for key in notation.shell
            for text in [call.arguments.get(key)]
            if isinstance(text, tuple)
        ]
        parts = [word for key in notation.words for word in values(call.arguments.get(key))]
        if parts and all(isinstance(call.arguments.get(k, ()), tuple) for k in notation.words):
            texts.append(joined(parts))
        folder = self.folder(call, notation)
        directory = "?" if folder is None else self.places("", folder)[0] if folder else ""
        image = call.arguments.get("image=") if notation.system == "airflow" else None
        for text in texts:
            # an argument that is no literal keeps its source text, which is no shell text
            if text and not re.fullmatch(r"[\w.]+(?:\(.*|\[.*)?", text, re.DOTALL):
                found = commands(
                    text,
                    self.path,
                    call.line,
                    notation.system,
                    self.path,
                    "" if directory == "." else directory,
                    image=image,
                )
                yield from (self.marked(fact, call.dead) for fact in found)

    def step(self, call: code.Called, notation: Notation) -> Fact:
        held: dict[str, TraitValue] = {}
        for key, names in (("deps", notation.deps), ("outs", notation.outs)):
            if given := self.first(call, names):
                held[key] = given
        if notation.typed or self.is_typed(call):
            held["typed"] = "yes"
        if command := self.first(call, notation.shell):
            held["command"] = command
        if before := tuple(
            left for left, right in self.code.sequences if right == call.target and call.target
        ):
            held.setdefault("deps", before)
        runs = self.runs(call, notation)
        fact = step(self.name(call, notation), self.path, call.line, notation.system, runs=runs)
        fact = replace(fact, traits={**fact.traits, **held})
        inside = self.first(call, ("dag=",)) or next((t for t in call.block_targets if t in self.targets), "")
        if isinstance(inside, str) and inside in self.targets:
            fact = replace(fact, traits={**fact.traits, "pipeline": self.targets[inside]})
        return self.marked(fact, call.dead)

    def is_typed(self, call: code.Called) -> bool:
        """Whether the step's function declares artifacts as its inputs and outputs."""
        definition = self.definitions.get(call.decorates)
        if definition is None:
            return False
        head = "\n".join(self.lines[definition.line - 1 : min(definition.line + 20, definition.last_line)])
        return bool(ARTIFACT.search(head.partition("):")[0] + head.partition("->")[2].partition(":\n")[0]))

    def beats(self) -> Iterator[Fact]:
        """Schedules of Celery that are written as a mapping."""
        if "celery" not in self.packages:
            return
        found: dict[str, int] = {}
        for setting in self.code.settings:
            if match := re.search(r"beat_?schedule\.([^.]+)", setting.name, re.IGNORECASE):
                found.setdefault(match[1], setting.line)
        for name, line in found.items():
            yield pipeline(name, self.path, line, "celery", triggers=("schedule",))

    def with_runs(self, pipelines: list[Fact], steps: list[Fact]) -> list[Fact]:
        """Pipelines that also run what their steps run."""
        found = []
        for fact in pipelines:
            own = [s for s in steps if s.traits["system"] == fact.traits["system"]
                   and s.traits.get("pipeline", fact.name) == fact.name]  # fmt: skip
            runs = dict.fromkeys(
                (*values(fact.traits.get("runs")), *(r for s in own for r in values(s.traits.get("runs"))))
            )
            found.append(replace(fact, traits={**fact.traits, "runs": tuple(runs)}) if runs else fact)
        return found

    def merged(self, pipelines: list[Fact]) -> Iterator[Fact]:
        """Pipelines, where a class and its decorators stand for the same one as one fact."""
        by_name: dict[tuple[str, str], Fact] = {}
        for fact in pipelines:
            if fact.traits["system"] != "metaflow":
                yield fact
                continue
            key = ("metaflow", fact.name)
            known = by_name.get(key, fact)
            both = {**known.traits, **fact.traits}
            started = [t for f in (known, fact) for t in values(f.traits.get("triggers")) if t != "manual"]
            both["triggers"] = tuple(dict.fromkeys(started)) or ("manual",)
            by_name[key] = replace(known, traits=both)
        yield from by_name.values()

    def placed(self, steps: list[Fact], pipelines: list[Fact]) -> Iterator[Fact]:
        """Steps with the pipeline of their system when the file has only one."""
        for fact in steps:
            names = {p.name for p in pipelines if p.traits["system"] == fact.traits["system"]}
            only = len(names) == 1 and "pipeline" not in fact.traits
            yield replace(fact, traits={**fact.traits, "pipeline": next(iter(names))}) if only else fact
