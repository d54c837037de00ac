"""Definitions that nothing calls: functions and methods that no code, command or text of the project names."""

from __future__ import annotations

from mlops_audit.facts import Fact, Kind, Site, Zone
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import FOUND_BY_NAME, every

# Definitions that frameworks call by their names, and those that platforms find.
HOOKS = frozenset({
    "run_fn", "preprocessing_fn", "forward", "setup", "teardown", "startup", "shutdown", "execute", "initialize", "preprocess",
    "postprocess", "inference", "handle", "transform_input", "transform_output", "load_context", "configure_optimizers",
    "train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader", "on_start", "load",
}) | FOUND_BY_NAME  # fmt: skip
# So many definitions must be called before the way in which a project calls its own is visible at all.
ENOUGH = 12
# Libraries that make commands of every function of a file, without naming one.
OFFERS_ALL = ("fire.Fire", "invoke.Collection.from_module", "clize.run", "dodo_manager")


def uncalled(stated: Stated) -> frozenset[Site]:
    """The places of source functions and methods that nothing but tests calls or names.

    A decorated function, a method of a class with bases and what platforms find by name are called by others. Of a class
    that nothing names no method is called, whatever it is called. A project that calls few of its own definitions, as a
    library does, has no uncalled ones.
    """
    said = every(stated.of(Kind.FILE), "called")
    found, told = _unsaid(stated, said)
    if told < ENOUGH or len(found) >= told:
        return frozenset()
    definitions = list(stated.of(Kind.DEFINITION))
    unmade = {
        (fact.site.path, fact.name) for fact in definitions if _is_plain(fact) and fact.name not in said
    }
    return found | {
        fact.site
        for fact in definitions
        if (fact.site.path, fact.name.rpartition(".")[0]) in unmade and not _is_class(fact)
    }


def room_for_more(stated: Stated, said: set[str]) -> int:
    """How many definitions more, called or not, leave it as it is whether those that nothing calls are told at all."""
    found, told = _unsaid(stated, said)
    if told < ENOUGH:
        return ENOUGH - told - 1
    return len(found) - told if len(found) >= told else told - len(found) - 1


def _unsaid(stated: Stated, said: set[str]) -> tuple[frozenset[Site], int]:
    """The places of definitions that are in no word of what is called, and the number of the others."""
    definitions = list(stated.of(Kind.DEFINITION))
    asked = [fact for fact in definitions if _is_asked(fact)]
    derived = {
        (fact.site.path, fact.name) for fact in definitions if _is_class(fact) and "bases" in fact.traits
    }
    offering = {fact.site.path for fact in stated.of(Kind.CALL) if fact.name in OFFERS_ALL}
    found = frozenset(
        fact.site
        for fact in asked
        if fact.name.rpartition(".")[2] not in said
        and (fact.site.path, fact.name.rpartition(".")[0]) not in derived
        and fact.site.path not in offering
    )
    return found, len(asked) - len(found)


def names_of_uncalled(stated: Stated) -> set[str]:
    """The words of which it matters whether any file says them."""
    return {
        fact.name.rpartition(".")[2]
        for fact in stated.of(Kind.DEFINITION)
        if _is_asked(fact) or _is_plain(fact)
    }


def _is_class(fact: Fact) -> bool:
    return fact.traits.get("form") == "class"


def _is_plain(fact: Fact) -> bool:
    """Whether a class is one that only those make who name it."""
    return (
        _is_class(fact)
        and fact.zone is Zone.SOURCE
        and fact.site.path.endswith(".py")
        and not {"bases", "decorators", "within"} & fact.traits.keys()
    )


def _is_asked(fact: Fact) -> bool:
    if fact.zone is not Zone.SOURCE or _is_class(fact):
        return False
    last = fact.name.rpartition(".")[2]
    return (
        fact.site.path.endswith(".py")
        and "decorators" not in fact.traits
        and last not in HOOKS
        and not last.startswith(("test_", "on_", "pytest_"))
        and not last.startswith("__")
        and not (fact.traits.get("form") == "function" and "within" in fact.traits)
    )
