"""Everything that pins a FROC number, in one object that can say itself in plain words."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from ribsight.errors import RibsightError, nearest

HitRule = Literal["dilated_box", "region", "iou", "distance", "centre_in_box"]


@dataclass(frozen=True)
class Protocol:
    """How marks are scored; two FROC numbers compare only under equal protocols.

    Equality compares the rules, not `name` and `source`.

    Attributes:
        hit_rule: `dilated_box`: a mark's location lies in a region's box; `region`: it lies in the
            drawn outline; `iou`: the boxes' intersection over union reaches `minimum_iou`;
            `distance`: the location is within `distance` of the centre of the region's box;
            `centre_in_box`: the centre of the mark's box lies in the region's box.
        dilation: share of the image's longer side by which box or outline is moved outwards; for
            the rules `dilated_box` and `region`.
        minimum_iou: for the rule `iou`.
        distance: for the rule `distance`, in `distance_unit`.
        distance_unit: `px` of the stored image, `mm`, or `radius`: half the longer side of the
            region's box.
        boundary: whether a mark exactly on the limit (or an IoU exactly at it) hits.
        assignment: `greedy`: marks choose by falling score among the regions not yet hit; `best`:
            each mark belongs to the region it fits best, hit already or not; `optimal`: per image,
            the one-to-one assignment with the highest sum of 1 + quality of its pairs, whatever the
            scores. Quality is the IoU, or under rules of location 1 / (1 + distance in px).
        duplicates: whether marks that fit a region that another mark hits are `ignored` (neither
            hit nor false) or each a `false_positive`.
        ignore_regions: whether marks that fit an ignore region and hit nothing are `left_out` or
            count like all others (`not_used`). Under `iou` a mark fits an ignore region when that
            share of the mark's own area lies in it, as COCO treats crowds.
        most_marks: marks counted per image, those of highest score; None for all.
        denominator: false positives are counted on, and divided by, `all_images` or only
            `images_without_finding`; `patients` counts on all images and divides by patients.
        operating_points: false positives per image (or patient) at which sensitivity is read.
        interpolation: `step`: the highest sensitivity over thresholds at or below that rate;
            `linear`: on straight lines between thresholds, the upper end of vertical ones.
        beyond: at a rate the marks never reach, `hold` the curve's last sensitivity, or
            `undefined`: there is no figure.
        average_precision: of regions: `area`: sum of precision times gain in recall; `coco`: the
            mean over recalls 0, 0.01, ..., 1 of the highest precision at that recall or more.
        ap_ious: thresholds of IoU that the average precision of regions is averaged over; empty
            for the hit rule alone.
        headline: the number the protocol is known by: the mean sensitivity (`froc`), the average
            precision of regions (`ap`) or its mean with the image AUROC (`auroc_and_ap`).
        name: of the preset, for people.
        source: where the rules come from, and where they are not followed.
    """

    hit_rule: HitRule = "dilated_box"
    dilation: float = 0.02
    minimum_iou: float = 0.5
    distance: float = 1.0
    distance_unit: Literal["px", "mm", "radius"] = "radius"
    boundary: Literal["inclusive", "exclusive"] = "inclusive"
    assignment: Literal["greedy", "best", "optimal"] = "greedy"
    duplicates: Literal["ignored", "false_positive"] = "ignored"
    ignore_regions: Literal["left_out", "not_used"] = "left_out"
    most_marks: int | None = None
    denominator: Literal["all_images", "images_without_finding", "patients"] = "all_images"
    operating_points: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    interpolation: Literal["step", "linear"] = "step"
    beyond: Literal["hold", "undefined"] = "hold"
    average_precision: Literal["area", "coco"] = "area"
    ap_ious: tuple[float, ...] = ()
    headline: Literal["froc", "ap", "auroc_and_ap"] = "froc"
    name: str = field(default="ribsight", compare=False)
    source: str = field(default="", compare=False)

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
        if not all(0 < one <= 1 for one in (self.minimum_iou, *self.ap_ious)):
            raise RibsightError("an IoU threshold of a protocol must be above 0 and at most 1")
        if not 0 < self.distance < math.inf:
            raise RibsightError(f"distance {self.distance} of a protocol must be above 0")
        if self.most_marks is not None and self.most_marks < 1:
            raise RibsightError(f"most_marks {self.most_marks} of a protocol must be 1 or more")

    @property
    def uses_boxes(self) -> bool:
        """Whether marks need boxes."""
        return self.hit_rule in {"iou", "centre_in_box"} or bool(self.ap_ious)

    def describe(self) -> str:
        """Return the whole protocol as one sentence, to stand beside every number."""
        points = ", ".join(f"{point:g}" for point in self.operating_points)
        per = "patient" if self.denominator == "patients" else "image"
        at = {
            "step": "each the highest sensitivity at or below that rate (step rule",
            "linear": "each on straight lines between thresholds (upper end of vertical lines",
        }[self.interpolation]
        return (
            f"A mark hits a region when {self._hit()}; {self._assigned()}; {self._duplicates()}; "
            f"{self._extras()}false positives per {per} are counted {self._images()}; sensitivity "
            f"is the share of regions hit; the FROC score is its mean at {points} false positives "
            f"per {per}, {at}; {_BEYOND[self.beyond]} where marks run out).{self._headline()}"
        )

    def _hit(self) -> str:
        edge = f"(boundary {'included' if self.boundary == 'inclusive' else 'excluded'})"
        grown = f"dilated on each side by {self.dilation * 100:g} % of the image's longer side "
        if self.hit_rule == "dilated_box":
            return f"its location lies in the region's box {grown}{edge}"
        if self.hit_rule == "region":
            return f"its location lies in the drawn outline {grown}{edge}"
        if self.hit_rule == "centre_in_box":
            return f"the centre of its box lies in the region's box {edge}"
        if self.hit_rule == "iou":
            least = "at least" if self.boundary == "inclusive" else "more than"
            return f"the intersection over union of their boxes is {least} {self.minimum_iou:g}"
        limit = f"{self.distance:g} {self.distance_unit}"
        if self.distance_unit == "radius":
            limit = f"{self.distance:g} times half the longer side of the region's box"
        return f"its location is within {limit} of the centre of the region's box {edge}"

    def _assigned(self) -> str:
        return {
            "greedy": "marks are assigned greedily by score, one hit a region",
            "best": "each mark belongs to the region it fits best, one hit a region",
            "optimal": "marks are assigned one to one, optimally per image",
        }[self.assignment]

    def _duplicates(self) -> str:
        return {
            "ignored": "further marks on a hit region are ignored",
            "false_positive": "each further mark on a hit region is a false positive",
        }[self.duplicates]

    def _extras(self) -> str:
        extras = ""
        if self.ignore_regions == "not_used":
            extras += "ignore regions are not used; "
        if self.most_marks is not None:
            extras += f"the {self.most_marks} marks of highest score count on each image; "
        return extras

    def _images(self) -> str:
        return {
            "all_images": "over all images",
            "images_without_finding": "over the images without the finding only",
            "patients": "over all patients",
        }[self.denominator]

    def _headline(self) -> str:
        sentence = ""
        if self.average_precision == "coco":
            sentence += " Average precision is COCO's, over 101 recalls"
            if self.ap_ious:
                ious = f"{self.ap_ious[0]:g} ... {self.ap_ious[-1]:g}"
                sentence += f" and {len(self.ap_ious)} IoU thresholds {ious}"
            sentence += "."
        sentence += {
            "froc": "",
            "ap": " The headline number is the average precision of regions.",
            "auroc_and_ap": " The headline number is the mean of the image AUROC and the average "
            "precision of regions.",
        }[self.headline]
        return sentence

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the sentence, ready for JSON."""
        values = asdict(self)
        for name, value in values.items():
            values[name] = list(value) if isinstance(value, tuple) else value
        return {"sentence": self.describe(), **values}


_BEYOND = {"hold": "the last sensitivity is held", "undefined": "there is no figure"}


def protocol_from_dict(document: Mapping[str, Any], where: str) -> Protocol:
    """Return what `Protocol.to_dict` wrote.

    Raises:
        RibsightError: a key that no protocol has, or a value without meaning.
    """
    known = {one.name for one in fields(Protocol)}
    values = {key: value for key, value in document.items() if key != "sentence"}
    for key in values:
        if key not in known:
            raise RibsightError(f"{where} has no protocol key '{key}'{nearest(key, known)}")
    for key, value in values.items():
        values[key] = tuple(value) if isinstance(value, list) else value
    return Protocol(**values)


def require_equal(a: Protocol, b: Protocol) -> None:
    """Refuse to compare results of two protocols.

    Raises:
        RibsightError: naming the first rule in which they differ.
    """
    for one in fields(Protocol):
        if one.compare and getattr(a, one.name) != getattr(b, one.name):
            raise RibsightError(
                f"results under two protocols cannot be compared: {one.name} is "
                f"{getattr(a, one.name)} in one and {getattr(b, one.name)} in the other; "
                "score both under one protocol"
            )
