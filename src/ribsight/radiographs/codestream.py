"""The size that a compressed image states itself, read without decoding it."""

import struct

_JPEG_2000 = b"\xff\x4f\xff\x51"
# A signature box and the boxes of a JP2 file around the codestream, which DICOM does not want.
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_JPEG = b"\xff\xd8"
# Start of frame of every JPEG process, and of JPEG-LS; c4, c8 and cc are other markers.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_MAX_BOXES = 32


def codestream_size(frame: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and components that a JPEG, JPEG-LS or JPEG 2000 frame states.

    A decoder allocates what the frame states, whatever the DICOM header says. None if the frame
    states nothing.
    """
    try:
        if frame.startswith(_JPEG):
            return _jpeg_size(frame)
        start = _jpeg_2000_start(frame)
        if start is None or frame[start : start + len(_JPEG_2000)] != _JPEG_2000:
            return None
        width, height, left, top = struct.unpack_from(">4I", frame, start + 8)
        (components,) = struct.unpack_from(">H", frame, start + 40)
        return height - top, width - left, components
    except struct.error:
        return None


def _jpeg_size(frame: bytes) -> tuple[int, int, int] | None:
    at = len(_JPEG)
    while at < len(frame):
        mark, kind, length = struct.unpack_from(">BBH", frame, at)
        if mark != 0xFF:
            return None
        if kind == 0xFF:  # a fill byte
            at += 1
            continue
        if kind in _START_OF_FRAME:
            _, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            return rows, columns, components
        at += 2 + length
    return None


def _jpeg_2000_start(frame: bytes) -> int | None:
    """Return where the codestream starts: at once, or in the box that holds it."""
    if not frame.startswith(_JP2):
        return 0
    at = 0
    for _ in range(_MAX_BOXES):
        length, kind = struct.unpack_from(">I4s", frame, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", frame, at + 8)
            head = 16
        if kind == b"jp2c":
            return at + head
        if length < head:
            return None
        at += length
    return None
