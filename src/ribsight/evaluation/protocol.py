"""Everything that pins a FROC number, in one object that can say itself in plain words."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ribsight.errors import RibsightError


@dataclass(frozen=True)
class Protocol:
    """How marks are scored; two FROC numbers compare only under equal protocols.

    Attributes:
        hit_rule: `dilated_box`: a mark's location lies in a region's box, boundary included.
        dilation: share of the image's longer side that each side of the box is moved outwards.
        assignment: `greedy`: marks choose by falling score, and a region is hit once.
        duplicates: whether further marks on a region already hit are `ignored` (neither hit nor
            false) or each a `false_positive`.
        denominator: false positives are counted on, and divided by, `all_images` or only
            `images_without_finding`.
        operating_points: false positives per image at which sensitivity is read, rising.
        interpolation: `step`: the highest sensitivity over thresholds at or below that rate.
        beyond: `hold`: at a rate the marks never reach, the curve's last sensitivity.
    """

    hit_rule: Literal["dilated_box"] = "dilated_box"
    dilation: float = 0.02
    assignment: Literal["greedy"] = "greedy"
    duplicates: Literal["ignored", "false_positive"] = "ignored"
    denominator: Literal["all_images", "images_without_finding"] = "all_images"
    operating_points: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    interpolation: Literal["step"] = "step"
    beyond: Literal["hold"] = "hold"

    def __post_init__(self) -> None:
        """Raise RibsightError if a value has no meaning."""
        points = self.operating_points
        if (
            not points
            or not all(0 < p < math.inf for p in points)
            or list(points) != sorted(set(points))
        ):
            raise RibsightError(
                f"operating points {points} of a protocol must be rising numbers above 0"
            )
        if not 0 <= self.dilation < math.inf:
            raise RibsightError(f"dilation {self.dilation} of a protocol must be 0 or more")

    def describe(self) -> str:
        """Return the whole protocol as one sentence, to stand beside every number."""
        points = ", ".join(f"{point:g}" for point in self.operating_points)
        duplicates = {
            "ignored": "further marks on a hit region are ignored",
            "false_positive": "each further mark on a hit region is a false positive",
        }[self.duplicates]
        images = {
            "all_images": "over all images",
            "images_without_finding": "over the images without the finding only",
        }[self.denominator]
        return (
            "A mark hits a region when its location lies in the region's box dilated on each side "
            f"by {self.dilation * 100:g} % of the image's longer side (boundary included); marks "
            f"are assigned greedily by score, one hit a region; {duplicates}; false positives per "
            f"image are counted {images}; sensitivity is the share of regions hit; the FROC score "
            f"is its mean at {points} false positives per image, each the highest sensitivity at "
            "or below that rate (step rule; the last sensitivity is held where marks run out)."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the sentence, ready for JSON."""
        fields = asdict(self)
        fields["operating_points"] = list(self.operating_points)
        return {"sentence": self.describe(), **fields}
