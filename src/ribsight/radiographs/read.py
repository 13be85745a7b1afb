"""One image file of any kind -> a radiograph, and the image files below a folder."""

from pathlib import Path, PurePath

from ribsight.errors import RibsightError
from ribsight.radiographs.dicom import is_dicom, read_dicom, starts_as_dicom
from ribsight.radiographs.image_file import read_image_file
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom"})
MAX_BYTES = 1_000_000_000
# The table of contents of a medium: DICOM, but no image.
_DIRECTORY = "DICOMDIR"


def read_radiograph(path: Path) -> Radiograph:
    """Read a DICOM, PNG, JPEG or TIFF file, told apart by content, whatever its name.

    See `read_image_file` and `read_dicom` for what becomes of the pixels of each kind.

    Raises:
        UnreadableImageError: no such file, no image, corrupt, not a radiograph, or of an
            impossible size.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableImageError(f"{path} has more than {MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableImageError(f"cannot read {path}: {error.strerror}") from error
    if not content:
        raise UnreadableImageError(f"{path} is empty: get the file again")
    return read_dicom(path, content) if is_dicom(content) else read_image_file(path, content)


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
