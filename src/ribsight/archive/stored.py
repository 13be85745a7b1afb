"""The bytes of an image of an archive: in a file, in a zip or tar file, or fetched."""

import hashlib
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ribsight.files import write_bytes
from ribsight.radiographs import UnreadableImageError

MAX_BYTES = 1_000_000_000
HEAD_BYTES = 1 << 16
_OBJECTS = "objects"
_OPEN_CONTAINERS = 4
_TAR_MARK_AT = 257
_TAR_MARK = b"ustar"
_STARTS = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
}
CONTAINERS = frozenset({"tar", *_STARTS.values()})


@dataclass(frozen=True)
class StoredImage:
    """Where the bytes of one image are, and how they are known again.

    Attributes:
        folder: of the archive.
        source: path of the file or of its container, or a DICOMweb address.
        member: its name in the container, empty without one; only shown, never a path.
        offset: where the member starts in its container.
        size: bytes; None if it was not fetched.
        sha256: of the bytes; empty if only the head was hashed.
        head_sha256: of the first 64 KiB.
    """

    folder: Path
    source: str
    member: str
    offset: int
    size: int | None
    sha256: str
    head_sha256: str

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.source}!{self.member}" if self.member else self.source


def objects_folder(folder: Path) -> Path:
    """Return where an archive keeps bytes of its own."""
    return folder / _OBJECTS


def object_path(folder: Path, sha256: str) -> Path:
    """Return where those of one hash are: it is the only name that an archive gives a file."""
    return objects_folder(folder) / sha256[:2] / sha256


def container_kind(start: bytes) -> str | None:
    """Return `zip`, `tar`, `gzip`, `bzip2` or `xz` for a file that starts so, else None."""
    if start[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK:
        return "tar"
    return next((kind for mark, kind in _STARTS.items() if start.startswith(mark)), None)


def container_at(path: Path) -> str | None:
    """Return the `container_kind` of a file; None also if it is none or cannot be read."""
    if not path.is_file():  # opening a pipe would wait for its other end
        return None
    try:
        with path.open("rb") as stream:
            return container_kind(stream.read(_TAR_MARK_AT + len(_TAR_MARK)))
    except OSError:
        return None


def read_stored(image: StoredImage) -> bytes:
    """Return the bytes of an image as they were when it was indexed.

    Raises:
        UnreadableImageError: the file has gone or changed since, or was never fetched.
    """
    if image.size is None:
        raise UnreadableImageError(
            image.name, "was not fetched, because its header says that it is not eligible"
        )
    try:
        content = _read(image, image.size)
    except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise UnreadableImageError(
            image.name, f"cannot be read any more ({error}): run `ribsight ingest` again"
        ) from error
    if not _is_same(image, content):
        raise UnreadableImageError(
            image.name, "has changed since it was indexed: run `ribsight ingest` again"
        )
    return content


def materialise_stored(image: StoredImage) -> Path:
    """Return a file that holds the bytes of an image, whose name has no meaning.

    Raises:
        UnreadableImageError: as `read_stored`.
        RibsightError: a member's copy cannot be written.
    """
    content = read_stored(image)
    if not image.member and Path(image.source).is_file():
        return Path(image.source)
    path = object_path(image.folder, hashlib.sha256(content).hexdigest())
    if not path.is_file():
        write_bytes(path, content)
    return path


def _read(image: StoredImage, size: int) -> bytes:
    kept = object_path(image.folder, image.sha256) if image.sha256 else None
    if kept is not None and (image.member or "://" in image.source) and kept.is_file():
        return _first(kept, 0, size)
    if not image.member:
        return _first(Path(image.source), 0, size)
    path = Path(image.source)
    kind = container_kind(_first(path, 0, _TAR_MARK_AT + len(_TAR_MARK), whole=False))
    if kind == "tar":
        return _first(path, image.offset, size, whole=False)
    if kind != "zip":
        raise FileNotFoundError("its copy has gone")
    found = path.stat()
    container, members = _zip_members(path, found.st_size, found.st_mtime_ns)
    with container.open(members[image.offset]) as stream:
        return stream.read(size + 1)


def _first(path: Path, offset: int, size: int, *, whole: bool = True) -> bytes:
    """Read `size` bytes, and one more of a whole file, so that a longer one is noticed."""
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size + int(whole))


@lru_cache(maxsize=_OPEN_CONTAINERS)
def _zip_members(
    path: Path,
    size: int,  # noqa: ARG001 with the next, so that a changed file is opened again
    mtime_ns: int,  # noqa: ARG001
) -> tuple[zipfile.ZipFile, dict[int, zipfile.ZipInfo]]:
    container = zipfile.ZipFile(path)
    return container, {one.header_offset: one for one in container.infolist()}


def _is_same(image: StoredImage, content: bytes) -> bool:
    if len(content) != image.size:
        return False
    if image.sha256:
        return hashlib.sha256(content).hexdigest() == image.sha256
    return hashlib.sha256(content[:HEAD_BYTES]).hexdigest() == image.head_sha256
