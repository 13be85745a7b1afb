"""Compressed images without what is no image: comments, application segments, trailing bytes.

No sample is decoded or encoded, so the picture stays what it was, bit for bit. ITU-T T.81 (JPEG),
T.87 (JPEG-LS), T.800 and T.814 (JPEG 2000).
"""

import struct

from ribsight.radiographs.attributes import UnusableDicomError

_DAMAGED = "has a compressed image whose segments cannot be told apart"

# JPEG: frames, tables, scans, restart interval, number of lines, JPEG-LS presets.
_JPEG_KEPT = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xF7, 0xF8})
_JPEG_DROPPED = frozenset({*range(0xE0, 0xF0), 0xFE})
_SOI, _EOI, _SOS, _APP14, _SOF_LS = 0xD8, 0xD9, 0xDA, 0xEE, 0xF7
_ADOBE = b"Adobe"

# JPEG 2000: CAP SIZ COD COC PRF QCD QCC RGN POC PPM PPT CRG CPF, and lists of lengths.
_J2K_KEPT = frozenset(
    {0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF56, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61,
     0xFF63, 0xFF59}
)  # fmt: skip
# COM, and what only repeats lengths, which are no longer right without comments.
_J2K_DROPPED = frozenset({0xFF64, 0xFF55, 0xFF57, 0xFF58})
_J2K_SOC, _J2K_SOT, _J2K_SOD, _J2K_EOC = 0xFF4F, 0xFF90, 0xFF93, 0xFFD9
_JP2_SIGNATURE = b"\0\0\0\x0cjP  "


def bare_jpeg(frame: bytes, *, colour: bool) -> bytes:
    """Return a JPEG or JPEG-LS image of its frame, tables and scans alone.

    Of a colour image the transform that an Adobe segment states is stated again, because decoders
    need it.

    Raises:
        UnusableDicomError: segments that cannot be told apart, or are of no known kind.
    """
    kept = [b"\xff\xd8"]
    at, is_ls = 2, False
    try:
        while True:
            mark, kind = frame[at], frame[at + 1]
            if mark != 0xFF:
                raise UnusableDicomError(_DAMAGED)
            if kind == 0xFF:  # a fill byte
                at += 1
                continue
            if kind == _EOI:
                return b"".join((*kept, b"\xff\xd9"))
            (length,) = struct.unpack_from(">H", frame, at + 2)
            segment = frame[at : at + 2 + length]
            if length < 2 or len(segment) != 2 + length:
                raise UnusableDicomError(_DAMAGED)
            at += len(segment)
            is_ls = is_ls or kind == _SOF_LS
            if kind in _JPEG_KEPT:
                kept.append(segment)
            elif kind == _APP14 and colour and segment[4:9] == _ADOBE and len(segment) >= 16:
                kept.append(b"\xff\xee\0\x0e" + _ADOBE + b"\0\x64\0\0\0\0" + segment[15:16])
            elif kind not in _JPEG_DROPPED:
                raise UnusableDicomError(_DAMAGED)
            if kind == _SOS:
                end = _end_of_scan(frame, at, is_ls=is_ls)
                kept.append(frame[at:end])
                at = end
    except (IndexError, struct.error):
        raise UnusableDicomError(_DAMAGED) from None


def _end_of_scan(frame: bytes, start: int, *, is_ls: bool) -> int:
    """Return where the next marker that is no part of a scan begins."""
    at = start
    while True:
        at = frame.find(b"\xff", at)
        if at < 0 or at + 1 >= len(frame):
            raise UnusableDicomError(_DAMAGED)
        follows = frame[at + 1]
        # JPEG stuffs a zero byte after ff, JPEG-LS a zero bit.
        is_data = follows < 0x80 if is_ls else follows == 0
        if not is_data and not 0xD0 <= follows <= 0xD7 and follows != 0xFF:
            return at
        at += 1 if follows == 0xFF else 2


def bare_jpeg_2000(frame: bytes) -> bytes:
    """Return a JPEG 2000 codestream without comments, and without the boxes of a JP2 file.

    Raises:
        UnusableDicomError: segments that cannot be told apart, or are of no known kind.
    """
    try:
        return _bare_codestream(_codestream(frame))
    except (IndexError, struct.error):
        raise UnusableDicomError(_DAMAGED) from None


def _codestream(frame: bytes) -> bytes:
    if not frame.startswith(_JP2_SIGNATURE):
        return frame
    at = 0
    while True:
        length, kind = struct.unpack_from(">I4s", frame, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", frame, at + 8)
            head = 16
        end = at + length if length else len(frame)
        if kind == b"jp2c":
            return frame[at + head : end]
        if length < head:
            raise UnusableDicomError(_DAMAGED)
        at = end


def _bare_codestream(stream: bytes) -> bytes:
    if struct.unpack_from(">H", stream)[0] != _J2K_SOC:
        raise UnusableDicomError(_DAMAGED)
    head, at = _segments(stream, 2, _J2K_SOT)
    parts = [b"\xff\x4f", *head]
    while True:
        (marker,) = struct.unpack_from(">H", stream, at)
        if marker == _J2K_EOC:
            return b"".join((*parts, b"\xff\xd9"))
        if marker != _J2K_SOT:
            raise UnusableDicomError(_DAMAGED)
        size, tile, length, number, count = struct.unpack_from(">HHIBB", stream, at + 2)
        end = at + length if length else stream.rindex(b"\xff\xd9")
        kept, data = _segments(stream, at + 12, _J2K_SOD)
        if size != 10 or not data < end <= len(stream) - 2:
            raise UnusableDicomError(_DAMAGED)
        body = b"".join((*kept, stream[data:end]))
        parts.append(struct.pack(">HHHIBB", _J2K_SOT, 10, tile, 12 + len(body), number, count))
        parts.append(body)
        at = end


def _segments(stream: bytes, at: int, last: int) -> tuple[list[bytes], int]:
    """Return the segments that stay before the marker `last`, and where that stands."""
    kept: list[bytes] = []
    while True:
        marker, length = struct.unpack_from(">HH", stream, at)
        if marker == last:
            return kept, at
        end = at + 2 + length
        if length < 2 or end > len(stream) or marker not in _J2K_KEPT | _J2K_DROPPED:
            raise UnusableDicomError(_DAMAGED)
        if marker in _J2K_KEPT:
            kept.append(stream[at:end])
        at = end
