"""A model at work: certainty by the thresholds beside it, and what is said of the input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.tiny_model import write_tiny_model

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.certainty import Levels, certainty, read_levels
from ribsight.deployment.members import write_members
from ribsight.errors import RibsightError
from ribsight.findings import Certainty
from ribsight.radiographs import Radiograph


def film(height: int = 40, width: int = 48, seed: int = 0) -> Radiograph:
    random = np.random.default_rng(seed)
    return Radiograph(random.integers(0, 256, (height, width), dtype=np.uint8), 8)


def write_points(model: Path, sha256: str, doubtful: float, confident: float) -> None:
    points = [
        {"finding": "rib_fracture", "level": "doubtful", "threshold": doubtful},
        {"finding": "rib_fracture", "level": "confident", "threshold": confident},
        {"finding": "rib_fracture", "aim": "youden", "threshold": 0.123},
    ]
    document: dict[str, Any] = {
        "schema": "ribsight-operating-points/1",
        "model": {"name": "tiny", "sha256": sha256},
        "points": points,
    }
    (model / "operating_points.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0.29, None),
        (0.3, Certainty.DOUBTFUL),
        (0.59, Certainty.DOUBTFUL),
        (0.6, Certainty.CONFIDENT),
    ],
)
def test_a_score_on_a_threshold_has_reached_it(score: float, expected: Certainty | None) -> None:
    assert certainty(score, Levels(doubtful=0.3, confident=0.6)) is expected
    assert certainty(score, None) is None


def test_scores_get_the_certainty_that_the_thresholds_beside_the_model_give(
    tiny_model: Path,
) -> None:
    bare = DetectorAtWork.load(tiny_model.parent)
    assert bare.levels == {}
    (raw,) = bare.read([film()])
    marks = raw["rib_fracture"].marks
    assert len(marks) > 2
    assert {mark.certainty for mark in marks} == {None}

    write_points(tiny_model, bare.identity.sha256, marks[-1].score, marks[0].score)
    at_work = DetectorAtWork.load(tiny_model)
    (said,) = at_work.read([film()])
    levels = [mark.certainty for mark in said["rib_fracture"].marks]
    assert levels[0] is Certainty.CONFIDENT
    assert set(levels[1:]) == {Certainty.DOUBTFUL}
    assert said["rib_fracture"].certainty is Certainty.CONFIDENT
    assert said["clavicle_fracture"].certainty is None


def test_the_mirrored_image_has_the_mirrored_maps(tiny_model: Path) -> None:
    alone, flipped = DetectorAtWork.load(tiny_model), DetectorAtWork.load(tiny_model, flip=True)
    one = film()
    mirrored = Radiograph(one.pixels[:, ::-1], 8)
    # 48 of 64 columns: the padding is the same on both sides.
    first, second = alone.maps([alone.prepare(one), alone.prepare(mirrored)])
    assert np.abs(first - second[..., ::-1]).max() > 0.01
    expected = (first + second[..., ::-1]) / 2
    np.testing.assert_allclose(flipped.maps([flipped.prepare(one)])[0], expected, atol=1e-6)


def test_maps_of_an_ensemble_are_averaged(tiny_model: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", seed=1)
    together = DetectorAtWork.load(tiny_model, others=[other])
    prepared = [together.prepare(film())]
    maps = [DetectorAtWork.load(folder).maps(prepared) for folder in (tiny_model, other)]
    np.testing.assert_allclose(together.maps(prepared), np.mean(maps, axis=0), atol=1e-6)
    assert together.identity.name == "tiny0 + tiny1"


def test_models_together_have_an_identity_of_their_own(tiny_model: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", seed=1)
    loaded = [
        DetectorAtWork.load(tiny_model),
        DetectorAtWork.load(tiny_model, flip=True),
        DetectorAtWork.load(tiny_model, others=[other]),
        DetectorAtWork.load(tiny_model, others=[other], flip=True),
    ]
    assert len({one.identity.sha256 for one in loaded}) == 4
    turned = DetectorAtWork.load(other, others=[tiny_model])
    assert turned.identity.sha256 == loaded[2].identity.sha256


def test_thresholds_of_one_model_are_not_those_of_an_ensemble(
    tiny_model: Path, tmp_path: Path
) -> None:
    sha256 = DetectorAtWork.load(tiny_model).identity.sha256
    write_points(tiny_model, sha256, 0.2, 0.5)
    flipped = DetectorAtWork.load(tiny_model, flip=True)
    assert flipped.levels == {}
    folder = tmp_path / "work"
    write_members(flipped.members, flipped.member_sha256s, flipped.identity.name, folder)
    assert DetectorAtWork.load(folder).identity == flipped.identity
    write_points(folder, sha256, 0.2, 0.5)
    with pytest.raises(RibsightError, match=r"chosen for model .*, not for"):
        DetectorAtWork.load(folder)
    write_points(folder, flipped.identity.sha256, 0.2, 0.5)
    assert DetectorAtWork.load(folder).levels == {"rib_fracture": Levels(0.2, 0.5)}


def test_a_folder_at_work_moves_with_its_models_and_knows_them(
    tiny_model: Path, tmp_path: Path
) -> None:
    at_work = DetectorAtWork.load(tiny_model, flip=True)
    folder = tiny_model.parent / "work"
    write_members(at_work.members, at_work.member_sha256s, at_work.identity.name, folder)
    moved = tmp_path / "moved"
    tiny_model.parent.rename(moved)
    assert DetectorAtWork.load(moved / "work").identity == at_work.identity
    write_tiny_model(moved / "model", seed=5)
    with pytest.raises(RibsightError, match="is not the model that was calibrated"):
        DetectorAtWork.load(moved / "work")
    with pytest.raises(RibsightError, match="leave --ensemble and --tta out"):
        DetectorAtWork.load(moved / "work", flip=True)
    (moved / "work" / "at_work.json").write_text("{}")
    with pytest.raises(RibsightError, match=r"at_work\.json is no list of models"):
        DetectorAtWork.load(moved / "work")


def test_models_that_do_not_go_together_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    larger = write_tiny_model(tmp_path / "larger", seed=1, size=96)
    with pytest.raises(RibsightError, match=r"larger and .* cannot work together: .* images"):
        DetectorAtWork.load(tiny_model, others=[larger])
    with pytest.raises(RibsightError, match="the same model twice"):
        DetectorAtWork.load(tiny_model, others=[tiny_model.parent])


def test_thresholds_of_another_model_are_refused(tiny_model: Path) -> None:
    write_points(tiny_model, "0" * 64, 0.2, 0.5)
    with pytest.raises(RibsightError, match="chosen for model 000000000000, not for"):
        DetectorAtWork.load(tiny_model)


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "ribsight-operating-points/1"}'])
def test_a_damaged_file_of_thresholds_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "operating_points.json").write_text(text)
    with pytest.raises(RibsightError, match=r"operating_points\.json is no file of operating"):
        read_levels(tmp_path, "")


def test_statistics_of_the_input_leave_out_the_padding(tiny_model: Path) -> None:
    at_work = DetectorAtWork.load(tiny_model)
    wide = Radiograph(np.full((32, 64), 255, np.uint8), 8)
    one = at_work.predict(wide, name="a", file="a.png", sha256="ab" * 32)
    assert (one.id, one.width, one.height, one.sha256) == ("a", 64, 32, "ab" * 32)
    assert one.input is not None
    assert one.input.intensities == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert (one.input.kind, one.input.view, one.input.bits) == ("unknown", None, 8)
