"""Whatever the bytes: every reader gives facts or its own failure, and a whole audit gives a report that holds."""

from __future__ import annotations

import gc
import json
import re
import time
from collections.abc import Callable
from importlib import import_module
from pkgutil import walk_packages

import monsters
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import mlops_audit
from mlops_audit import parse, report, safe
from mlops_audit.audit import NothingToAudit, audit_tree
from mlops_audit.catalogue import data_folder
from mlops_audit.extract import EXTRACTORS, GIVES, extract_file
from mlops_audit.facts import Kind
from mlops_audit.parse.nodes import ParseFailure
from mlops_audit.redact import redacted
from mlops_audit.rule_packs import rule_pack
from mlops_audit.tree import Tree

WORDS = st.sampled_from(
    [
        *monsters.PUMPS,
        "import torch\n",
        "def f(x):\n",
        "    return x\n",
        "on: push\n",
        "jobs:\n",
        "run: a\n",
        "&a ",
        "*a ",
        "<<: ",
    ]
)
TEXTS = st.one_of(
    st.binary(max_size=300),
    st.lists(WORDS, max_size=40).map(lambda words: "".join(words).encode("utf-8", "surrogatepass")),
)
LOADERS: tuple[Callable[[bytes], object], ...] = (parse.yaml, parse.json_document, parse.toml, parse.ini)
EASY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)
@EASY
@given(TEXTS)
def test_a_loader_gives_nodes_or_its_own_failure(loader: Callable[[bytes], object], data: bytes) -> None:
    try:
        loader(data)
    except ParseFailure as failure:
        assert re.fullmatch(r"[^\n]+", failure.reason)  # noqa: PT017


@settings(EASY, max_examples=200)
@given(st.sampled_from(monsters.PUMPED_PATHS), TEXTS)
def test_a_file_of_any_bytes_gives_facts_at_real_lines_and_problems(path: str, data: bytes) -> None:
    (file,) = Tree.of({path: data}).files
    facts, problems = extract_file(file)
    assert facts[0].kind is Kind.FILE
    assert {fact.site.path for fact in facts} == {path}
    allowed = {kind for module, patterns in EXTRACTORS for kind in GIVES[module]} | {Kind.FILE}
    assert {fact.kind for fact in facts} <= allowed
    assert all(problem.reason and "\n" not in problem.reason for problem in problems)


@settings(EASY, max_examples=8)
@given(st.dictionaries(st.sampled_from(monsters.PUMPED_PATHS), TEXTS, max_size=5))
def test_an_audit_of_any_tree_gives_a_valid_report_in_every_format(files: dict[str, bytes]) -> None:
    tree = Tree.of({"train.py": b"import sklearn.svm\nmodel = sklearn.svm.SVC()\nmodel.fit(x, y)\n", **files})
    try:
        found = audit_tree(tree, PACK)
    except NothingToAudit:
        return
    SCHEMA.validate(json.loads(report.render(found, "json")))
    for name in report.FORMATS:
        text = report.render(found, name)
        assert text == report.render(found, name)
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text.replace("\r\n", "\n")
        ), name


PACK = rule_pack(examples=True)
SCHEMA = Draft202012Validator(json.loads((data_folder("reports") / "report.schema.json").read_text()))


def test_every_extractor_says_which_kinds_of_fact_it_gives() -> None:
    assert set(GIVES) == {module for module, _ in EXTRACTORS}
    for rule in PACK.rules:
        for example in rule.examples:
            for file in Tree.of(example.files).files:
                for module, _ in EXTRACTORS:
                    found = _kinds(module, file.path, file.read())
                    assert found <= set(GIVES[module]), (
                        f"{module} gives {found - set(GIVES[module])} of {file.path}"
                    )


def _kinds(module: str, path: str, data: bytes) -> set[Kind]:
    from mlops_audit.extract import _modules

    if module not in _modules(path):
        return set()
    try:
        return {fact.kind for fact in import_module(f"mlops_audit.extract.{module}").extract(path, data)}
    except ParseFailure:
        return set()


# -------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE", "AIzaSyA1234567890abcdefghijklmnopqrstuv", "AccountName=x;AccountKey=abcdEFGH1234567890==",
        "hf_abcdefghijklmnopqrstuv", "wandb login 0123456789abcdef0123456789abcdef01234567", "dapi0123456789abcdef0123456789abcdef",
        "MLFLOW_TRACKING_TOKEN=abc-def-123456", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def", "password: hunter22",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE", "postgres://user:pa55word@host/db", "api_key = 'abcd1234efgh'", "--token abc123def",
        "os.environ['WANDB_API_KEY'] = '0123456789abcdef0123456789abcdef01234567'", "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    ],
)  # fmt: skip
def test_a_secret_is_blacked_out(text: str) -> None:
    assert "***" in redacted(text)
    for token in re.findall(r"[\w-]{12,}", text):
        assert token in (
            "AKIAIOSFODNN",
            "MLFLOW_TRACKING_TOKEN",
            "WANDB_API_KEY",
            "AccountName",
        ) or token not in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "uses: actions/checkout@0123456789abcdef0123456789abcdef01234567", "max_tokens: 256000", "pad_token='<pad>'",
        "tokenizer = AutoTokenizer.from_pretrained('bert-base-uncased')", "api_key=os.getenv('OPENAI_API_KEY')",
        "password: ${{ secrets.PASSWORD }}", "git+https://github.com/owner/name@v1.0", "secret_key = get_secret(name)", "python -m src.train",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.text(max_size=400))
def test_blacking_out_twice_changes_nothing_more(text: str) -> None:
    once = redacted(text)
    assert redacted(once).count("***") >= once.count("***")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", safe.plain(once))


# -------------------------------------------------------------------------------------------------- patterns


def test_no_compiled_pattern_of_the_program_backtracks_without_end() -> None:
    for found in walk_packages(mlops_audit.__path__, "mlops_audit."):
        if not found.name.endswith("__main__"):
            import_module(found.name)
    patterns = {
        value
        for module in list(__import__("sys").modules.values())
        if (getattr(module, "__name__", "") or "").startswith("mlops_audit")
        for value in vars(module).values()
        if isinstance(value, re.Pattern)
    }
    assert len(patterns) > 50
    gc.collect()
    slow = []
    for pattern in sorted(patterns, key=lambda pattern: str(pattern.pattern)):
        for pump in monsters.PUMPS:
            text = (pump * 400)[:400] + "\x01"
            subject = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "replace")
            started = time.process_time()
            pattern.search(subject)
            if time.process_time() - started > 0.5:
                slow.append(f"{pattern.pattern!r} on {pump!r}")
    assert not slow
