"""What kind of project it is, told by code and not by what somebody tried out."""

from __future__ import annotations

import json

import pytest

from mlops_audit.examination import examine
from mlops_audit.rule_packs import rule_pack
from mlops_audit.tree import Tree

LOADS = "import pickle\n\nmodel = pickle.load(open('model.pkl', 'rb'))\nmodel.predict(rows)\n"
NOTEBOOK = json.dumps({"cells": [{"cell_type": "code", "source": LOADS}], "metadata": {}, "nbformat": 4})
WEIGHTS = "import torch\n\n\ndef load_model(name):\n    network = Network()\n    network.load_state_dict(torch.load(name))\n    return network\n"
BATCH = "from google.cloud import aiplatform\n\naiplatform.BatchPredictionJob.create(model_name='m')\n"
ANSWERS = "import xgboost\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.post('/train')\ndef train():\n    return xgboost.train({}, rows)\n"
OLLAMA = (
    "import requests\n\nHOST = 'http://localhost:11434'\nrequests.post(f'{HOST}/api/generate', json=asked)\n"
)
WATSONX = (
    "from ibm_watsonx_ai import APIClient\n\nAPIClient(known).deployments.create(model, meta_props=props)\n"
)
FITS = "import torch\n\n\ndef answer(frame):\n    ready = %s()\n    ready.fit(frame)\n    return ready.transform(frame)\n"
ENGINE = "from vllm.engine.async_llm_engine import AsyncLLMEngine\n\nengine = AsyncLLMEngine.from_engine_args(asked)\n"
TASK = "from transformers import pipeline\n\nwrite = pipeline(task='text-generation', model=name)\n"
EMBEDS = "import torch\nfrom sentence_transformers import SentenceTransformer\nfrom sklearn.linear_model import LogisticRegression\n\nLogisticRegression().fit(SentenceTransformer(name).encode(texts), labels)\n"
BANK = "import torch\n\nfrom bank import Bank\n\nbank = Bank().fit(torch.load(features))\n"
LEARNS = "import torch\n\n\ndef step(loss, optimizer):\n    loss.backward()\n    optimizer.step()\n"
KERAS = "from tensorflow import keras\n\nnetwork = keras.Sequential(layers)\nnetwork.fit(rows, labels)\n"

MODE = "import torch\n\nnetwork = torch.load(path)\nnetwork.eval()\nshow(network(rows))\nnetwork.train()\n"
OWN = "import mlflow\nimport numpy\n\nfrom ridge import Ridge\n\nridge = Ridge(alpha=0.1)\nridge.fit(rows, targets)\nmlflow.pyfunc.log_model('model', python_model=ridge)\n"
GRAPH = "import neo4j\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/friends')\ndef friends():\n    return neo4j.GraphDatabase.driver(place).session().run(query)\n"


@pytest.mark.parametrize(
    ("files", "kind", "told"),
    [
        ({"show.py": MODE}, "trains", False),
        ({"show.py": MODE.replace("train()", "train(False)")}, "trains", False),
        ({"show.py": MODE.replace("train()", "train(labels)")}, "trains", True),
        ({"show.py": MODE.replace("network.train()", "trainer.train()")}, "trains", True),
        ({"ridge.py": OWN}, "trains", True),
        ({"ridge.py": OWN.replace("Ridge", "Scaler")}, "trains", False),
        ({"ridge.py": OWN.replace("log_model", "log_dict")}, "trains", False),
        ({"friends.py": GRAPH}, "serves", False),
        ({"engine.py": ENGINE}, "llm", True),
        ({"engine.py": "import sglang\n\nengine = sglang.Engine(model_path=path)\n"}, "llm", True),
        ({"engine.py": "import ctranslate2\n\nwords = ctranslate2.Translator(path)\n"}, "llm", False),
        ({"write.py": TASK}, "llm", True),
        ({"write.py": TASK.replace("text-generation", "token-classification")}, "llm", False),
        ({"serve.sh": "lmdeploy serve api_server weights\n"}, "llm", True),
        ({"embed.py": EMBEDS}, "trains", True),
        ({"embed.py": EMBEDS}, "deep", False),
        ({"bank.py": BANK}, "deep", False),
        ({"learn.py": LEARNS}, "deep", True),
        ({"learn.py": KERAS}, "deep", True),
        ({"look.py": LOADS}, "serves", True),
        ({"look.ipynb": NOTEBOOK}, "serves", False),
        ({"voice/__init__.py": WEIGHTS}, "serves", True),
        ({"voice/train.py": WEIGHTS}, "serves", False),
        ({"score.py": BATCH}, "serves", True),
        ({"score.py": WATSONX}, "serves", True),
        ({"ask.py": OLLAMA}, "llm", True),
        ({"ask.py": OLLAMA.replace("localhost:11434", "backend:8000")}, "llm", False),
        ({"ask.py": OLLAMA.replace("/api/generate", "/v1/chat/completions")}, "llm", True),
        ({"compose.yaml": "services:\n  words:\n    image: ollama/ollama:0.5\n"}, "llm", True),
        ({"app.py": ANSWERS}, "serves", True),
        ({"train_server.py": ANSWERS}, "serves", False),
        ({"text.py": FITS % "TextClassifier"}, "trains", True),
        ({"text.py": FITS % "TextInference"}, "trains", False),
    ],
)
def test_a_kind_is_told_by_code_that_does_it(files: dict[str, str], kind: str, told: bool) -> None:
    _, problems, kinds = examine(Tree.of(files), rule_pack())
    assert not problems
    assert (kind in kinds) is told
