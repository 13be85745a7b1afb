"""Image files -> stored pixels with what was noticed, and stored pixels -> network pixels."""

from ribsight.radiographs.preprocess import Affine, Preprocessing, preprocess
from ribsight.radiographs.read import (
    Radiograph,
    UnreadableImageError,
    image_files,
    pixels_sha256,
    read_radiograph,
)

__all__ = [
    "Affine",
    "Preprocessing",
    "Radiograph",
    "UnreadableImageError",
    "image_files",
    "pixels_sha256",
    "preprocess",
    "read_radiograph",
]
