"""One image file of any kind -> a radiograph, and the image files below a folder."""

import stat
from pathlib import Path, PurePath

from ribsight.errors import RibsightError
from ribsight.radiographs.dicom import is_dicom, read_dicom, starts_as_dicom
from ribsight.radiographs.image_file import read_image_file
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"})
MAX_BYTES = 1_000_000_000
_TOO_LARGE = f"has more than {MAX_BYTES // 1_000_000} MB"
# The table of contents of a medium: DICOM, but no image.
_DIRECTORY = "DICOMDIR"


def read_radiograph(path: Path, *, wide: bool = False) -> Radiograph:
    """Read a DICOM, PNG, JPEG or TIFF file, told apart by content, whatever its name.

    Untrusted bytes reach native decoders in this process; `guarded.py` keeps them out of it.

    Args:
        path: the file.
        wide: of DICOM, keep what the file's linear window cuts off (`Radiograph.window`).

    Raises:
        UnreadableImageError: no such file, no image, corrupt, not a radiograph, or of an
            impossible size.
    """
    return read_content(read_bytes(path), path, wide=wide)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file that may be an image.

    Raises:
        UnreadableImageError: no such file, no file, or a far too large one.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError(path, "is not a file")
        if status.st_size > MAX_BYTES:
            raise UnreadableImageError(path, _TOO_LARGE)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(path, f"cannot be read: {error.strerror}") from error


def read_content(content: bytes, name: PurePath | str, *, wide: bool = False) -> Radiograph:
    """Read the content of a file, as `read_radiograph` does.

    Args:
        content: the whole file.
        name: what errors call it.
        wide: as for `read_radiograph`.

    Raises:
        UnreadableImageError: as `read_radiograph` says.
    """
    if not content:
        raise UnreadableImageError(name, "is empty: get the file again")
    if len(content) > MAX_BYTES:
        raise UnreadableImageError(name, _TOO_LARGE)
    if is_dicom(content):
        return read_dicom(name, content, wide=wide)
    return read_image_file(name, content)


def image_files(folder: Path) -> list[Path]:
    """Return the image files below `folder`, sorted, without hidden files and folders.

    A file whose ending is none of `ENDINGS` is an image if it starts as DICOM does.

    Raises:
        RibsightError: `folder` is not a folder.
    """
    if not folder.is_dir():
        raise RibsightError(f"{folder} is not a folder of images")
    return sorted(
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.name != _DIRECTORY
        and path.is_file()
        and (path.suffix.lower() in ENDINGS or starts_as_dicom(path))
    )


def image_id(file: PurePath) -> str:
    """Return a file's name without the ending of an image: a UID keeps its last number."""
    return file.stem if file.suffix.lower() in ENDINGS else file.name
