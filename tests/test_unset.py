"""Switches that nothing sets: code under them never runs as committed."""

from __future__ import annotations

import pytest

from mlops_audit.examination import examine
from mlops_audit.facts import Kind
from mlops_audit.rules import Pack
from mlops_audit.tree import Tree

LOOP = "import torch\n\n\ndef fit(net, rows, rate, resume=False):\n    if resume:\n        net.load_state_dict(torch.load('a'))\n"
RUN = "from loop import fit\n\nfit(net, rows, 1)\n"


def unset(files: dict[str, str]) -> bool:
    facts, _, _ = examine(Tree.of({"loop.py": LOOP, "run.py": RUN, **files}), Pack((), ()))
    return any("unset" in fact.traits for fact in facts.of(Kind.CALL))


def test_a_switch_that_no_call_gives_is_unset() -> None:
    assert unset({})


@pytest.mark.parametrize(
    "files",
    [
        {"run.py": "from loop import fit\n\nfit(net, rows, 1, resume=True)\n"},
        {"run.py": "from loop import fit\n\nfit(net, rows, 1, True)\n"},
        {"run.py": "from loop import fit\n\nfit(net, rows, 1, **options)\n"},
        {"run.py": "from loop import fit\n\nfit(*given)\n"},
        {"other.py": "import loop\n\nloop.fit(net, rows, 1, resume=args.resume)\n"},
        {"other.py": "import fire\nfrom loop import fit\n\nfire.Fire(fit)\n"},
        {"loop.py": LOOP.replace("def fit", "@click.command()\ndef fit")},
        {"loop.py": LOOP.replace("resume=False", "resume=True")},
        {"loop.py": LOOP.replace("if resume", "if resume and rows")},
        {"run.py": "from loop import LIMIT\n"},
    ],
)  # fmt: skip
def test_a_switch_that_something_may_give_is_not(files: dict[str, str]) -> None:
    assert not unset(files)


def test_a_switch_of_a_class_is_given_where_the_class_is_made() -> None:
    files = {
        "loop.py": "import torch\n\n\nclass Fit:\n    def __init__(self, net, rows, rate, resume=None):\n        if resume:\n            net.load_state_dict(torch.load('a'))\n"
    }
    assert unset({**files, "run.py": "from loop import Fit\n\nFit(net, rows, 1)\n"})
    assert not unset({**files, "run.py": "from loop import Fit\n\nFit(net, rows, 1, 'a')\n"})
