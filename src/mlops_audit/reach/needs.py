"""What reach reads of facts one by one, so that whoever leaves facts out knows which must stay.

Every new inference that looks at calls, texts, settings or comparisons is told here, or in the sum of a file
(told.py); tests/test_asked.py compares what is judged with and without what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlops_audit.facts import Fact, Kind, values
from mlops_audit.reach.places import WIDENING
from mlops_audit.reach.told import NAMING
from mlops_audit.reach.unbuildable import OPENS, READ_OF_PROJECTS
from mlops_audit.reach.uncalled import OFFERS_ALL
from mlops_audit.reach.uninstalled import ASKING
from mlops_audit.reach.unloaded import READ_OF_PROMETHEUS
from mlops_audit.reach.unmade import FETCHERS, reads_data
from mlops_audit.reach.unprovided import ADDED
from mlops_audit.reach.unreached import names_python

# Calls that start another program, and texts that name one of the project's.
STARTERS = frozenset({
    "subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "os.system",
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "runpy.run_path", "papermill.execute_notebook",
})  # fmt: skip
SCRIPT = re.compile(r"[\w./-]{1,120}\.(?:py|sh|ipynb|[rR])")

# Kinds of which reach and the report read every fact, and one of which rules ask more than leaving it out saves.
WHOLE = frozenset({
    Kind.FILE, Kind.IMPORT, Kind.DEFINITION, Kind.DEPENDENCY, Kind.MANIFEST, Kind.COMMAND, Kind.ACTION, Kind.JOB, Kind.PIPELINE,
    Kind.STEP, Kind.IMAGE, Kind.RESOURCE, Kind.INSTRUCTION, Kind.HEADING,
})  # fmt: skip
# Traits of what takes part in automation, whatever its kind.
AUTOMATION = NAMING | {"unit", "system", "triggers", "entry"}
CALLS = STARTERS | WIDENING | frozenset(OFFERS_ALL)


def needs_all(facts: Iterable[Fact]) -> bool:
    """Whether everything that a file states is looked at: it reads data that something in it may have made."""
    return any(map(reads_data, facts))


def needed(fact: Fact) -> bool:
    """Whether an inference looks at a fact of a kind that is not read whole."""
    kind, name, traits = fact.kind, fact.name, fact.traits
    if not AUTOMATION.isdisjoint(traits):
        return True
    if kind is Kind.CALL:
        if name in CALLS or (name in OPENS and fact.site.path.endswith("setup.py")):
            return True
        if not ASKING.isdisjoint(traits):
            return any("=" in trait or "pip" in v for trait in ASKING for v in values(traits.get(trait)))
        return _fetches(" ".join(values(traits.get("1"))))
    if kind is Kind.STRING:
        return ("." in name and SCRIPT.fullmatch(name) is not None) or _fetches(name)
    if kind is Kind.SETTING:
        if name.endswith(ADDED) or names_python(name):
            return True
        if name in READ_OF_PROMETHEUS or name.startswith("scrape_configs") or "dependenc" in name.lower():
            return True
        if name in READ_OF_PROJECTS and fact.site.path.endswith("pyproject.toml"):
            return True
        return any(map(_fetches, values(traits.get("value"))))
    return False


def _fetches(text: str) -> bool:
    return " " in text and FETCHERS.search(text) is not None
