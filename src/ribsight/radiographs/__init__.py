"""Image files -> pixels with what was noticed, and those -> network pixels."""

from ribsight.radiographs.preprocess import Affine, Preprocessing, preprocess
from ribsight.radiographs.radiograph import (
    Identifiers,
    Pixels,
    Provenance,
    Radiograph,
    UnreadableImageError,
    View,
    pixels_sha256,
)
from ribsight.radiographs.read import image_files, image_id, read_radiograph

__all__ = [
    "Affine",
    "Identifiers",
    "Pixels",
    "Preprocessing",
    "Provenance",
    "Radiograph",
    "UnreadableImageError",
    "View",
    "image_files",
    "image_id",
    "pixels_sha256",
    "preprocess",
    "read_radiograph",
]
