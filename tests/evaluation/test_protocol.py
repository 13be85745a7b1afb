import json

import pytest

from ribsight.errors import RibsightError
from ribsight.evaluation.protocol import Protocol, protocol_from_dict


def test_sentence_says_every_choice() -> None:
    assert Protocol().describe() == (
        "A mark hits a region when its location lies in the region's box dilated on each side by "
        "2 % of the image's longer side (boundary included); marks are assigned greedily by "
        "score, one hit a region; further marks on a hit region are ignored; false positives per "
        "image are counted over all images; sensitivity is the share of regions hit; the FROC "
        "score is its mean at 0.1, 0.2, 0.3, 0.4, 0.5 false positives per image, each the highest "
        "sensitivity at or below that rate (step rule; the last sensitivity is held where marks "
        "run out)."
    )


@pytest.mark.parametrize(
    "other",
    [
        Protocol(dilation=0.05),
        Protocol(duplicates="false_positive"),
        Protocol(denominator="images_without_finding"),
        Protocol(operating_points=(0.25, 1.0)),
    ],
)
def test_another_protocol_says_another_sentence(other: Protocol) -> None:
    assert other.describe() != Protocol().describe()
    document = json.loads(json.dumps(other.to_dict()))
    sentence = document.pop("sentence")
    assert protocol_from_dict(document, "test") == other
    assert sentence == other.describe()


@pytest.mark.parametrize(
    "points", [(), (0.2, 0.1), (0.1, 0.1), (0.0, 0.1), (float("nan"),), (float("inf"),)]
)
def test_points_without_meaning_are_errors(points: tuple[float, ...]) -> None:
    with pytest.raises(RibsightError, match="rising numbers above 0"):
        Protocol(operating_points=points)


def test_negative_dilation_is_an_error() -> None:
    with pytest.raises(RibsightError, match=r"dilation -0\.1"):
        Protocol(dilation=-0.1)
