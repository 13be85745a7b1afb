"""Annotation formats <-> regions: what an expert drew around one lesion."""

from ribsight.regions.annotations import (
    AnnotatedImage,
    Annotations,
    Fault,
    ImageLabel,
    Rejected,
)
from ribsight.regions.coco import CocoImage, CocoRegions, coco_categories, read_coco
from ribsight.regions.consensus import Fusion, agree
from ribsight.regions.convert import read_annotations, write_annotations
from ribsight.regions.coverage import coverage
from ribsight.regions.image_sizes import KnownImages, known_images
from ribsight.regions.lesions import Rule
from ribsight.regions.region import Box, Polygon, Region

__all__ = [
    "AnnotatedImage",
    "Annotations",
    "Box",
    "CocoImage",
    "CocoRegions",
    "Fault",
    "Fusion",
    "ImageLabel",
    "KnownImages",
    "Polygon",
    "Region",
    "Rejected",
    "Rule",
    "agree",
    "coco_categories",
    "coverage",
    "known_images",
    "read_annotations",
    "read_coco",
    "write_annotations",
]
