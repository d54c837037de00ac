"""Lay out a synthetic repository of any size: `python benchmarks/generate.py FOLDER FILES [SHAPE] [SEED]`.

A shape is how many of twenty files are Python, notebooks, YAML and documents: "mixed" is what repositories of projects hold,
"python" what libraries hold, "notebooks" what collections of examples hold. The same seed lays out the same files.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

SHAPES = {"mixed": (14, 2, 2, 2), "python": (19, 0, 0, 1), "notebooks": (8, 8, 2, 2)}
MODULES = ("numpy", "pandas", "sklearn.svm", "torch.nn", "mlflow", "logging", "os.path", "yaml", "fastapi", "requests")
WORDS = (
    "model", "data", "train", "load", "batch", "score", "split", "index", "feature", "layer", "metric", "shape", "value", "weight",
)  # fmt: skip


def python(chance: random.Random, functions: int) -> str:
    lines = [f"import {name} as {name.replace('.', '_')}" for name in chance.sample(MODULES, 4)]
    for number in range(functions):
        first, second = chance.sample(WORDS, 2)
        module = chance.choice(MODULES).replace(".", "_")
        lines += [
            "", "", f"def {first}_{second}_{number}({first}, {second}=None):", f'    """Give the {second} of a {first}."""',
            f"    if {second} is None:", f"        {second} = [{first}.{chance.choice(WORDS)}(i) for i in range({chance.randrange(99)})]",
            f"    {module}.{chance.choice(WORDS)}({second}, {first}={chance.random():.3f})", f"    return {first} + {second}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def notebook(chance: random.Random) -> str:
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [{"text": "0.1\n" * 400}], "source": python(chance, 2).splitlines(True)}
        for _ in range(6)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def yaml(chance: random.Random) -> str:
    rows = (f"  {a}_{n}:\n    {b}: {chance.randrange(1000)}\n" for n in range(40) for a, b in [chance.sample(WORDS, 2)])
    return "settings:\n" + "".join(rows)


def document(chance: random.Random) -> str:
    pairs = [chance.sample(WORDS, 2) for _ in range(8)]
    return "".join(f"## The {a} of the {b}\n\nEvery {b} has a {a}. " + "It is read once. " * 20 + "\n\n" for a, b in pairs)


def git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e@x", "-c", "gc.auto=0", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def lay_out(root: Path, files: int, shape: str = "mixed", seed: int = 1) -> Path:
    """Writes so many files and commits them; gives the folder."""
    chance = random.Random(seed)
    of_python, of_notebooks, of_yaml, _ = SHAPES[shape]
    for number in range(files - 1):
        folder = root / f"part_{number // 50:04}"
        folder.mkdir(parents=True, exist_ok=True)
        kind = number * 7 % 20  # every kind in every folder
        if kind < of_python:
            (folder / f"module_{number}.py").write_text(python(chance, chance.randrange(5, 40)))
        elif kind < of_python + of_notebooks:
            (folder / f"look_{number}.ipynb").write_text(notebook(chance))
        elif kind < of_python + of_notebooks + of_yaml:
            (folder / f"settings_{number}.yaml").write_text(yaml(chance))
        else:
            (folder / f"page_{number}.md").write_text(document(chance))
    (root / "train.py").write_text("from sklearn.svm import SVC\n\nSVC().fit(x, y)\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    return root


if __name__ == "__main__":
    given = [*sys.argv[3:], *("mixed", "1")[len(sys.argv) - 3 :]]
    lay_out(Path(sys.argv[1]), int(sys.argv[2]), given[0], int(given[1]))
