"""PNG, JPEG and TIFF files -> their stored pixels, with what was noticed on the way."""

import io
from pathlib import PurePath

import numpy as np
from PIL import ExifTags, Image

from ribsight.radiographs.orientation import orientation_of_exif
from ribsight.radiographs.radiograph import (
    MAX_PIXELS,
    Pixels,
    Radiograph,
    UnreadableImageError,
    why_impossible,
)

TRUNCATED = "truncated file"
TRUNCATED_ALL_ROWS = f"{TRUNCATED}: all rows decoded"
FILLED = "filled rows"

_SAID = 100
_FORMATS = ("PNG", "JPEG", "TIFF")
_GREY_16 = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
_JPEG_SCAN = b"\xff\xda"
_JPEG_END = b"\xff\xd9"
# What a JPEG decoder leaves where the data ended: blocks of 8 x 8 without coefficients.
_JPEG_FILL = 128
_JPEG_BLOCK = 8


def read_image_file(name: PurePath | str, content: bytes) -> Radiograph:
    """Decode the content of a PNG, JPEG or TIFF image of 8 or 16 bits.

    Colour becomes luminance (ITU-R 601), transparency is ignored, and an EXIF orientation is not
    applied, because regions are drawn on the stored pixels; each is noted in `warnings`. A
    truncated JPEG is decoded as far as it goes and says how many rows are missing.

    Raises:
        UnreadableImageError: no image, corrupt, or of an impossible size.
    """
    truncated = is_truncated_jpeg(content)
    # With an end marker libjpeg decodes what is there; Pillow's own switch for this is a global.
    image = _open(name, content + _JPEG_END if truncated else content)
    try:
        exif = image.getexif().get(ExifTags.Base.Orientation, 1)
        warnings = _orientation_warnings(exif)
        image.load()
        pixels, colour_warnings = _grey(image)
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        said = str(error) if str(error).isprintable() else type(error).__name__
        raise UnreadableImageError(name, f"cannot be decoded: {said[:_SAID]}") from error
    warnings += colour_warnings
    if image.format == "JPEG":
        progressive = bool(image.info.get("progressive"))
        warnings += _jpeg_warnings(name, pixels, truncated=truncated, progressive=progressive)
    return Radiograph(
        pixels,
        bits=8 * pixels.dtype.itemsize,
        warnings=warnings,
        orientation=orientation_of_exif(exif),
    )


def filled_rows(pixels: Pixels, columns: int) -> int:
    """Count the bottom rows whose last `columns` pixels are what a decoder leaves without data."""
    is_fill = (pixels[:, -columns:] == _JPEG_FILL).all(axis=1)
    return len(is_fill) if is_fill.all() else int(np.argmin(is_fill[::-1]))


def is_truncated_jpeg(content: bytes) -> bool:
    """Say whether a JPEG lacks the marker that ends its last scan."""
    # Inside a scan every byte ff is followed by 00 or a restart, so a marker is never picture.
    return content.startswith(b"\xff\xd8") and (
        content.find(_JPEG_END, max(content.rfind(_JPEG_SCAN), 0)) < 0
    )


def _open(name: PurePath | str, content: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(
            name, f"claims to have more than {MAX_PIXELS // 1_000_000} megapixels"
        ) from error
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise UnreadableImageError(
            name, "is not a readable PNG, JPEG, TIFF or DICOM image"
        ) from error
    reason = why_impossible(*image.size)
    if reason:
        raise UnreadableImageError(name, reason)
    return image


def _orientation_warnings(orientation: int) -> tuple[str, ...]:
    if orientation == 1:
        return ()
    return (f"EXIF orientation {orientation} is not applied: pixels are used as stored",)


def _grey(image: Image.Image) -> tuple[Pixels, tuple[str, ...]]:
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"), dtype=np.uint8), ()
    if image.mode in _GREY_16:
        samples = np.asarray(image)
        if samples.min() < 0 or samples.max() > np.iinfo(np.uint16).max:
            raise ValueError("samples do not fit in 16 bits")
        return samples.astype(np.uint16), ()
    if image.mode == "F":
        raise ValueError("floating-point samples are not supported")
    warnings: tuple[str, ...] = ()
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < np.iinfo(np.uint8).max:
            warnings += ("transparency is ignored",)
    colour = image.convert("RGB")
    channels = np.asarray(colour)
    if (channels != channels[..., :1]).any():
        warnings += ("colour became luminance",)
    return np.asarray(colour.convert("L"), dtype=np.uint8), warnings


def _jpeg_warnings(
    name: PurePath | str, pixels: Pixels, *, truncated: bool, progressive: bool
) -> tuple[str, ...]:
    rows = len(pixels)
    if not truncated:
        filled = filled_rows(pixels, 2 * _JPEG_BLOCK)
        # Data end between rows of blocks; a grey border painted on purpose rarely does.
        if filled == 0 or (rows - filled) % _JPEG_BLOCK:
            return ()
        return (
            f"{FILLED}: the last {filled} of {rows} rows end in constant grey {_JPEG_FILL}, as if "
            "the file had been truncated and saved again",
        )
    if progressive:
        return (f"{TRUNCATED}: detail is missing (progressive JPEG)",)
    missing = filled_rows(pixels, _JPEG_BLOCK // 2)
    if missing == rows:
        raise UnreadableImageError(name, "is truncated before its first row: get the file again")
    if missing == 0:
        return (TRUNCATED_ALL_ROWS,)
    return (f"{TRUNCATED}: last {missing} of {rows} rows are missing",)
