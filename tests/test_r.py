"""What R scripts and R chunks give: texts in, facts out."""

from __future__ import annotations

import textwrap
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_audit.extract import r
from mlops_audit.facts import Fact, Kind
from mlops_audit.parse.nodes import ParseFailure


def facts(text: str, path: str = "R/train.R") -> list[Fact]:
    return list(r.extract(path, textwrap.dedent(text).encode()))


def of(kind: Kind, text: str, path: str = "R/train.R") -> dict[str, Fact]:
    return {fact.name: fact for fact in facts(text, path) if fact.kind is kind}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("library(caret)", {"caret"}),
        ('require("caret", quietly = TRUE)', {"caret"}),
        ("suppressMessages(library(caret))", {"caret"}),
        ("caret::train(x)\ncaret::train(y)", {"caret"}),
        ("caret:::hidden", {"caret"}),
        ("pacman::p_load(caret, 'glmnet')", {"pacman", "caret", "glmnet"}),
        ("# library(caret)", set()),
        ("x <- 'library(caret)'", set()),
        ('x <- r"(library(caret) "quoted")"', set()),
        ("library(name, character.only = TRUE)", set()),
        ("x <- list(library = 3)", set()),
    ],
)
def test_packages_are_imports(text: str, names: set[str]) -> None:
    assert set(of(Kind.IMPORT, text)) == names


def test_calls_keep_their_package_and_their_arguments() -> None:
    calls = of(Kind.CALL, """
        runs <- 5
        fit <- caret::train(y ~ ., data = train[1:10, ], method = "rf", metrics = c("a", 'b'), n = runs, -1.5e3)
        mlflow_log_metric("rmse", 0.5)
        `odd name`(1)
        data |> dplyr::filter(a == 1) %>% head(2)
    """)  # fmt: skip
    assert dict(calls["caret::train"].traits) == {
        "1": "y ~ .", "data=": "train[1:10, ]", "method=": "rf", "metrics=": ("a", "b"), "n=": "5", "2": "-1.5e3",
    }  # fmt: skip
    assert calls["caret::train"].site.line == 3
    assert {"mlflow_log_metric", "odd name", "dplyr::filter", "head"} <= set(calls)


def test_members_of_python_modules_have_their_python_name() -> None:
    calls = of(Kind.CALL, 'ml <- reticulate::import("mlflow")\nml$log_metric("a", 1)\nobject$predict(x)')
    assert {"mlflow.log_metric", "object$predict"} <= set(calls)


def test_calls_know_what_encloses_them() -> None:
    calls = of(Kind.CALL, """
        fit <- function(data, n = 3) {
          for (i in seq_len(n)) step(i)
          if (better(data)) {
            save(data)
          } else drop_it()
        }
        if (FALSE) never()
        always()
    """)  # fmt: skip
    assert calls["step"].traits["loop"] == "yes"
    assert calls["save"].traits["guard"] == ("better(data)",)
    assert calls["save"].traits["function"] == "fit"
    assert "guard" not in calls["drop_it"].traits
    assert calls["never"].traits["dead"] == "yes"
    assert not {"dead", "guard", "function", "loop"} & set(calls["always"].traits)


def test_comparisons_tell_what_they_lead_to() -> None:
    text = "gate <- function(rmse) {\n  if (rmse < best) {\n    register(m)\n  }\n  if (rmse > 9) stop('bad')\n  if (ok) go()\n}\n"
    found = of(Kind.COMPARISON, text)
    assert found["rmse < best"].traits["leads"] == ("register",)
    assert found["rmse > 9"].traits["leads"] == ("raise",)
    assert set(found) == {"rmse < best", "rmse > 9"}
    assert of(Kind.DEFINITION, text)["gate"].traits["parameters"] == ("rmse",)


def test_targets_make_a_pipeline() -> None:
    text = """
        library(targets)
        list(
          tar_target(raw_file, "data/raw.csv", format = "file"),
          tar_target(raw, read.csv(raw_file)),
          tar_target(name = model, command = fit(raw))
        )
    """
    steps = of(Kind.STEP, text, "_targets.R")
    assert {name: step.traits["deps"] for name, step in steps.items()} == {
        "raw_file": (), "raw": ("raw_file",), "model": ("raw",),
    }  # fmt: skip
    pipeline = of(Kind.PIPELINE, text, "_targets.R")["_targets.R"]
    assert (pipeline.traits["system"], pipeline.traits["triggers"]) == ("targets", ("manual",))


def test_schedules_of_cron_packages_start_by_themselves() -> None:
    found = of(Kind.PIPELINE, "cronR::cron_add(cmd, frequency = 'weekly', id = 'retrain')")["retrain"]
    assert found.traits["triggers"] == ("schedule",)


@pytest.mark.parametrize("mark", ["#*", "#'"])
def test_annotated_functions_make_a_service(mark: str) -> None:
    text = f"{mark} Predict\n{mark} @post /predict\nfunction(req) predict(model, req$body)\n"
    service = of(Kind.RESOURCE, text)["service"]
    assert service.traits["endpoint"] == ("POST /predict",)
    assert service.site.line == 2
    assert not of(Kind.RESOURCE, "# @post /predict\nf <- function() 1\n")


def test_only_evaluated_chunks_of_r_count() -> None:
    document = textwrap.dedent("""\
        # Title with library(prose)

        ```{r setup, echo=FALSE}
        library(caret)
        ```

        ```{python}
        library(python)
        ```

        ```r
        library(shown)
        ```

        ```{r, eval=FALSE}
        skipped()
        ```

        ```{r}
        #| eval: false
        omitted()
        ```
        """)
    assert {n: f.site.line for n, f in of(Kind.IMPORT, document, "a.Rmd").items()} == {"caret": 4}
    calls = of(Kind.CALL, document, "a.qmd")
    assert calls["skipped"].traits["dead"] == calls["omitted"].traits["dead"] == "yes"


@given(
    st.binary(max_size=300)
    | st.text(alphabet="(){}[]\"'`#if else function,=<-;\n\\rR_x1:$", max_size=200).map(str.encode)
)
def test_any_bytes_are_survived(data: bytes) -> None:
    for path in ("a.R", "a.Rmd"):
        with suppress(ParseFailure):
            assert all(fact.site.line > 0 for fact in r.extract(path, data))


def test_deep_nesting_is_refused_and_not_crashed_on() -> None:
    with pytest.raises(ParseFailure, match="nested too deeply"):
        list(r.extract("a.R", b"f(" * 10_000))
