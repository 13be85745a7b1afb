"""The size that a compressed image states itself, read without decoding it."""

import struct

_JPEG_2000 = b"\xff\x4f\xff\x51"
_JPEG = b"\xff\xd8"
# Start of frame of every JPEG process, and of JPEG-LS; c4, c8 and cc are other markers.
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


def codestream_size(frame: bytes) -> tuple[int, int, int] | None:
    """Return rows, columns and components that a JPEG, JPEG-LS or JPEG 2000 frame states.

    A decoder allocates what the frame states, whatever the DICOM header says. None if the frame
    states nothing.
    """
    try:
        if frame.startswith(_JPEG):
            return _jpeg_size(frame)
        start = frame.find(_JPEG_2000, 0, 4096)
        if start < 0:
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
