"""A multipart/related answer of one part -> that part's bytes, as they come."""

import re
from collections.abc import Iterable, Iterator

from ribsight.archive.reasons import Reason, RefusedError

_MAX_HEAD = 1 << 14
_ENDING = 2


def only_part(content_type: str, blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """Yield the bytes of the only part of a multipart answer; of another answer, all its bytes.

    Args:
        content_type: of the answer.
        blocks: its body.
        limit: bytes that the part may have.

    Raises:
        RefusedError: another number of parts, no end, or more bytes than `limit`.
    """
    if not content_type.strip().lower().startswith("multipart/"):
        yield from _limited(blocks, limit)
        return
    match = re.search(r'boundary="?([^";,]+)"?', content_type, re.IGNORECASE)
    if not match:
        raise RefusedError(Reason.FETCH, "came in an answer without a boundary")
    yield from _limited(_part(match[1].strip().encode(), iter(blocks)), limit)


def _limited(blocks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    for block in blocks:
        limit -= len(block)
        if limit < 0:
            raise RefusedError(Reason.TOO_LARGE, "has more bytes than are taken")
        yield block


def _part(boundary: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    while b"\r\n\r\n" not in held:
        block = next(blocks, b"")
        if not block or len(held) > _MAX_HEAD:
            raise RefusedError(Reason.FETCH, "came in an answer without a part")
        held += block
    held = held.partition(b"\r\n\r\n")[2]
    mark = b"\r\n--" + boundary
    while mark not in held:
        # The mark may lie across two blocks.
        ready, held = held[: -len(mark)], held[-len(mark) :]
        if ready:
            yield ready
        block = next(blocks, b"")
        if not block:
            raise RefusedError(Reason.FETCH, "came in an answer that ends too early")
        held += block
    last, _, after = held.partition(mark)
    yield last
    while len(after) < _ENDING and (block := next(blocks, b"")):
        after += block
    if not after.startswith(b"--"):
        raise RefusedError(Reason.FETCH, "came with further parts")
