"""Zip and tar files -> their members in a fixed order, within limits; nothing is unpacked."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ribsight.archive.reasons import Reason, RefusedError
from ribsight.archive.stored import MAX_BYTES

MAX_RATIO = 200
"""How many times larger than packed a member, and all of a container, may be. Radiographs shrink
to a third or a tenth; bombs to a thousandth."""
FREE_BYTES = 1 << 24
"""What may be unpacked however small it was packed: a black picture packs as well as a bomb."""

COMPRESSED = frozenset({"gzip", "bzip2", "xz"})
_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file in a container.

    Attributes:
        position: among the container's members, in the order of their bytes; folders do not count.
        name: as somebody chose it: only shown.
        offset: where it starts: of zip its local header, of tar its content.
        size: bytes, unpacked.
        refused: why it is not read, None if it may be.
    """

    position: int
    name: str
    offset: int
    size: int
    refused: RefusedError | None = None


class Container:
    """A zip file or a plain tar file, whose members can be reached in any order.

    Attributes:
        members: in the order of their bytes.
        damage: what is wrong with the container after its last member, None if nothing is.
    """

    def __init__(self, path: Path, kind: str, beat: Callable[[], None]):
        """List the members.

        Raises:
            RefusedError: it is damaged from the start, or a bomb.
            OSError: it cannot be read.
        """
        self.path = path
        self.damage: RefusedError | None = None
        self._zip: zipfile.ZipFile | None = None
        self._infos: list[zipfile.ZipInfo] = []
        self.members: list[Member]
        if kind == "zip":
            self._zip, self._infos = _open_zip(path)
            self.members = [_zip_member(at, info) for at, info in enumerate(self._infos)]
        else:
            self.members, self.damage = _tar_members(path, beat)

    def open(self, member: Member) -> IO[bytes]:
        """Return a member's content from its first byte.

        Raises:
            RefusedError: it cannot be unpacked.
            OSError: the container cannot be read.
        """
        if self._zip is None:
            stream = self.path.open("rb")
            stream.seek(member.offset)
            return stream
        try:
            return self._zip.open(self._infos[member.position])
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise _damaged(error) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._zip is not None:
            self._zip.close()


def stream_members(path: Path, kind: str) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield the members of a compressed tar file, each with its content, to be read at once.

    The content is None for what is no ordinary file.

    Raises:
        RefusedError: it is no tar file, damaged, or a bomb; also after some members.
        OSError: it cannot be read.
    """
    openers: dict[str, Callable[[Path], Any]] = {
        "gzip": gzip.open,
        "bzip2": bz2.open,
        "xz": lzma.open,
    }
    limit = MAX_RATIO * path.stat().st_size + FREE_BYTES
    position = 0
    try:
        with openers[kind](path) as packed:
            counted = _Counted(packed, limit)
            with tarfile.open(fileobj=counted, mode="r|", bufsize=_BLOCK) as tar:  # type: ignore[call-overload]
                for info in tar:
                    _forget(tar)
                    if info.isdir():
                        continue
                    member = _tar_member(position, info)
                    yield member, tar.extractfile(info) if info.isreg() else None
                    position += 1
    except (tarfile.TarError, EOFError, lzma.LZMAError, zipfile.BadZipFile, ValueError) as error:
        if position == 0 and isinstance(error, tarfile.ReadError):
            raise RefusedError(
                Reason.CONTAINER, "is compressed, but no tar file: unpack it first"
            ) from error
        raise _damaged(error) from error


class _Counted:
    """A stream of unpacked bytes that ends in an error where they become too many."""

    def __init__(self, packed: IO[bytes], limit: int):
        self._packed, self._left = packed, limit

    def read(self, size: int) -> bytes:
        content = self._packed.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise RefusedError(Reason.BOMB, f"unpacks to more than {MAX_RATIO} times its size")
        return content


def _open_zip(path: Path) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    try:
        container = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise _damaged(error) from error
    infos = [info for info in container.infolist() if not info.is_dir()]
    if sum(info.file_size for info in infos) > MAX_RATIO * path.stat().st_size + FREE_BYTES:
        container.close()
        raise RefusedError(Reason.BOMB, f"unpacks to more than {MAX_RATIO} times its size")
    return container, sorted(infos, key=lambda info: (info.header_offset, info.filename))


def _zip_member(position: int, info: zipfile.ZipInfo) -> Member:
    refused = None
    if info.flag_bits & _ENCRYPTED:
        refused = RefusedError(Reason.ENCRYPTED, "is encrypted: unpack it first")
    elif info.compress_type not in _PACKING:
        refused = RefusedError(Reason.COMPRESSION, "is packed in a way that is not read")
    elif stat.S_ISLNK(info.external_attr >> 16):
        refused = RefusedError(Reason.LINK, "is a link within a container")
    elif info.file_size > MAX_RATIO * info.compress_size + FREE_BYTES:
        refused = RefusedError(Reason.BOMB, f"unpacks to more than {MAX_RATIO} times its size")
    return Member(position, info.filename, info.header_offset, info.file_size, refused)


def _tar_members(path: Path, beat: Callable[[], None]) -> tuple[list[Member], RefusedError | None]:
    members: list[Member] = []
    try:
        with tarfile.open(path, "r:") as tar:
            for info in tar:
                _forget(tar)
                beat()
                if not info.isdir():
                    members.append(_tar_member(len(members), info))
    except (tarfile.TarError, EOFError, ValueError) as error:
        return members, _damaged(error)
    return members, None


def _forget(tar: tarfile.TarFile) -> None:
    """Let go of the members that were passed: there may be many."""
    vars(tar)["members"] = []


def _tar_member(position: int, info: tarfile.TarInfo) -> Member:
    refused = None
    if info.issym() or info.islnk():
        refused = RefusedError(Reason.LINK, "is a link within a container")
    elif not info.isreg() or info.issparse():
        refused = RefusedError(Reason.NOT_A_FILE, "is no ordinary file")
    elif info.size > MAX_BYTES:
        refused = RefusedError(Reason.TOO_LARGE, f"has more than {MAX_BYTES // 1_000_000} MB")
    return Member(position, info.name, info.offset_data, info.size, refused)


def _damaged(error: Exception) -> RefusedError:
    kind = type(error).__name__
    return RefusedError(Reason.DAMAGED, f"is a damaged container ({kind}): get it again")
