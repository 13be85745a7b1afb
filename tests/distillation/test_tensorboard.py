"""The records as TensorBoard curves."""

from pathlib import Path

import pytest

from ribsight.distillation.tensorboard import TensorBoardObserver, scalars


def test_scalars_are_named_by_finding_and_undefined_ones_left_out() -> None:
    record = {"kind": "train", "stage": 1, "step": 10, "loss": 0.5, "auroc": {"a": 0.7, "b": None}}
    assert scalars(record) == [("loss", 0.5), ("auroc/a", 0.7)]


def test_stage_2_continues_the_axis_of_stage_1(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    observe = TensorBoardObserver(tmp_path)
    observe({"kind": "train", "stage": 1, "step": 10, "loss_known": 0.5})
    observe({"kind": "train", "stage": 2, "step": 10, "loss_known": 0.25})
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = [(one.step, one.value) for one in events.Scalars("train/loss_known")]
    assert found == [(10, 0.5), (20, 0.25)]


def test_the_health_of_pseudo_labels_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    observe = TensorBoardObserver(tmp_path)
    place = {"stage": 2, "step": 10}
    observe({"kind": "health", **place, "target_area": {"rib": 0.25}, "loss_ratio": 0.5})
    observe({"kind": "validation", **place, "which": "teacher", "map_ece": {"rib": 0.125}})
    observe({"kind": "concern", **place, "name": "starved", "finding": "rib", "sentence": "no"})
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    found = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert found == {
        "health/target_area/rib": 0.25,
        "health/loss_ratio": 0.5,
        "validation/teacher/map_ece/rib": 0.125,
    }
