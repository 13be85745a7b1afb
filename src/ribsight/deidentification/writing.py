"""A dataset and its samples -> the bytes of a file."""

import io

from pydicom.dataset import Dataset

from ribsight.deidentification.dataset import clean_meta
from ribsight.deidentification.pixels import CleanPixels, put_pixels


def file_content(dataset: Dataset, pixels: CleanPixels) -> bytes:
    """Return a file with 128 zero bytes, new file meta information, a dataset and its samples.

    Args:
        dataset: given these samples and this meta information in place.
        pixels: its samples.
    """
    put_pixels(dataset, pixels)
    dataset.file_meta = clean_meta(dataset, pixels.transfer_syntax)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    content = stream.getvalue()
    return b"\0" * 128 + content[128:]
