"""Infrastructure written in Python: resources of the AWS CDK, CDK for Terraform and Pulumi."""

from __future__ import annotations

from collections.abc import Iterable

from mlops_audit import code
from mlops_audit.facts import Fact

MARKS = (b"aws_cdk", b"aws-cdk", b"cdktf", b"pulumi")  # without any of these no file is looked at


def extract(path: str, data: bytes) -> Iterable[Fact]:
    """The resources, pipelines and jobs that a Python file declares through these frameworks."""
    if not any(mark in data for mark in MARKS):
        return ()
    from mlops_audit.code import constructs

    return list(constructs.facts(path, code.read(path, data).calls))
