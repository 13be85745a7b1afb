"""The bytes of one file or member, read once from front to back -> what the index says of it."""

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from ribsight.archive.header import MAX_HEADER_BYTES, MoreNeededError, describe_dicom
from ribsight.archive.keeping import Copy
from ribsight.archive.reasons import Reason, RefusedError
from ribsight.archive.sighting import Row
from ribsight.archive.stored import HEAD_BYTES, MAX_BYTES, container_kind
from ribsight.radiographs.dicom import is_dicom
from ribsight.radiographs.radiograph import why_impossible

MAX_IMAGE_FILE_BYTES = 1 << 28

_BLOCK = 1 << 20
_FORMATS = ("PNG", "JPEG", "TIFF")
_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS = {"1": 1, "I;16": 16, "I;16L": 16, "I;16B": 16, "I;16N": 16, "I": 16, "F": 32}


class Stream(Protocol):
    """Bytes that are read forward."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, or fewer."""


def examine(
    stream: Stream,
    size: int,
    row: Row,
    *,
    hash_content: bool,
    keep: Path | None = None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """Look at one file or member and write into `row` what it is.

    Args:
        stream: at its first byte.
        size: bytes that it should have.
        row: gets the columns from `image` on, hashes as far as it was read.
        hash_content: read to the end for the hash of the whole.
        keep: folder of the archive, to keep a copy of an eligible image that cannot be reached
            again; needs `hash_content`.
        beat: called now and then as a sign of life.

    Raises:
        RefusedError: no image, or one that is not taken in.
        CannotKeepError: the copy could not be written.
    """
    if size == 0:
        raise RefusedError(Reason.EMPTY, "is empty: get the file again")
    if size > MAX_BYTES:
        raise RefusedError(Reason.TOO_LARGE, f"has more than {MAX_BYTES // 1_000_000} MB")
    content = _read_exactly(stream, min(HEAD_BYTES, size))
    row["head_sha256"] = hashlib.sha256(content).hexdigest()
    if len(content) == size:
        row["sha256"] = hashlib.sha256(content).hexdigest()
    row["bytes"] = size
    if is_dicom(content):
        content, start = _dicom(stream, content, size, row)
    elif content.startswith(_STARTS):
        content, start = _picture(stream, content, size, row, beat), 0
    elif container_kind(content):
        raise RefusedError(Reason.CONTAINER, "is a container within a container: unpack it first")
    else:
        raise RefusedError(Reason.NOT_AN_IMAGE, "is no DICOM, PNG, JPEG or TIFF image")
    if not hash_content:
        pixels = f"{size - start} ".encode() + content[start:HEAD_BYTES]
        row["pixels"] = "head:" + hashlib.sha256(pixels).hexdigest()
        return
    _hash_to_the_end(stream, content, start, size, row, keep if row["eligible"] else None, beat)


def _read_exactly(stream: Stream, size: int) -> bytes:
    content = stream.read(size)
    while len(content) < size:
        more = stream.read(size - len(content))
        if not more:
            raise RefusedError(Reason.TRUNCATED, "has fewer bytes than it should: get it again")
        content += more
    return content


def _dicom(stream: Stream, content: bytes, size: int, row: Row) -> tuple[bytes, int]:
    while True:
        try:
            image, header, start = describe_dicom(content, size)
        except MoreNeededError:
            if len(content) >= MAX_HEADER_BYTES:
                limit = MAX_HEADER_BYTES >> 20
                raise RefusedError(
                    Reason.HEADER, f"has a header of more than {limit} MiB"
                ) from None
            content += _read_exactly(stream, min(3 * len(content), size - len(content)))
        else:
            row.update(header, image=image, format="dicom")
            return content, start


def _picture(
    stream: Stream, content: bytes, size: int, row: Row, beat: Callable[[], None]
) -> bytes:
    """Describe a PNG, JPEG or TIFF file, which may say what it is only at its end."""
    if size > MAX_IMAGE_FILE_BYTES:
        limit = MAX_IMAGE_FILE_BYTES >> 20
        raise RefusedError(Reason.TOO_LARGE, f"has more than {limit} MiB")
    try:
        described = _open_picture(content)
    except RefusedError:
        raise
    except Exception:  # decoders raise nearly anything on part of a file
        content += _read_exactly(stream, size - len(content))
        beat()
        try:
            described = _open_picture(content)
        except (RefusedError, MemoryError):
            raise
        except Exception as error:  # and on damaged bytes
            raise RefusedError(
                Reason.DAMAGED, f"is a damaged image ({type(error).__name__}): get the file again"
            ) from error
    row.update(described)
    return content


def _open_picture(content: bytes) -> dict[str, Any]:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            (columns, rows), mode, kind = image.size, image.mode, image.format or ""
    except Image.DecompressionBombError as error:
        raise RefusedError(Reason.SIZE, "claims far too many pixels") from error
    reason = why_impossible(columns, rows)
    if reason:
        raise RefusedError(Reason.SIZE, reason)
    return {
        "format": kind.lower(),
        "rows": rows,
        "columns": columns,
        "bits_stored": _BITS.get(mode, 8),
        "photometric": mode,
        "kind": "unknown",
        "eligible": True,
        "ineligible_reason": "",
    }


def _hash_to_the_end(
    stream: Stream,
    content: bytes,
    start: int,
    size: int,
    row: Row,
    keep: Path | None,
    beat: Callable[[], None],
) -> None:
    whole, pixels = hashlib.sha256(content), hashlib.sha256(content[start:])
    with Copy(keep) as copy:
        copy.write(content)
        left = size - len(content)
        while left:
            block = stream.read(min(left, _BLOCK))
            if not block:
                raise RefusedError(Reason.TRUNCATED, "has fewer bytes than it should: get it again")
            whole.update(block)
            pixels.update(block)
            copy.write(block)
            left -= len(block)
            beat()
        row["sha256"], row["pixels"] = whole.hexdigest(), pixels.hexdigest()
        copy.finish(row["sha256"])


def shown(name: str) -> str:
    """Return a name that somebody chose, as text that can be stored and shown, never as a path."""
    name = name.encode("utf-8", "backslashreplace").decode()
    return re.sub(r"[^ -~\u00a0-\U0010ffff]", lambda one: f"\\x{ord(one[0]):02x}", name)[:1024]
