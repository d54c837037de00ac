"""The published schemas of the reports, each read once."""

from __future__ import annotations

import json
from functools import cache

from jsonschema import Draft202012Validator

from mlops_audit.catalogue import data_folder


@cache
def schema(name: str) -> Draft202012Validator:
    """The validator of reports/NAME.schema.json, which is a schema itself."""
    told = json.loads((data_folder("reports") / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(told)
    return Draft202012Validator(told)
