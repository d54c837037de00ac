"""What kind of project it is, told by code and not by what somebody tried out."""

from __future__ import annotations

import json

import pytest

from mlops_audit.audit import examine, rule_pack
from mlops_audit.tree import Tree

LOADS = "import pickle\n\nmodel = pickle.load(open('model.pkl', 'rb'))\nmodel.predict(rows)\n"
NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": LOADS}], "metadata": {}, "nbformat": 4})
WEIGHTS = "import torch\n\n\ndef load_model(name):\n    network = Network()\n    network.load_state_dict(torch.load(name))\n    return network\n"
BATCH = "from google.cloud import aiplatform\n\naiplatform.BatchPredictionJob.create(model_name='m')\n"
FITS = "import torch\n\n\ndef answer(frame):\n    ready = %s()\n    ready.fit(frame)\n    return ready.transform(frame)\n"


@pytest.mark.parametrize(
    ("files", "kind", "told"),
    [
        ({"look.py": LOADS}, "serves", True),
        ({"look.ipynb": NOTEBOOK}, "serves", False),
        ({"voice/__init__.py": WEIGHTS}, "serves", True),
        ({"voice/train.py": WEIGHTS}, "serves", False),
        ({"score.py": BATCH}, "serves", True),
        ({"text.py": FITS % "TextClassifier"}, "trains", True),
        ({"text.py": FITS % "TextInference"}, "trains", False),
    ],
)
def test_a_kind_is_told_by_code_that_does_it(files: dict[str, str], kind: str, told: bool) -> None:
    _, problems, kinds = examine(Tree.of(files), rule_pack())
    assert not problems
    assert (kind in kinds) is told
