"""Code that fails as committed: imports of modules of its own that are not there, or of libraries nothing installs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from mlops_audit.facts import Fact, Kind, Site, Zone, values
from mlops_audit.reach.launch import targets_of_name
from mlops_audit.reach.places import Repository
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.unbound import unbound
from mlops_audit.reach.unbuildable import unbuildable
from mlops_audit.reach.unbundled import left_out
from mlops_audit.reach.uninstalled import uninstalled
from mlops_audit.reach.unmade import unmade
from mlops_audit.reach.unprovided import unprovided
from mlops_audit.reach.unreached import of_old_python, unreached

# Folders of a project are called like the tools that they are for; without an `__init__.py` the installed tool wins.
TOOLS = frozenset({
    "airflow", "mlflow", "prefect", "dagster", "feast", "kfp", "zenml", "bentoml", "docker", "kubernetes", "ray", "streamlit",
    "gradio", "flask", "fastapi", "evidently", "wandb", "great_expectations", "locust", "dvc", "redis", "celery", "sagemaker",
    "tensorflow", "torch", "pyspark", "grafana", "prometheus_client", "ansible", "pulumi", "dbt", "metaflow", "flyte",
})  # fmt: skip
# Modules that tools write when they are installed or built, and so are rarely tracked.
WRITTEN_BY_TOOLS = ("_pb2", "_pb2_grpc", "_version", "version", "__version__", "_generated", "_rc", "_ui")

EXPECTED = frozenset({"dead", "optional"})  # traits of imports that may fail


class Failures(NamedTuple):
    """Files, and functions of files, that cannot run as committed; `imports` are the ones that fail, `unbound` those of
    names that their module does not hold; `commands` are what CI never reaches, behind a step that cannot succeed.

    `deployments` are the sites of those whose every start fails: they pass a parameter that their flow lacks.
    """

    files: frozenset[str]
    functions: frozenset[tuple[str, str]]
    imports: tuple[Fact, ...]
    deployments: frozenset[Site] = frozenset()
    unbound: tuple[Fact, ...] = ()
    commands: frozenset[tuple[str, int, str]] = frozenset()

    @property
    def paths(self) -> frozenset[str]:
        """The files in which anything fails."""
        return self.files.union(
            (path for path, _ in self.functions),
            (site.path for site in self.deployments),
            (path for path, _, _ in self.commands),
        )

    def holds(self, fact: Fact) -> bool:
        """Whether a fact stands in code that fails."""
        if fact.site.path in self.files or (fact.kind is Kind.PIPELINE and fact.site in self.deployments):
            return True
        if self.commands and (fact.site.path, fact.site.line, fact.name) in self.commands:
            return True
        if not self.functions or "function" not in fact.traits:
            return False
        return any((fact.site.path, name) in self.functions for name in values(fact.traits["function"]))


def failures(
    stated: Stated, repository: Repository, text_of: Callable[[str], str | None] = lambda path: None
) -> Failures:
    """What fails because it imports a module that the project itself should hold and does not, or never installs.

    A module is the project's when its top package is a folder with code that is importable from there: a package that is
    imported by its full name holds no top packages, so that a sub-package `sklearn` hides no library. Imports in a
    `try` with handlers are expected to fail, and those inside a function fail with the function alone. A file that
    imports a failing file at its top fails with it.
    """
    packages = _packages(repository.paths)
    inner = _inner_packages(stated, repository.paths)
    tools = _tools_beside_folders(stated, repository.paths)
    failing = [
        fact
        for fact in stated.of(Kind.IMPORT)
        if fact.zone in (Zone.SOURCE, Zone.TEST)
        and fact.site.path.endswith(".py")
        and EXPECTED.isdisjoint(fact.traits)
        and fact.name.partition(".")[0] not in tools
        and _is_absent(fact, packages, inner, repository)
    ]
    failing += uninstalled(stated)
    failing += unprovided(stated, repository)
    nameless = unbound(stated, repository, inner, text_of)
    files = {fact.site.path for fact in (*failing, *nameless) if "function" not in fact.traits}
    functions = frozenset(
        (fact.site.path, name)
        for fact in (*failing, *nameless, *unmade(stated, repository.paths))
        for name in values(fact.traits.get("function"))
    )
    unbuilt = unbuildable(stated) | of_old_python(stated)
    return Failures(
        _with_importers(files, stated, repository) | left_out(stated) | unbuilt,
        functions,
        tuple(failing),
        _misfits(stated, repository),
        tuple(nameless),
        unreached(stated, repository.paths, unbuilt),
    )


def _misfits(stated: Stated, repository: Repository) -> frozenset[Site]:
    """Deployments that pass a parameter which the function they run does not take."""
    asked = [fact for fact in stated.of(Kind.PIPELINE) if "passes" in fact.traits]
    if not asked:
        return frozenset()
    taken: dict[tuple[str, str], set[str]] = {}
    for fact in stated.of(Kind.DEFINITION):
        if fact.traits.get("form") == "function":
            taken[fact.site.path, fact.name] = set(values(fact.traits.get("parameters")))
    found = set()
    for fact in asked:
        for name in values(fact.traits.get("runs")):
            function = name.rpartition(":")[2]
            for path in targets_of_name(name, fact, repository):
                parameters = taken.get((path, function))
                if parameters is None or any(word.startswith("*") or "kwargs" in word for word in parameters):
                    continue
                if set(values(fact.traits["passes"])) - parameters:
                    found.add(fact.site)
    return frozenset(found)


def _packages(paths: Iterable[str]) -> Mapping[str, set[str]]:
    """The folders with Python code below them, by their last name."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        if path.endswith(".py"):
            place = path.rpartition("/")[0]
            while place:
                found[place.rpartition("/")[2]].add(place)
                place = place.rpartition("/")[0]
    return found


def _inner_packages(stated: Stated, paths: Iterable[str]) -> set[str]:
    """The folders that are packages and are imported as such, by their whole dotted name."""
    folders = {path.removesuffix("/__init__.py") for path in paths if path.endswith("/__init__.py")}
    named = {folder.removeprefix("src/").replace("/", "."): folder for folder in folders}
    found: set[str] = set()
    for name in {fact.name for fact in stated.of(Kind.IMPORT)}:
        parts = name.split(".")
        found.update(named.get(".".join(parts[:length]), "") for length in range(1, len(parts) + 1))
    return found - {""}


def _tools_beside_folders(stated: Stated, paths: Collection[str]) -> frozenset[str]:
    """The libraries that an import means although a folder has their name: tools and declared packages."""
    declared = {fact.name.removeprefix("apache-").replace("-", "_") for fact in stated.of(Kind.DEPENDENCY)}
    own = {
        path.removesuffix("/__init__.py").rpartition("/")[2]
        for path in paths
        if path.endswith("/__init__.py")
    }
    return frozenset((declared | TOOLS) - own)


def _is_absent(
    fact: Fact, packages: Mapping[str, set[str]], inner: Collection[str], repository: Repository
) -> bool:
    module = next(iter(values(fact.traits.get("module"))), fact.name)
    parts = module.split(".")
    if parts[0] not in packages or len(parts) < 2 or parts[-1].endswith(WRITTEN_BY_TOOLS) or "" in parts:
        return False
    if repository.module(fact.name, fact.site.path, (module,)):
        return False
    here = fact.site.path.rpartition("/")[0]
    roots = (place.rpartition("/")[0] for place in packages[parts[0]])
    if not any(root not in inner and _beside(root, here) for root in roots):
        return False
    tail = "/" + "/".join(parts)
    return not any(f"/{place}".endswith(tail) for place in packages.get(parts[-1], ()))


def _beside(root: str, here: str) -> bool:
    """Whether what lies in a folder is importable from another: the folder is above it, or holds the sources."""
    return root == "" or here == root or here.startswith(f"{root}/")


def _with_importers(files: set[str], stated: Stated, repository: Repository) -> frozenset[str]:
    importers: dict[str, set[str]] = defaultdict(set)
    for fact in stated.of(Kind.IMPORT) if files else ():
        if EXPECTED.isdisjoint(fact.traits) and "function" not in fact.traits:
            module = values(fact.traits.get("module"))
            for target in repository.module(fact.name, fact.site.path, module)[:1]:
                importers[target].add(fact.site.path)
    found, stack = set(files), list(files)
    while stack:
        for importer in importers[stack.pop()] - found:
            found.add(importer)
            stack.append(importer)
    return frozenset(found)
