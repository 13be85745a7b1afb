"""Damaged files: a radiograph or one clear sentence, nothing else."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom.uid import UID

from ribsight.radiographs import UnreadableImageError, dicom, read_radiograph
from ribsight.radiographs.guarded import GuardedReader

Encode = Callable[..., bytes]

ATTRIBUTES = {
    "WindowCenter": ["2000", "1000"],
    "WindowWidth": ["3000", "20"],
    "RescaleSlope": "1",
    "RescaleIntercept": "0",
    "PixelSpacing": ["0.15", "0.15"],
    "PatientOrientation": ["L", "F"],
    "ViewPosition": "PA",
}
ENCODINGS = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless)
# A mutation: where, as a share of the header, and what is written there.
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def files(encode: Encode, film: NDArray[np.uint16]) -> dict[UID, bytes]:
    return {syntax: encode(film, syntax, dict(ATTRIBUTES)) for syntax in ENCODINGS}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "a.dcm"


def reads_or_refuses(path: Path, content: bytes) -> bool:
    """Say whether it reads; anything but a radiograph or a sentence raises."""
    path.write_bytes(content)
    refusal = ""
    try:
        radiograph = read_radiograph(path)
    except UnreadableImageError as error:
        refusal = str(error)
    if refusal:
        assert str(path) in refusal
        assert "\n" not in refusal
        return False
    assert radiograph.pixels.dtype in (np.uint8, np.uint16)
    assert radiograph.pixels.ndim == 2
    return True


@settings(max_examples=400)
@given(encoding=st.sampled_from(ENCODINGS), mutations=MUTATIONS)
def test_a_mutated_header_reads_or_is_refused(
    files: dict[UID, bytes], path: Path, encoding: UID, mutations: list[tuple[float, bytes]]
) -> None:
    content = bytearray(files[encoding])
    header = content.index(b"\xe0\x7f\x10\x00") + 12
    for share, written in mutations:
        at = 128 + int(share * (header - 128))
        content[at : at + len(written)] = written
    reads_or_refuses(path, bytes(content))


@settings(max_examples=100)
@given(encoding=st.sampled_from(ENCODINGS), share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(
    files: dict[UID, bytes], path: Path, encoding: UID, share: float
) -> None:
    content = files[encoding]
    assert not reads_or_refuses(path, content[: 1 + int(share * (len(content) - 9))])


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless]
)
def test_a_file_that_ends_within_its_compressed_image_is_refused(
    encode: Encode, film: NDArray[np.uint16], path: Path, syntax: UID
) -> None:
    content = encode(film, syntax, {})
    assert reads_or_refuses(path, content)
    assert not reads_or_refuses(path, content[:-600])


COMPRESSED = (
    uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGExtended12Bit, uid.JPEGLSLossless,
    uid.JPEG2000Lossless, uid.HTJ2KLossless,
)  # fmt: skip


@pytest.fixture(scope="module")
def compressed(encode: Encode, film: NDArray[np.uint16]) -> dict[UID, bytes]:
    return {syntax: encode(film, syntax, dict(ATTRIBUTES)) for syntax in COMPRESSED}


@pytest.fixture(scope="module")
def reader() -> Iterator[GuardedReader]:
    with GuardedReader(seconds=0.5, memory=512 << 20) as reader:
        yield reader


@settings(max_examples=120)
@given(
    encoding=st.sampled_from(COMPRESSED),
    mutations=MUTATIONS,
    repeated=st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 400)) | st.none(),
)
def test_a_mutated_codestream_harms_nobody(
    compressed: dict[UID, bytes],
    reader: GuardedReader,
    encoding: UID,
    mutations: list[tuple[float, bytes]],
    repeated: tuple[float, int] | None,
) -> None:
    content = bytearray(compressed[encoding])
    start = content.index(b"\xe0\x7f\x10\x00") + 12
    for share, written in mutations:
        at = start + int(share * (len(content) - start))
        content[at : at + len(written)] = written
    if repeated:
        at = start + int(repeated[0] * (len(content) - start))
        content[at:at] = content[at : at + repeated[1]] * 3
    (result,) = reader.map([(bytes(content), "a.dcm")])
    if isinstance(result, UnreadableImageError):
        assert str(result).startswith("a.dcm ")
        assert str(result).isprintable()
    else:
        assert result.pixels.shape == (60, 48)


def test_a_transfer_syntax_that_is_no_uid_is_not_repeated(
    files: dict[UID, bytes], path: Path
) -> None:
    content = files[uid.ExplicitVRLittleEndian]
    known = b"1.2.840.10008.1.2.1\0"
    path.write_bytes(content.replace(known, b"Doe^Jane\x1b[2J\x07\0\0\0\0\0\0\0", 1))
    with pytest.raises(UnreadableImageError, match="something that is not known") as caught:
        read_radiograph(path)
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 1, 0xFFFFFFFE, 0xFFFFFFFF])
def test_a_wrong_length_of_the_pixels_is_refused(
    files: dict[UID, bytes], path: Path, length: int
) -> None:
    content = files[uid.ExplicitVRLittleEndian]
    at = content.index(b"\xe0\x7f\x10\x00OW\0\0") + 8
    wrong = content[:at] + length.to_bytes(4, "little") + content[at + 4 :]
    assert reads_or_refuses(path, wrong) == (length == 0xFFFFFFFE)


def test_decoders_log_nothing_of_what_they_choke_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def chatty(content: bytes) -> None:
        logging.getLogger("pydicom.pixels.decoders.base").error("PLANTED^NAME")
        raise ValueError("PLANTED^NAME")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dicom, "_read", chatty)
        with pytest.raises(UnreadableImageError) as caught:
            dicom.read_dicom(tmp_path / "a.dcm", b"")
    assert "PLANTED" not in str(caught.value)
    assert caplog.text == ""
