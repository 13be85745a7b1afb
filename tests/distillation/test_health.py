"""What a run's records give away, and pseudo-labels against regions that training never saw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from ribsight.cohort.cache import fill_cache
from ribsight.cohort.tables import load_cohort
from ribsight.detector.network import DetectorNetwork
from ribsight.detector.settings import ImageSettings, MarkSettings, NetworkSettings
from ribsight.distillation.checkpoint import Position
from ribsight.distillation.health import HiddenTruth, concerns, hidden_subset
from ribsight.distillation.map_calibration import MapCalibration
from ribsight.distillation.reporting import health_record
from ribsight.findings import Split, Supervision
from ribsight.regions import coverage


def trained(area: list[float], without_push: float = 0.1) -> list[dict[str, object]]:
    return [
        {
            "kind": "train",
            "stage": 2,
            "step": 10 * index,
            "target_area": {"fracture": one},
            "share_without_push": {"fracture": without_push},
        }
        for index, one in enumerate(area)
    ]


def looked(teacher: float | None, student: float | None) -> list[dict[str, object]]:
    return [
        {"kind": "validation", "stage": 2, "step": 10, "which": which, "froc": {"fracture": value}}
        for which, value in (("teacher", teacher), ("student", student))
    ]


def names(records: list[dict[str, object]]) -> list[str]:
    return [one.name for one in concerns(records)]


def test_a_healthy_run_is_left_alone() -> None:
    assert names([*trained([0.01] * 10), *looked(0.5, 0.52)]) == []
    assert names([]) == []
    assert names(looked(None, 0.5)) == []


def test_targets_that_vanish_or_spread_are_named() -> None:
    assert names(trained([0.01] * 5 + [0.0001] * 5)) == ["collapse"]
    assert names(trained([0.01] * 5 + [0.2] * 5)) == ["explosion"]
    # Growing from nearly nothing to little is what sharpening is for.
    assert names(trained([0.0001] * 5 + [0.002] * 5)) == []


def test_a_teacher_that_sees_nothing_is_named() -> None:
    (one,) = concerns(trained([0.01] * 10, without_push=0.9))
    assert (one.name, one.finding) == ("starved", "fracture")
    assert "90% of the record-positives of fracture" in one.sentence


def test_a_teacher_behind_its_student_is_named() -> None:
    assert names(looked(0.3, 0.5)) == ["teacher_worse"]


def weighed(ratios: list[float]) -> list[dict[str, object]]:
    return [{"kind": "train", "stage": 2, "step": 10, "loss_ratio": one} for one in ratios]


def test_record_positives_that_outweigh_everything_are_named() -> None:
    (one,) = concerns(weighed([1.0] * 5 + [20.0] * 5))
    assert (one.name, one.finding) == ("overweight", "")
    assert "weigh 20 times as much" in one.sentence
    # Much from the start is what was asked for; grown but still little is no harm.
    assert names(weighed([18.0] * 5 + [20.0] * 5)) == []
    assert names(weighed([0.1] * 5 + [2.0] * 5)) == []


def test_a_teacher_of_errors_is_named() -> None:
    def checked(precision: float | None) -> dict[str, object]:
        found = {"precision": {"fracture": precision}}
        return {"kind": "pseudo_labels", "stage": 2, "step": 10, **found}

    (one,) = concerns([checked(0.5), checked(0.04)])
    assert one.name == "untrue"
    assert "only 4% hit a hidden region" in one.sentence
    assert names([checked(0.04), checked(0.5)]) == []
    assert names([checked(None)]) == []


def test_every_look_sums_up_what_was_trained_since_the_last() -> None:
    records = trained([0.1, 0.2, 0.3])
    first = health_record(records, Position(2, 30))
    assert first is not None
    assert first["target_area"] == {"fracture": pytest.approx(0.2)}
    assert first["share_without_push"] == {"fracture": pytest.approx(0.1)}
    later = health_record([*records, first, *trained([0.5])], Position(2, 40))
    assert later is not None
    assert later["target_area"] == {"fracture": 0.5}
    assert health_record([*records, first], Position(2, 40)) is None
    assert health_record([{**one, "stage": 1} for one in records], Position(1, 30)) is None


def test_map_calibration_counts_cells_of_known_radiographs(trainable: Path, tmp_path: Path) -> None:
    cohort = load_cohort(trainable).select(Split.VAL)
    cache = fill_cache(cohort, ImageSettings(size=64).preprocessing, tmp_path, progress=False)
    positive = sum(bool(one) for one in cohort.drawn(revealed_only=False))
    negative = len(cohort.ids) - positive
    same, area = MapCalibration(cohort, cache), 0.0
    for row in range(len(cohort.ids)):
        drawn = [
            cache.affine(row).to_network(polygon) / 4
            for region in cohort.drawn(revealed_only=False)[row]
            for polygon in region.polygons
        ]
        truth = coverage(drawn, 16, 16) if drawn else np.zeros((16, 16))
        area += float(truth.sum())
        same.add(row, truth[None].astype(np.float32))
    figures = same.figures()
    assert figures["map_ece"]["fracture"] == pytest.approx(0.0, abs=1e-6)
    assert figures["map_area"]["fracture"] == pytest.approx(1.0, abs=1e-5)
    assert area == pytest.approx(positive * 12 * 6 / 16)
    # One half everywhere: off by one half less the share that is drawn.
    flat = MapCalibration(cohort, cache)
    for row in range(len(cohort.ids)):
        flat.add(row, np.full((1, 16, 16), 0.5, dtype=np.float32))
    cells = (positive + negative) * 256
    assert flat.figures()["map_ece"]["fracture"] == pytest.approx(0.5 - area / cells, abs=1e-6)


def test_cells_of_a_positive_without_a_drawing_say_nothing(trainable: Path, tmp_path: Path) -> None:
    cohort = load_cohort(trainable).select(Split.VAL)
    cohort = replace(cohort, regions=cohort.regions.clear())
    cache = fill_cache(cohort, ImageSettings(size=64).preprocessing, tmp_path, progress=False)
    positive = int(np.flatnonzero(cohort.states[:, 0] == "positive")[0])
    cells = MapCalibration(cohort, cache)
    cells.add(positive, np.ones((1, 16, 16), dtype=np.float32))
    assert cells.figures() == {"map_ece": {"fracture": None}, "map_area": {"fracture": None}}


def test_stage_1_has_no_pseudo_labels() -> None:
    assert names([{**one, "stage": 1} for one in trained([0.01] * 5 + [0.2] * 5)]) == []


def test_hidden_truth_is_what_training_never_sees(trainable: Path) -> None:
    cohort = load_cohort(trainable)
    hidden = cohort.regions.with_columns(
        revealed=pl.int_range(pl.len()).over("radiograph") < 0
    ).filter(pl.int_range(pl.len()) % 2 == 0)
    shown = cohort.regions.filter(~pl.col("radiograph").is_in(hidden["radiograph"].implode()))
    training = replace(cohort, regions=pl.concat([shown, hidden])).select(Split.TRAIN)
    secret = hidden_subset(training, 3, seed=1)
    assert len(secret.ids) == 3
    rows = [training.ids.index(one) for one in secret.ids]
    assert (training.supervision()[rows] == Supervision.POSITIVE).any(axis=1).all()
    assert secret.ids == hidden_subset(training, 3, seed=1).ids
    assert hidden_subset(training, 0, seed=1).ids == []


def test_pseudo_labels_are_held_against_the_hidden_regions(trainable: Path, tmp_path: Path) -> None:
    cohort = load_cohort(trainable)
    positive = cohort.regions["radiograph"].unique().to_list()
    part = replace(
        cohort,
        radiographs=cohort.radiographs.filter(pl.col("radiograph").is_in(positive)),
        diagnoses=cohort.diagnoses.filter(pl.col("radiograph").is_in(positive)),
    )
    cache = fill_cache(part, ImageSettings(size=64).preprocessing, tmp_path, progress=False)
    network = DetectorNetwork(
        NetworkSettings(backbone="mobilenetv3_small_050", weights="", pyramid_channels=8),
        len(part.findings),
        pretrained=False,
    )
    torch.nn.init.zeros_(network.head.weight)
    network.train()
    device = torch.device("cpu")
    # A network that says 0.01 everywhere teaches no mark at all.
    figures = HiddenTruth(part, cache, MarkSettings(), 0.4).figures(network, device)
    assert figures["precision"]["fracture"] is None
    assert figures["recall"]["fracture"] == 0
    assert figures["silent"]["fracture"] == 1
    assert network.training
    # Below that level it marks every image somewhere.
    loud = HiddenTruth(part, cache, MarkSettings(minimum_score=0.001), 0.005)
    figures = loud.figures(network, device)
    assert figures["silent"]["fracture"] == 0
    precision = figures["precision"]["fracture"]
    assert precision is not None
    assert 0 <= precision < 1
    assert np.isfinite(precision)
