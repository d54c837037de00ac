"""Secrets in text of the audited repository, blacked out before any report shows that text."""

from __future__ import annotations

import re
from functools import lru_cache

MARK = "***"
LONGEST = 4_000  # characters of one text that are looked at; nothing longer is shown

# What a secret looks like by itself, whatever stands around it. Every pattern takes time in proportion to the text.
_TOKENS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*"
    r"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}\b"  # Amazon
    r"|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}|\bGOCSPX-[\w-]{10,}"  # Google
    r"|(?<=AccountKey=)[\w+/=]{10,}|(?<=SharedAccessKey=)[\w+/=]{10,}|(?<=[?&]sig=)[\w%+/=-]{10,}"  # Azure
    r"|\b[\w~.-]{3}8Q~[\w~.-]{30,}"
    r"|\bhf_[A-Za-z0-9]{16,}|\bapi_org_[A-Za-z0-9]{16,}"  # Hugging Face
    r"|\bwandb_v\d_\w{16,}|\bdapi[0-9a-f]{32}(?:-\d)?\b"  # Weights & Biases, Databricks (MLflow)
    r"|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"
    r"|\bsk-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}|\bpypi-[\w-]{16,}|\bnpm_\w{30,}|\bSG\.[\w-]{16,}"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{10,}"
    r"|\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)?"  # JSON web tokens
)

_NAME = (
    r"(?:secrets?|tokens?(?!iz)|passw(?:or)?d|passwd|passphrase|pwd|api[_-]?keys?|access[_-]?keys?|account[_-]?keys?"
    r"|private[_-]?keys?|client[_-]?keys?|auth[_-]?keys?|credentials?|connection[_-]?string)"
)
# A value that stands under a name for secrets: quoted, or one word as in a shell or an .env file.
_NAMED = re.compile(
    rf"({_NAME}(?:[_-]?[A-Za-z0-9]{{1,20}}){{0,2}}[\"']?\]?[ \t]{{0,8}}(?::=|=>|==|=|:)[ \t]{{0,8}})"
    r"(?:([brfu]{0,2}[\"'])([^\"'\n]{4,400})([\"'])|([^\s\"'$({<\[,;&|]{6,400})(?=$|[\s,;&|\"'#]))",
    re.IGNORECASE,
)
_OPTIONS = re.compile(
    rf"(--?[\w-]{{0,30}}{_NAME}[ =]|\blogin\b[^\n|;&]{{0,120}}?[ ](?:-p|--password)[ =]?|\bwandb[ ]+login[ ]+(?:--relogin[ ]+)?)"
    r"([\"']?)(?![-$({<])([^\s\"'|;&]{4,400})",
    re.IGNORECASE,
)
_LONG_HEX = re.compile(r"(wandb[^\n]{0,60}?[^0-9a-f@/])([0-9a-f]{40})(?![0-9a-f])", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(://)[^\s/@\"'<>]{1,300}@")
# Values that only name where the secret is kept, or are no secret at all.
_HARMLESS = re.compile(
    r"(?:true|false|none|null|yes|no|\d{1,6}|self\..*|os\..*|args\..*|config\..*|settings\..*|env\..*|secrets?\..*"
    r"|.*\$[{(A-Za-z].*|.*\{\{.*|<.*>|\*+|[A-Z][A-Z0-9_]*|.*[ ].*[ ].*[ ].*)",
    re.DOTALL,
)


@lru_cache(maxsize=10_000)  # the same links stand in the chains of many pieces of evidence
def redacted(text: str) -> str:
    """The text with every secret in it replaced by `***`, and cut where it is longer than any report shows."""
    text = text[:LONGEST]
    text = _TOKENS.sub(MARK, text)
    text = _IN_ADDRESS.sub(rf"\1{MARK}@", text)
    text = _OPTIONS.sub(rf"\1\2{MARK}", text)
    text = _NAMED.sub(_value, text)
    return _LONG_HEX.sub(rf"\1{MARK}", text)


def _value(found: re.Match[str]) -> str:
    before, quote, quoted, end, bare = found.groups()
    value = quoted if quote else bare
    if MARK in value or (_HARMLESS.fullmatch(value) and not (quote and value.isupper() and len(value) > 30)):
        return found[0]
    if not quote and (value.endswith(")") or not re.search(r"\d", value)):
        bare_word = "." in value or value.endswith(")")
        said = re.search(r"=[ \t]{0,8}$|passw|pwd", before, re.IGNORECASE)
        return f"{before}{MARK}" if said and not bare_word else found[0]
    return f"{before}{quote or ''}{MARK}{end or ''}"
