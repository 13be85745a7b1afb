"""What a detector is given: files, folders and archives become a list of images to read."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ribsight.archive import StoredImage, read_archive, read_stored
from ribsight.archive.stored import container_at
from ribsight.cohort.images import is_archive
from ribsight.errors import RibsightError
from ribsight.radiographs.eligibility import Policy
from ribsight.radiographs.read import image_files, image_id, read_bytes


@dataclass(frozen=True)
class GivenImage:
    """One image before it is read.

    Attributes:
        id: its file name without ending; where names repeat its path; in an archive its UID.
        file: what it is called in results and errors.
        place: the file, or where in an archive the bytes are.
        refusal: why it is not read, if that is known before: an archive's table says so, or the
            file is a zip or tar file; else empty.
    """

    id: str
    file: str
    place: Path | StoredImage
    refusal: str = ""

    def content(self) -> bytes:
        """Return the bytes of the file.

        Raises:
            UnreadableImageError: it is not there, or is no longer what the archive indexed.
        """
        if isinstance(self.place, Path):
            return read_bytes(self.place)
        return read_stored(self.place)


def given_images(paths: Sequence[Path], policy: Policy) -> list[GivenImage]:
    """Return the images of files, of folders (searched) and of archives of `ribsight ingest`.

    Each once, in the order of `paths`; those of folders sorted by path, of archives by UID.

    Args:
        paths: what to look at.
        policy: which kinds of image are read; the rest of an archive is refused unread.

    Raises:
        RibsightError: a path does not exist, holds no image, or is a damaged archive.
    """
    given: list[GivenImage] = []
    for path in paths:
        if path.is_dir() and is_archive(path):
            given += _of_archive(path, policy)
        elif path.is_file():
            given.append(_of_file(path))
        else:
            given += [GivenImage("", str(one), one) for one in _files(path)]
    once = {one.file: one for one in given}.values()
    names = [one.id or image_id(PurePosixPath(one.file)) for one in once]
    count = Counter(names)
    return [
        GivenImage(name if count[name] == 1 else one.file, one.file, one.place, one.refusal)
        for one, name in zip(once, names, strict=True)
    ]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        inside = image_files(path)
        if not inside:
            packed = next((one for one in sorted(path.rglob("*")) if container_at(one)), None)
            raise RibsightError(
                f"the folder {path} holds no PNG or JPEG image and no DICOM file"
                + (f", but {packed.name}: {_how_to_index(path)}" if packed else "")
            )
        return inside
    raise RibsightError(f"there is no file or folder {path}")


def _of_file(path: Path) -> GivenImage:
    kind = container_at(path)
    refusal = f"is a {kind} file: {_how_to_index(path)}" if kind else ""
    return GivenImage("", str(path), path, refusal)


def _how_to_index(path: Path) -> str:
    return (
        f"run `ribsight ingest {shlex.quote(str(path))} --out ARCHIVE`, then give "
        "`ribsight predict` ARCHIVE instead (nothing is unpacked)"
    )


def _of_archive(folder: Path, policy: Policy) -> list[GivenImage]:
    archive = read_archive(folder)
    given = []
    for row in archive.rows():
        stored = archive.stored(row)
        # What the table refuses for its kind alone may be asked for here.
        wanted = row["eligible"] or row["kind"] in policy.kinds
        refusal = "" if wanted else f"is not scored: {row['kind']} ({row['ineligible_reason']})"
        given.append(GivenImage(row["image"], stored.name, stored, refusal))
    if not given:
        raise RibsightError(f"the archive {folder} holds no image")
    return given
