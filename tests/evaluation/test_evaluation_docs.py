import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

from ribsight.cohort.tables import Cohort
from ribsight.evaluation.documents import evaluation_document
from ribsight.evaluation.evaluate import evaluate
from ribsight.evaluation.predictions import Predictions
from ribsight.evaluation.protocol import Protocol

PAGE = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_worked_example_prints_what_the_page_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (expected,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "docs/evaluation.md", "exec"), {})
    assert printed.getvalue() == expected


def test_the_page_quotes_the_default_protocol() -> None:
    assert Protocol().describe() in re.sub(r"\s*\n> ", " ", PAGE)


def test_the_page_names_every_key(
    make_cohort: Callable[..., Cohort], make_predictions: Callable[..., Predictions]
) -> None:
    cohort = make_cohort(["positive", "negative"], {0: [(1, 1, 9, 9)]})
    evaluation = evaluate(make_predictions([0.9, 0.1]), cohort, "test", Protocol(), replicates=9)
    keys = set(re.findall(r'"(\w+)": ', json.dumps(evaluation_document(evaluation))))
    keys -= {"rib_fracture"}
    assert {key for key in keys if not re.search(rf"\b{key}\b", PAGE)} == set()
