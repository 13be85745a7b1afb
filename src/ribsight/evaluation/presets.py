"""Named protocols of the literature, and protocols from TOML."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from ribsight.errors import RibsightError, nearest
from ribsight.evaluation.protocol import HitRule, Protocol
from ribsight.settings import Settings, parse_settings, read_toml

_EIGHTH_TO_EIGHT = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)

PRESETS: dict[str, Protocol] = {
    "ribsight": Protocol(
        source="ribsight's own: boxes of small fractures differ between readers more than "
        "fractures are wide, so the location in a slightly dilated box decides",
    ),
    "luna16": Protocol(
        name="luna16",
        hit_rule="distance",
        distance=1.0,
        distance_unit="radius",
        boundary="exclusive",
        operating_points=_EIGHTH_TO_EIGHT,
        interpolation="linear",
        source="Setio et al., Medical Image Analysis 42 (2017), and the challenge's script: the "
        "competition performance metric. The radius is half the longer side of the drawn box in "
        "the plane; a candidate within two nodules hits one of them here, both there",
    ),
    "camelyon16": Protocol(
        name="camelyon16",
        hit_rule="region",
        dilation=0.0,
        assignment="best",
        operating_points=(0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
        interpolation="linear",
        source="Ehteshami Bejnordi et al., JAMA 318 (2017), and the challenge's script. The "
        "script never evaluates the lowest threshold; this does",
    ),
    "ribfrac": Protocol(
        name="ribfrac",
        hit_rule="iou",
        minimum_iou=0.2,
        boundary="exclusive",
        assignment="best",
        operating_points=(0.5, 1.0, 2.0, 4.0, 8.0),
        interpolation="linear",
        source="Jin et al., EBioMedicine 62 (2020), and the challenge's script. IoU of boxes in "
        "place of voxels; all thresholds, where the script takes 0, 0.01, ..., 0.99",
    ),
    "nndetection": Protocol(
        name="nndetection",
        hit_rule="iou",
        minimum_iou=0.1,
        duplicates="false_positive",
        most_marks=100,
        operating_points=_EIGHTH_TO_EIGHT,
        interpolation="linear",
        source="Baumgartner et al., MICCAI 2021, FROCMetric at its first IoU, 0.1",
    ),
    "picai": Protocol(
        name="picai",
        hit_rule="iou",
        minimum_iou=0.1,
        assignment="optimal",
        operating_points=(0.1, 0.3, 1.0, 3.0),
        headline="auroc_and_ap",
        source="Saha et al., Lancet Oncology 25 (2024), and picai_eval: (AUROC + AP) / 2. IoU of "
        "boxes in place of voxels; the operating points are ribsight's, PI-CAI ranks by none",
    ),
    "coco-ap": Protocol(
        name="coco-ap",
        hit_rule="iou",
        minimum_iou=0.5,
        duplicates="false_positive",
        most_marks=100,
        operating_points=(0.1, 0.5, 1.0),
        average_precision="coco",
        ap_ious=tuple(round(0.5 + 0.05 * step, 2) for step in range(10)),
        headline="ap",
        source="Lin et al., ECCV 2014, and pycocotools: AP over IoU 0.50:0.95, area all, 100 "
        "detections. The FROC is at IoU 0.5; its operating points are ribsight's. Marks of equal "
        "score pass a threshold together, there in the order of the file",
    ),
}


class ProtocolFile(Settings):
    """The keys of a protocol in TOML: a preset, and what differs from it."""

    preset: str = "ribsight"
    hit_rule: HitRule | None = None
    dilation: float | None = None
    minimum_iou: float | None = None
    distance: float | None = None
    distance_unit: Literal["px", "mm", "radius"] | None = None
    boundary: Literal["inclusive", "exclusive"] | None = None
    assignment: Literal["greedy", "best", "optimal"] | None = None
    duplicates: Literal["ignored", "false_positive"] | None = None
    ignore_regions: Literal["left_out", "not_used"] | None = None
    most_marks: int | None = None
    denominator: Literal["all_images", "images_without_finding", "patients"] | None = None
    operating_points: list[float] | None = None
    interpolation: Literal["step", "linear"] | None = None
    beyond: Literal["hold", "undefined"] | None = None
    average_precision: Literal["area", "coco"] | None = None
    ap_ious: list[float] | None = None
    headline: Literal["froc", "ap", "auroc_and_ap"] | None = None
    name: str | None = None
    source: str | None = None

    @field_validator("operating_points", "ap_ious")
    @classmethod
    def _finite(cls, values: list[float] | None) -> list[float] | None:
        if values is not None and not all(map(math.isfinite, values)):
            raise ValueError("must be finite numbers")
        return values


def preset(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises:
        RibsightError: there is none.
    """
    if name not in PRESETS:
        known = ", ".join(PRESETS)
        raise RibsightError(f"no protocol '{name}'{nearest(name, PRESETS)}; there are: {known}")
    return PRESETS[name]


def read_protocol(name_or_path: str) -> Protocol:
    """Return a preset by its name, or the protocol of a TOML file.

    Raises:
        RibsightError: no such preset or file, an unknown key or a value without meaning.
    """
    if not name_or_path.endswith(".toml"):
        return preset(name_or_path)
    path = Path(name_or_path)
    chosen = parse_settings(ProtocolFile, read_toml(path), str(path))
    base = preset(chosen.preset)
    changes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in chosen.model_dump(exclude={"preset"}).items()
        if value is not None
    }
    changed = replace(base, **changes)
    if changed != base and chosen.name is None:
        # A protocol with another rule must not go by the preset's name.
        changed = replace(changed, name=path.stem)
    return changed
