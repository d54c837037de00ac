"""Data files that a job of CI reads and that neither the repository holds nor anything in it makes or fetches."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from mlops_audit.facts import Fact, Kind, Zone, values
from mlops_audit.reach.stated import Stated
from mlops_audit.reach.told import every

READERS = re.compile(
    r"(?:pandas|polars|dask\.dataframe|geopandas)\.(?:read|scan)_\w+|numpy\.(?:load|loadtxt|genfromtxt)|joblib\.load"
)
DATA = re.compile(
    r"(?:\./)?(?:[\w-]+/)+[\w.-]+\.(?:csv|tsv|parquet|feather|json|jsonl|xlsx|npy|npz|pkl|joblib)"
)
# Systems that check the repository out anew for every run: there is nobody who could have put a file there.
CLEAN = frozenset(
    {"github", "gitlab", "azure", "circleci", "cloudbuild", "codebuild", "bitbucket", "buildkite"}
)
# Programs that bring or unpack files, or run pipelines whose outputs nothing else names.
FETCHERS = re.compile(
    r"(?:^|\s)(?:dvc|aws|gsutil|gcloud|az|kaggle|wget|curl|unzip|tar|rclone|gdown|hf|huggingface-cli|azcopy|mc|scp|rsync|7z|"
    r"git lfs|dbt|kedro|snakemake|nextflow)\s"
)
# Kinds of facts that may make a file.
MAKING = (Kind.CALL, Kind.STRING, Kind.SETTING, Kind.COMMAND, Kind.STEP, Kind.INSTRUCTION)
PACKED = re.compile(r"\.(?:zip|tar|tgz|gz|7z|bz2|xz)\b")


def unmade(stated: Stated, paths: Collection[str]) -> list[Fact]:
    """The calls that read such a file, with its path as literal. A file whose path, folder or name stands anywhere else
    may be made there, and one whose outermost folder a command fetches as a whole may be brought."""
    read = _absent(stated, paths)
    if not read:
        return []
    said = [(fact.site, _text(fact)) for fact in stated.of(*MAKING) if fact.zone is not Zone.TEST]
    files = [fact for fact in stated.of(Kind.FILE) if fact.zone is not Zone.TEST]
    return [
        fact
        for fact in read
        if not any(site != fact.site and _may_be_made(_first(fact), text) for site, text in said)
        and not _is_said(_first(fact), [file for file in files if file.site.path != fact.site.path])
    ]


def names_of_data(stated: Stated, paths: Collection[str]) -> set[str]:
    """What stands in a text that may make such a file: its name or its folder."""
    return {part for fact in _absent(stated, paths) for part in _folder_and_name(_first(fact))}


def _absent(stated: Stated, paths: Collection[str]) -> list[Fact]:
    """The calls in files that a job of CI starts which read data that the repository does not hold."""
    read = [fact for fact in stated.of(Kind.CALL) if reads_data(fact)]
    jobs = [_text(fact) for fact in stated.of(Kind.COMMAND) if _is_of_ci(fact)] if read else []
    read = [fact for fact in read if any(fact.site.path in job for job in jobs)]
    if not read:
        return []
    known = {part for path in paths for part in (path, path.rpartition("/")[2])}
    return [fact for fact in read if _first(fact).rpartition("/")[2] not in known]


def _folder_and_name(path: str) -> tuple[str, str]:
    folder, _, name = path.removeprefix("./").rpartition("/")
    return folder, name


def reads_data(fact: Fact) -> bool:
    """Whether a fact is a call of the sources that reads a data file with its path as literal."""
    return (
        fact.kind is Kind.CALL
        and fact.zone is Zone.SOURCE
        and READERS.fullmatch(fact.name) is not None
        and not {"dead", "guard", "main"} & set(fact.traits)
        and DATA.fullmatch(_first(fact)) is not None
    )


def _is_said(path: str, files: Sequence[Fact]) -> bool:
    """Whether the name or the folder of a path stands in a text of some files, as their sums tell."""
    folder, name = _folder_and_name(path)
    return any(name in word or folder in word for word in every(files, "lines") | every(files, "words"))


def _may_be_made(path: str, text: str) -> bool:
    folder, name = _folder_and_name(path)
    outermost = folder.partition("/")[0]
    if name in text or folder in text:
        return True
    whole = re.search(rf"(?<![\w./-]){re.escape(outermost)}/?(?![\w./-])", text) is not None
    packed = outermost in text and PACKED.search(text) is not None
    return (whole or packed) and FETCHERS.search(text) is not None


def _first(fact: Fact) -> str:
    return next(iter(values(fact.traits.get("1"))), "")


def _is_of_ci(fact: Fact) -> bool:
    return bool(CLEAN & set(values(fact.traits.get("system"))))


def _text(fact: Fact) -> str:
    told: Iterable[str] = (
        value
        for trait, given in fact.traits.items()
        if trait in ("value", "outs", "deps", "runs", "target") or trait.isdigit() or trait.endswith("=")
        for value in values(given)
    )
    return " ".join((fact.name, *told))
