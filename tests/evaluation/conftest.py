"""Small cohorts and predictions, made from plain numbers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort
from ribsight.evaluation.predictions import (
    FindingPrediction,
    ImagePrediction,
    Mark,
    Predictions,
)
from ribsight.evaluation.reading import Reading
from ribsight.evaluation.truth import Truth

Boxes = Mapping[int, Sequence[tuple[float, float, float, float]]]
Marks = Sequence[tuple[int, float, float, float]]
MakeTruth = Callable[..., Truth]
MakeReading = Callable[..., Reading]
MakeCohort = Callable[..., Cohort]
MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="session")
def make_truth() -> MakeTruth:
    """state -> Truth of 100 x 100 images, each its own group unless `groups` says otherwise."""

    def make(
        state: Sequence[int], boxes: Boxes | None = None, groups: Sequence[int] | None = None
    ) -> Truth:
        pairs = [(image, box) for image, some in (boxes or {}).items() for box in some]
        return Truth(
            finding="rib_fracture",
            images=tuple(f"r{index}" for index in range(len(state))),
            groups=np.array(range(len(state)) if groups is None else groups, dtype=np.int64),
            sizes=np.full((len(state), 2), 100.0),
            state=np.array(state, dtype=np.int8),
            region_image=np.array([image for image, _ in pairs], dtype=np.int64),
            region_boxes=np.array([box for _, box in pairs], dtype=np.float64).reshape(-1, 4),
        )

    return make


@pytest.fixture(scope="session")
def make_reading() -> MakeReading:
    """(image, x, y, score) rows and image scores -> Reading."""

    def make(marks: Marks, image_scores: Sequence[float]) -> Reading:
        table = np.array(marks, dtype=np.float64).reshape(-1, 4)
        return Reading(
            image_scores=np.array(image_scores, dtype=np.float64),
            mark_image=table[:, 0].astype(np.int64),
            mark_xy=table[:, 1:3],
            mark_scores=table[:, 3],
        )

    return make


@pytest.fixture(scope="session")
def make_cohort() -> MakeCohort:
    """states of `rib_fracture` -> Cohort of 100 x 100 images r0, r1, ... all in split test."""

    def make(
        states: Sequence[str],
        boxes: Boxes | None = None,
        groups: Sequence[str | None] | None = None,
        findings: tuple[str, ...] = ("rib_fracture",),
    ) -> Cohort:
        names = [f"r{index}" for index in range(len(states))]
        radiographs = [
            (name, f"{name}.png", None, group, "test", 100, 100, 8, name, name, "")
            for name, group in zip(names, groups or names, strict=True)
        ]
        diagnoses = [
            (name, findings[0], state, "unknown", "unknown", "table.csv row 1")
            for name, state in zip(names, states, strict=True)
        ]
        regions = [
            (names[image], findings[0], "", True, [[x0, y0, x1, y0, x1, y1, x0, y1]], False, "")
            for image, some in (boxes or {}).items()
            for x0, y0, x1, y1 in some
        ]
        return Cohort(
            images=Path("images"),
            findings=findings,
            radiographs=pl.DataFrame(radiographs, schema=RADIOGRAPHS, orient="row"),
            diagnoses=pl.DataFrame(diagnoses, schema=DIAGNOSES, orient="row"),
            regions=pl.DataFrame(regions, schema=REGIONS, orient="row"),
        )

    return make


@pytest.fixture(scope="session")
def make_predictions() -> MakePredictions:
    """Image scores and (image, x, y, score) rows -> Predictions of r0, r1, ..."""

    def make(scores: Sequence[float], marks: Marks = (), model: str = "model") -> Predictions:
        images = []
        for index, score in enumerate(scores):
            own = sorted((row for row in marks if row[0] == index), key=lambda row: -row[3])
            found = tuple(Mark(x, y, (x - 2, y - 2, x + 2, y + 2), s) for _, x, y, s in own)
            findings = {"rib_fracture": FindingPrediction(score, found)}
            images.append(ImagePrediction(f"r{index}", f"r{index}.png", 100, 100, findings))
        return Predictions(model, model * 2, ("rib_fracture",), tuple(images))

    return make
