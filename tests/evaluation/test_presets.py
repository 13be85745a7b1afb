from pathlib import Path

import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.presets import PRESETS, preset, read_protocol
from ribsight.evaluation.protocol import Protocol, protocol_from_dict, require_equal


def test_presets_have_a_source_and_survive_json() -> None:
    assert set(PRESETS) == {
        "ribsight", "luna16", "camelyon16", "ribfrac", "nndetection", "picai", "coco-ap",
    }  # fmt: skip
    sentences = set()
    for name, one in PRESETS.items():
        assert one.name == name
        assert len(one.source) > 20
        assert protocol_from_dict(one.to_dict(), "x") == one
        sentences.add(one.describe())
    assert len(sentences) == len(PRESETS)
    assert PRESETS["ribsight"] == Protocol()


def test_published_numbers_of_the_presets() -> None:
    assert preset("luna16").operating_points == (0.125, 0.25, 0.5, 1, 2, 4, 8)
    assert preset("camelyon16").operating_points == (0.25, 0.5, 1, 2, 4, 8)
    assert preset("ribfrac").minimum_iou == 0.2
    assert preset("coco-ap").ap_ious == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_a_file_changes_a_preset_and_takes_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text('preset = "luna16"\nmost_marks = 20\noperating_points = [0.5, 1.0]\n')
    read = read_protocol(str(path))
    assert (read.hit_rule, read.most_marks, read.operating_points) == ("distance", 20, (0.5, 1.0))
    assert read.name == "ours"
    path.write_text('preset = "luna16"\n')
    assert read_protocol(str(path)).name == "luna16"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dilashun = 0.1", r"unknown key 'dilashun' \(did you mean 'dilation'"),
        ('preset = "luna"', r"no protocol 'luna' \(did you mean 'luna16'"),
        ('hit_rule = "near"', "hit_rule"),
        ("operating_points = [2.0, 1.0]", "rising numbers"),
        ("minimum_iou = 1.5", "IoU threshold"),
        ("distance = 0.0", "must be above 0"),
        ("most_marks = 0", "1 or more"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text + "\n")
    with pytest.raises(RibsightError, match=message):
        read_protocol(str(path))


def test_results_of_two_protocols_are_not_compared() -> None:
    with pytest.raises(RibsightError, match="hit_rule is dilated_box in one and distance"):
        require_equal(preset("ribsight"), preset("luna16"))
    require_equal(Protocol(), Protocol(name="other", source="elsewhere"))
