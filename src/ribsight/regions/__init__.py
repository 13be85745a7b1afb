"""Annotation formats <-> regions: what an expert drew around one lesion."""

from ribsight.regions.coco import CocoImage, CocoRegions, coco_categories, read_coco
from ribsight.regions.coverage import coverage
from ribsight.regions.region import Box, Polygon, Region

__all__ = [
    "Box",
    "CocoImage",
    "CocoRegions",
    "Polygon",
    "Region",
    "coco_categories",
    "coverage",
    "read_coco",
]
