"""Names and sizes of the images that annotations are about, from a folder or a CSV."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ribsight.errors import RibsightError
from ribsight.regions.source import Source

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"})
_SUFFIXES = PICTURE_SUFFIXES | {".dcm", ".dicom", ".dic", ""}
_NAME_COLUMNS = ("image", "image_id", "file", "file_name", "name", "radiograph")
TABLE_NAME = "images.csv"


@dataclass(frozen=True)
class KnownImage:
    """One image: its file name, size in stored pixels, and where it lies.

    `path` and `uid` (the DICOM instance) are None if not known.
    """

    name: str
    width: int
    height: int
    path: Path | None = None
    uid: str | None = None


class KnownImages:
    """Images found by file name, with or without its ending, or by DICOM instance UID."""

    def __init__(self, source: str, images: Iterable[KnownImage]) -> None:
        self.source = source
        self.images = tuple(images)
        self._by_key: dict[str, list[KnownImage]] = {}
        for image in self.images:
            for key in {image.name, last_part(image.name), stem(image.name), image.uid or ""}:
                self._by_key.setdefault(key, []).append(image)

    def find(self, name: str) -> KnownImage | None:
        """Return the image meant by `name`, or None.

        Raises:
            RibsightError: several images may be meant.
        """
        for key in (name, last_part(name), stem(name)):
            found = self._by_key.get(key, []) if key else []
            if len(found) > 1:
                raise RibsightError(
                    f"{self.source}: '{name}' may be {found[0].name} or {found[1].name}; "
                    "rename one or give the folder of one"
                )
            if found:
                return found[0]
        return None


def last_part(name: str) -> str:
    """Return the file's name without its folders."""
    return PurePosixPath(name.replace("\\", "/")).name


def stem(name: str) -> str:
    """Return the file's name without folders and the ending of a picture or DICOM file."""
    last = PurePosixPath(last_part(name))
    return last.stem if last.suffix.lower() in _SUFFIXES else last.name


def known_images(path: Path) -> KnownImages:
    """Read sizes from the headers of a folder's images, or from a CSV.

    A CSV has the columns image (or image_id, file, file_name, name, radiograph), width, height.

    Raises:
        RibsightError: no such folder or table, or one that holds no image.
    """
    if path.is_dir():
        found = [one for file in sorted(path.rglob("*")) if (one := _read_header(file, path))]
        if not found:
            raise RibsightError(f"{path} holds no image whose size can be read")
        return KnownImages(str(path), found)
    return KnownImages(str(path), _read_table(Source(path)))


def _read_table(source: Source) -> list[KnownImage]:
    column = next((one for one in _NAME_COLUMNS if one in source.header), None)
    if column is None:
        raise RibsightError(
            f"{source.path} has no column {' or '.join(_NAME_COLUMNS)}; "
            f"it has: {', '.join(source.header) or 'none'}"
        )
    images = []
    for where, row in source.table((column, "width", "height")):
        try:
            width, height = (float(row[one]) for one in ("width", "height"))
            if not (0 < width < 2**31 and 0 < height < 2**31 and width % 1 == height % 1 == 0):
                raise ValueError
        except ValueError:
            raise RibsightError(
                f"{where}: width {row['width']!r} and height {row['height']!r} are no size"
            ) from None
        images.append(KnownImage(row[column], int(width), int(height)))
    return images


def _read_header(file: Path, folder: Path) -> KnownImage | None:
    if file.name.startswith(".") or file.suffix.lower() not in _SUFFIXES or not file.is_file():
        return None
    name = file.relative_to(folder).as_posix()
    if file.suffix.lower() in PICTURE_SUFFIXES:
        return _read_picture(file, name)
    return _read_dicom(file, name)


def _read_picture(file: Path, name: str) -> KnownImage | None:
    # Loaded only where images are given: evaluation uses this room and needs neither.
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            return KnownImage(name, picture.width, picture.height, file)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
        return None


def _read_dicom(file: Path, name: str) -> KnownImage | None:
    import pydicom
    from pydicom.errors import InvalidDicomError

    tags = ["Rows", "Columns", "SOPInstanceUID"]
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(tags))
        if "Rows" not in header or "Columns" not in header:
            return None
        uid = str(header.SOPInstanceUID) if "SOPInstanceUID" in header else None
        return KnownImage(name, int(header.Columns), int(header.Rows), file, uid)
    except (InvalidDicomError, OSError, ValueError, TypeError, AttributeError, EOFError):
        return None


def write_table(images: Iterable[KnownImage], path: Path) -> None:
    """Write image, width, height as CSV, into a folder that is not yet in its place."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "width", "height"])
        writer.writerows([one.name, one.width, one.height] for one in images)
