"""Image files -> pixels with what was noticed, and those -> network pixels."""

from ribsight.radiographs.guarded import GuardedReader, read_guarded
from ribsight.radiographs.preprocess import Affine, Preprocessing, preprocess
from ribsight.radiographs.radiograph import (
    Identifiers,
    Orientation,
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
    "GuardedReader",
    "Identifiers",
    "Orientation",
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
    "read_guarded",
    "read_radiograph",
]
