"""Notebooks: cells in, facts out, each with its cell and line."""

from __future__ import annotations

import json

import pytest

from mlops_audit.extract import notebook
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import ParseFailure

PYTHON = {"kernelspec": {"language": "python", "name": "python3"}}


def notebook_of(*cells: str, metadata: object = PYTHON, kind: str = "code") -> bytes:
    rows = [
        {"cell_type": kind, "source": cell.splitlines(keepends=True), "outputs": [{"text": "mlflow.out()"}]}
        for cell in cells
    ]
    return json.dumps({"cells": rows, "metadata": metadata, "nbformat": 4}).encode()


def facts_of(data: bytes, kind: Kind = Kind.CALL, path: str = "notebooks/train.ipynb") -> list[Fact]:
    found = [fact for fact in notebook.extract(path, data) if fact.kind is kind]
    return sorted(found, key=lambda fact: (fact.site.cell, fact.site.line))


def rows_of(
    data: bytes, kind: Kind = Kind.CALL, path: str = "notebooks/train.ipynb"
) -> list[tuple[str, int, int]]:
    return [(fact.name, fact.site.cell, fact.site.line) for fact in facts_of(data, kind, path)]


def test_names_are_resolved_over_all_cells_and_lines_count_inside_their_cell() -> None:
    data = notebook_of("import mlflow as ml", "", "# text\n\nml.log_metric('a', 1)\n\nml.end_run()")
    assert rows_of(data) == [("mlflow.log_metric", 3, 3), ("mlflow.end_run", 3, 5)]
    assert rows_of(data, Kind.IMPORT) == [("mlflow", 1, 1)]


def test_format_3_is_read() -> None:
    cells = [
        {"cell_type": "markdown", "source": "x"},
        {"cell_type": "code", "language": "python", "input": ["import a\n", "a.f()"]},
    ]
    data = json.dumps({"worksheets": [{"cells": cells}], "metadata": {"name": ""}, "nbformat": 3}).encode()
    assert rows_of(data) == [("a.f", 2, 2)]


def test_a_cell_that_is_no_python_leaves_the_others_readable() -> None:
    data = notebook_of("import a", "x = = 1", "a.f()", "def g(:")
    assert rows_of(data) == [("a.f", 3, 1)]


def test_a_cell_that_begins_indented_is_read_as_jupyter_runs_it() -> None:
    data = notebook_of("import a", "\n  p = {'n': 1,\n       'm': 2}\nif p:\n    a.f(**p)\n")
    assert rows_of(data) == [("a.f", 2, 5)]


def test_cells_of_python_2_are_read() -> None:
    data = notebook_of("import a", "print 'old'\na.f()", "a.g()")
    assert rows_of(data) == [("print", 2, 1), ("a.f", 2, 2), ("a.g", 3, 1)]


@pytest.mark.parametrize(
    ("cell", "calls", "commands"),
    [
        ("%matplotlib inline\nf()", [("f", 1, 2)], []),
        ("!pip install a==1\nf()", [("f", 1, 2)], [("pip install a==1", 1, 1)]),
        ("!pip install a \\\n  b\nf()", [("f", 1, 3)], [("pip install a b", 1, 1)]),
        ("%pip install \\\n  a\nf()", [("f", 1, 3)], [("pip install a", 1, 1)]),
        ("if x:\n    !dvc pull && dvc repro\nf()", [("f", 1, 3)], [("dvc pull", 1, 2), ("dvc repro", 1, 2)]),
        ("files = !ls -l\nf()", [("f", 1, 2)], [("ls -l", 1, 1)]),
        ("%run ./other.ipynb\nf()", [("f", 1, 2)], [("%run ./other.ipynb", 1, 1)]),
        ("%time f()", [("f", 1, 1)], []),
        ("f?\nf()", [("f", 1, 2)], []),
        ("%%time\nf()", [("f", 1, 2)], []),
        ("%%capture out\n!a b\nf()", [("f", 1, 3)], [("a b", 1, 2)]),
        ("%%bash\necho x\ndvc repro\n", [], [("echo x", 1, 2), ("dvc repro", 1, 3)]),
        ("%%script bash\ndvc repro", [], [("dvc repro", 1, 2)]),
        ("%%writefile train.py\nimport a\na.f()", [], []),
        ("%%sql\nselect f()", [], []),
        ("%%R\nf()", [], []),
        ("%sql select f()", [], []),
        ("%sh\ndvc repro", [], [("dvc repro", 1, 2)]),
        ("x = (3\n  % f())", [("f", 1, 2)], []),
        ("x = '''\n!a b\n'''\nf()", [("f", 1, 4)], []),
        ("await f()", [("f", 1, 1)], []),
    ],
)
def test_magics_and_shell_lines_are_told_from_python(
    cell: str, calls: list[tuple[str, int, int]], commands: list[tuple[str, int, int]]
) -> None:
    data = notebook_of(cell)
    assert rows_of(data) == calls
    assert rows_of(data, Kind.COMMAND) == commands


def test_commands_belong_to_the_notebook() -> None:
    install, run = facts_of(notebook_of("!pip install a || true\n%run ../lib/other"), Kind.COMMAND)
    assert install.traits == {
        "unit": "notebooks/train.ipynb",
        "system": "notebook",
        "directory": "",
        "masked": "yes",
    }
    assert run.traits["runs"] == ("lib/other.py", "lib/other.ipynb")


@pytest.mark.parametrize(
    ("metadata", "read"),
    [
        ({}, True),
        ("junk", True),
        ({"kernelspec": {"name": "python2"}}, True),
        ({"kernelspec": {"name": "conda_pytorch_p36", "display_name": "x"}}, True),
        ({"kernelspec": {"name": "ir", "language": "R"}}, False),
        ({"language_info": {"name": "scala"}}, False),
        ({"kernelspec": {"name": "julia-1.9"}}, False),
        ({"language_info": {"name": "python"}, "kernelspec": {}}, True),
    ],
)
def test_only_python_kernels_are_read_as_python(metadata: object, read: bool) -> None:
    assert bool(facts_of(notebook_of("f()", metadata=metadata))) is read


def test_outputs_and_raw_cells_are_never_read() -> None:
    assert facts_of(notebook_of("x = 1")) == []
    assert facts_of(notebook_of("f()", kind="raw")) == []


def test_markdown_cells_give_headings() -> None:
    data = notebook_of(
        "# Model card\n\n## Limits\nOnly *adults*: 93.5 %.",
        "## Owner\nTODO\n```\n# no heading\n```",
        kind="markdown",
    )
    assert rows_of(data, Kind.HEADING) == [("Model card", 1, 1), ("Limits", 1, 3), ("Owner", 2, 1)]
    limits, owner = facts_of(data, Kind.HEADING)[1:]
    assert limits.traits["filled"] == limits.traits["numbers"] == "yes"
    assert limits.traits["parents"] == ("Model card",)
    assert owner.traits["words"] == "6"


def test_a_heading_over_a_placeholder_is_not_filled() -> None:
    assert "filled" not in facts_of(notebook_of("# Owner\nTODO", kind="markdown"), Kind.HEADING)[0].traits


DOCUMENT = """---
title: x
---
```{r}
library(a)
```

```{python}
import mlflow as ml
!dvc pull
```

```{python, eval=FALSE}
ml.never()
```

```{python}
#| eval: false
ml.never_either()
```

```python
ml.only_shown()
```

```{python}
ml.log_metric("a", 1)
```
"""


@pytest.mark.parametrize("path", ["report.Rmd", "report.qmd"])
def test_python_chunks_of_documents_are_read(path: str) -> None:
    assert rows_of(DOCUMENT.encode(), path=path) == [("mlflow.log_metric", 0, 27)]
    assert rows_of(DOCUMENT.encode(), Kind.COMMAND, path) == [("dvc pull", 0, 10)]
    assert rows_of(b"# Title\n\ntext ```{python}`` x", path=path) == []


@pytest.mark.parametrize(
    ("data", "reason", "line"),
    [
        (b"", "empty", 0),
        (b"not json", "no JSON", 1),
        (b"[]", "without cells", 0),
        (b'{"a": 1}', "without cells", 0),
        (b'{\n<<<<<<< HEAD\n"cells": []\n=======\n>>>>>>> b\n}', "merge conflict", 2),
        (b"[" * 200_000, "RecursionError", 0),
        (b"version https://git-lfs.github.com/spec/v1\n", "no JSON", 1),
        (b" " * 10_000_001, "larger than", 0),
        (notebook_of("def g(:"), "invalid syntax", 0),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str, line: int) -> None:
    with pytest.raises(ParseFailure) as failure:
        facts_of(data)
    assert reason in failure.value.reason
    assert failure.value.line == line


@pytest.mark.parametrize(
    "data",
    [
        b'{"cells": null}',
        b'{"cells": [null, 1, "x", {"cell_type": "code"}, {"cell_type": "code", "source": 3}]}',
        b'{"worksheets": [null, {"cells": 3}]}',
        b'\xef\xbb\xbf{"cells": []}',
        notebook_of(),
        notebook_of("", "%%time", "%", "!", "%%", "%run", "?", "!!"),
    ],
)
def test_odd_notebooks_have_no_facts_and_no_failure(data: bytes) -> None:
    assert facts_of(data) == []
