"""Pipelines that a repository holds as files of its own tools: DVC, MLflow projects, Kedro, dbt, checks, sweeps."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from mlops_audit import parse
from mlops_audit.facts import Fact, Site, TraitValue
from mlops_audit.parse.nodes import Node
from mlops_audit.resources import attributes, beside, resource
from mlops_audit.stages import commands, pipeline, spoken, step, texts

MAX_EXPANSION = 50  # items of a `foreach` that are written out

# What must stand in a file for a reader of this module to find anything there: nothing else is parsed.
YAML_MARKS = re.compile(
    rb"^(?:stages|artifacts|recipe|registry|method|input_features|validations|['\"]?checks for [^\n]*?)\s*:"
    rb"|^class_name\s*:\s*\w*[Cc]heckpoint|^\s*type:\s*\S*(?:[Dd]ata[Ss]et|data_set|[Ss]tore)\s*$",
    re.MULTILINE,
)
JSON_MARKS = re.compile(rb'"expectations"\s*:')


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The pipelines, steps and checks that a file declares."""
    name = posixpath.basename(path).lower()
    if name.endswith(".json"):
        return list(_expectations(path, parse.json_document(data))) if JSON_MARKS.search(data) else []
    known = name in (
        "mlproject",
        "dvc.yaml",
        "dvcfile",
        "dbt_project.yml",
        "dbt_project.yaml",
    ) or name.endswith(".dvc")
    if not known and not YAML_MARKS.search(data):
        return []
    found: list[Fact] = []
    for document in parse.yaml(data):
        if not document.items:
            continue
        if name == "mlproject":
            found.extend(_mlproject(path, document))
        elif name.startswith("dbt_project."):
            found.append(_dbt(path, document))
        elif name.endswith(".dvc") or name == "dvcfile":
            found.extend(_tracked(path, document))
        else:
            for looks_right, read in SHAPES:
                if looks_right(path, document):
                    found.extend(read(path, document))
                    break
    return found


# ------------------------------------------------------------------------------------------------------- DVC


def _is_dvc(path: str, document: Node) -> bool:
    if posixpath.basename(path).lower() in ("dvc.yaml", "dvc.yml"):
        return True
    stages = document.get("stages")
    # a GitLab or Azure file has a list there; a stage of DVC has a command and files
    return stages is not None and bool(stages.items) and all(
        _body(stage).get("cmd") is not None for _, stage in stages.items
    )  # fmt: skip


def _body(stage: Node) -> Node:
    return stage.get("do") or stage


def _dvc(path: str, document: Node) -> Iterator[Fact]:
    stages = document.get("stages")
    found = stages.items if stages is not None else []
    variables = _variables(document)
    units = tuple(f"{path}#{name}" for name, _ in found)
    if found:
        outputs = {f"top_{key}": _files(document.get(key), path, "", {}) for key in ("metrics", "plots")}
        yield pipeline(path, path, document.line_of("stages"), "dvc", runs=units,
                       params=texts(document.get("params")), metrics=outputs["top_metrics"], plots=outputs["top_plots"])  # fmt: skip
    for name, stage in found:
        yield from _stage(path, name, stage, stages.line_of(name) if stages is not None else 0, variables)
    artifacts = document.get("artifacts")
    for name, node in artifacts.items if artifacts is not None else []:
        line = artifacts.line_of(name) if artifacts is not None else node.line
        yield resource("artifact", Site(path, line), "dvc", attributes(node), id=name)


def _variables(document: Node) -> dict[str, str]:
    """The values under `vars:` that stand in the file itself, by their dotted names."""
    found: dict[str, str] = {}
    for item in document.get("vars").list if document.get("vars") is not None else []:  # type: ignore[union-attr]
        found.update({name: leaf.text for name, leaf in item.leaves() if name})
    return found


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{\s*([\w.\[\]-]+)\s*\}", lambda m: values.get(m[1], m[0]), text)


def _expansions(stage: Node, variables: dict[str, str]) -> list[dict[str, str]]:
    """The values of `item` and `key` for each stage that a `foreach` or `matrix` stands for, when it is literal."""
    each, matrix = stage.get("foreach"), stage.get("matrix")
    found = []
    if each is not None and each.items:
        for key, node in each.items:
            found.append(
                {"key": key, **{f"item.{n}".removesuffix("."): leaf.text for n, leaf in node.leaves()}}
            )
    elif each is not None and isinstance(each.value, list):
        for node in each.list:
            found.append({f"item.{n}".removesuffix("."): leaf.text for n, leaf in node.leaves()})
    elif matrix is not None:
        found = [{}]
        for key, node in matrix.items:
            choices = [
                {f"item.{key}.{n}".removesuffix("."): leaf.text for n, leaf in item.leaves()}
                for item in node.list
            ]
            found = [{**row, **choice} for row in found for choice in choices][:MAX_EXPANSION]
    return [{**variables, **row} for row in found[:MAX_EXPANSION]] or [variables]


def _stage(path: str, name: str, stage: Node, line: int, variables: dict[str, str]) -> Iterator[Fact]:
    body, unit = _body(stage), f"{path}#{name}"
    rows = _expansions(stage, variables)
    command = body.get("cmd")
    scripts = list(command.list) if command is not None else []
    folder = posixpath.dirname(path)
    files: dict[str, tuple[str, ...]] = {}
    written: dict[tuple[str, str], Fact] = {}
    for row in rows:
        wdir = _filled(body.at("wdir"), row)
        directory = posixpath.normpath(posixpath.join(folder, wdir)).removeprefix("./")
        directory = "" if directory == "." else directory
        for key in ("deps", "outs", "metrics", "plots"):
            files[key] = tuple(dict.fromkeys((*files.get(key, ()), *_files(body.get(key), path, wdir, row))))
        for script in scripts:
            for fact in commands(
                _filled(script.text, row), path, script.line, "dvc", unit, directory, step=name
            ):
                written.setdefault((fact.name, str(fact.traits["directory"])), fact)
    yield step(name, path, line, "dvc", unit=unit, pipeline=path, deps=files["deps"], outs=files["outs"],
               params=_parameters(body.get("params")), metrics=files["metrics"], plots=files["plots"],
               command=" ; ".join(" ".join(script.text.split()) for script in scripts),
               frozen="yes" if body.at("frozen") == "true" else None)  # fmt: skip
    yield from written.values()


def _files(node: Node | None, path: str, wdir: str, values: dict[str, str]) -> tuple[str, ...]:
    """The files of a list of names or of names with options; identifiers of plots that are no files stay as they are."""
    found = []
    for item in node.list if node is not None else []:
        for name in [item.text] if isinstance(item.value, str) else [key for key, _ in item.items]:
            name = _filled(name, values)
            remote = "://" in name or name.startswith(("/", "$"))
            inside = name if remote else beside(path, posixpath.join(wdir, name) if wdir else name)
            found.append(inside)
            if "://" not in name and isinstance(item.value, dict):
                options = item.get(name)
                shown = options.get("y") if options is not None else None
                found.extend(beside(path, key) for key, _ in (shown.items if shown is not None else ()))
    return tuple(dict.fromkeys(found))


def _parameters(node: Node | None) -> tuple[str, ...]:
    """Names of parameters; those of a named file as `file:name`, the whole file as its name."""
    found: list[str] = []
    for item in node.list if node is not None else []:
        if isinstance(item.value, str):
            found.append(item.text)
        for file, keys in item.items:
            found.extend([f"{file}:{key}" for key in texts(keys)] or [file])
    return tuple(found)


def _tracked(path: str, document: Node) -> Iterator[Fact]:
    """A `.dvc` file: data kept outside of Git, or an old stage with its command."""
    outs, deps = document.get("outs"), document.get("deps")
    if outs is None and deps is None and document.get("cmd") is None:
        return
    held = {key: tuple(v for item in (node.list if node is not None else ()) for v in [item.at(key)] if v)
            for key, node in (("md5", outs), ("url", deps), ("remote", outs))}  # fmt: skip
    wdir = document.at("wdir")

    def named(node: Node | None) -> tuple[str, ...]:
        found = []
        for item in node.list if node is not None else []:
            name, repository = item.at("path"), item.at("repo", "url")
            local = name and "://" not in name and not repository
            found.append(
                beside(path, posixpath.join(wdir, name))
                if local
                else f"{repository}#{name}"
                if repository
                else name
            )
        return tuple(filter(None, found))

    yield step(
        path, path, 1, "dvc-file", outs=named(outs), deps=named(deps), md5=held["md5"] or document.at("md5"),
        url=held["url"], remote=held["remote"], frozen="yes" if document.at("frozen") == "true" else None,
        command=document.at("cmd"),
    )  # fmt: skip
    if document.at("cmd"):
        directory = beside(path, wdir or ".")
        yield from commands(document.at("cmd"), path, document.line_of("cmd"), "dvc", path, directory)


# ------------------------------------------------------------------------------------------- projects of tools


def _mlproject(path: str, document: Node) -> Iterator[Fact]:
    points = document.get("entry_points")
    found = points.items if points is not None else []
    if points is None or not found:
        return
    yield pipeline(
        document.at("name"), path, points.line, "mlflow", runs=tuple(f"{path}#{name}" for name, _ in found)
    )
    for name, node in found:
        unit = f"{path}#{name}"
        parameters = node.get("parameters")
        names = tuple(key for key, _ in parameters.items) if parameters is not None else ()
        command = node.get("command")
        yield step(name, path, points.line_of(name), "mlflow", unit=unit, pipeline=document.at("name") or path,
                   params=names, command=spoken(command))  # fmt: skip
        if command is not None:
            directory = posixpath.dirname(path)
            yield from commands(spoken(command), path, command.line, "mlproject", unit, directory, step=name)


def _dbt(path: str, document: Node) -> Fact:
    folders = texts(document.get("model-paths") or document.get("source-paths"))
    return pipeline(
        document.at("name"), path, 1, "dbt", runs=tuple(beside(path, folder) for folder in folders)
    )


def _recipe(path: str, document: Node) -> Iterator[Fact]:
    yield pipeline(document.at("recipe"), path, document.line_of("recipe"), "mlflow")
    steps = document.get("steps")
    for name, _ in steps.items if steps is not None else ():
        yield step(
            name,
            path,
            steps.line_of(name) if steps is not None else 1,
            "mlflow",
            pipeline=document.at("recipe"),
        )


def _is_kedro_catalog(path: str, document: Node) -> bool:
    if not re.search(r"(?:^|/)catalog[^/]*\.ya?ml$|(?:^|/)catalog/", path.lower()):
        return False
    return any(_dataset_type(node) for _, node in document.items)


def _dataset_type(node: Node) -> str:
    found = node.at("type")
    return found if re.search(r"\.\w*(?:data_?set|store)$|Data[Ss]et$", found) else ""


def _kedro_catalog(path: str, document: Node) -> Iterator[Fact]:
    for name, node in document.items:
        if _dataset_type(node):
            yield step(
                name, path, document.line_of(name), "kedro", unit=f"{path}#{name}", typed="yes", format=node.at("type"),
                outs=tuple(filter(None, (node.at("filepath"), node.at("table_name")))),
                versioned="yes" if node.at("versioned").lower() in ("true", "yes") else None,
            )  # fmt: skip


def _feast(path: str, document: Node) -> Iterator[Fact]:
    yield resource("feature_store", Site(path, document.line_of("project")), "feast", attributes(document),
                   id=document.at("project"))  # fmt: skip


# ----------------------------------------------------------------------------------------- checks of data


def _is_checkpoint(path: str, document: Node) -> bool:
    named = document.at("class_name").lower().endswith("checkpoint")
    return named or (
        document.get("validations") is not None
        and any(
            document.get(key) is not None
            for key in ("expectation_suite_name", "action_list", "config_version")
        )
    )


def _checkpoint(path: str, document: Node) -> Iterator[Fact]:
    suites = tuple(
        dict.fromkeys(
            leaf.text for name, leaf in document.leaves() if name.endswith("expectation_suite_name")
        )
    )
    yield step(document.at("name") or path, path, 1, "great-expectations", deps=suites)


def _expectations(path: str, document: Node) -> Iterator[Fact]:
    listed = document.get("expectations")
    types = tuple(dict.fromkeys(
        item.at("expectation_type") or item.at("type") for item in (listed.list if listed is not None else ())
        if item.get("kwargs") is not None
    ))  # fmt: skip
    if types:
        name = document.at("expectation_suite_name") or document.at("name")
        yield resource("expectation_suite", Site(path, document.line_of("expectations")), "great-expectations",
                       {"expectation_type": types}, id=name)  # fmt: skip


def _is_soda(path: str, document: Node) -> bool:
    return any(key.startswith("checks for ") and isinstance(node.value, list) for key, node in document.items)


def _soda(path: str, document: Node) -> Iterator[Fact]:
    for key, node in document.items:
        if key.startswith("checks for "):
            checks = tuple(item.text or "".join(name for name, _ in item.items[:1]) for item in node.list)
            yield resource("checks", Site(path, document.line_of(key)), "soda", {"check": checks},
                           id=key.removeprefix("checks for "))  # fmt: skip


# -------------------------------------------------------------------------------------- searches and trainings


def _sweep(path: str, document: Node) -> Iterator[Fact]:
    held = attributes(document)
    line = document.line_of("program" if document.at("program") else "method")
    script = beside(path, document.at("program")) if document.at("program") else ""
    yield resource("sweep", Site(path, line), "wandb", held, id=document.at("name") or path, runs=(script,) if script else None,
                   unit=path)  # fmt: skip
    words = [_filled(word, {"env": "", "interpreter": "python", "program": document.at("program"), "args": ""})
             for word in texts(document.get("command"))]  # fmt: skip
    given = (
        " ".join(word for word in words if word and not word.startswith("${"))
        or f"python {document.at('program')}"
    )
    if document.at("program"):
        # sweeps are started from the root of a repository, as the programs they name show
        yield from commands(given, path, line, "wandb", path)


def _ludwig(path: str, document: Node) -> Iterator[Fact]:
    held: dict[str, TraitValue] = {
        key: tuple(item.at("name") for item in node.list if item.at("name"))
        for key, node in document.items if key in ("input_features", "output_features")
    }  # fmt: skip
    yield step(path, path, document.line_of("input_features"), "ludwig", typed="yes", deps=held.get("input_features"),
               outs=held.get("output_features"))  # fmt: skip


def _has(*keys: str) -> Callable[[str, Node], bool]:
    return lambda path, document: all(document.get(key) is not None for key in keys)


def _is_feast(path: str, document: Node) -> bool:
    return bool(document.at("project")) and document.get("registry") is not None and (
        document.get("provider") is not None or document.get("online_store") is not None
    )  # fmt: skip


def _is_sweep(path: str, document: Node) -> bool:
    method = document.at("method").lower() in ("grid", "random", "bayes")
    return method and document.get("parameters") is not None


def _is_recipe(path: str, document: Node) -> bool:
    return bool(re.fullmatch(r"\w+/v\d+", document.at("recipe")))


Reader = Callable[[str, Node], Iterable[Fact]]
SHAPES: tuple[tuple[Callable[[str, Node], bool], Reader], ...] = (
    (_is_dvc, _dvc),
    (_is_recipe, _recipe),
    (_is_kedro_catalog, _kedro_catalog),
    (_is_feast, _feast),
    (_is_checkpoint, _checkpoint),
    (_is_soda, _soda),
    (_is_sweep, _sweep),
    (_has("input_features", "output_features"), _ludwig),
)
