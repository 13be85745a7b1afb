import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ribsight.errors import RibsightError
from ribsight.radiographs import (
    UnreadableImageError,
    image_files,
    pixels_sha256,
    read_radiograph,
)
from ribsight.radiographs.image_file import TRUNCATED_ALL_ROWS

RAMP = np.arange(40 * 48, dtype=np.uint16).reshape(40, 48)
SMALL = (RAMP % 256).astype(np.uint8)


def jpeg(path: Path, height: int = 64, cut: int = 0, **options: bool) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (height, 64), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, **options)
    path.write_bytes(stream.getvalue()[: len(stream.getvalue()) - cut])
    return path


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize(("pixels", "bits"), [(SMALL, 8), (RAMP * 34, 16)])
def test_lossless_images_give_exactly_their_stored_samples(
    tmp_path: Path, ending: str, pixels: np.ndarray, bits: int
) -> None:
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
    radiograph = read_radiograph(tmp_path / f"a.{ending}")
    assert radiograph.bits == bits
    assert radiograph.pixels.dtype == pixels.dtype
    assert np.array_equal(radiograph.pixels, pixels)
    assert radiograph.warnings == ()


def test_grey_stored_as_colour_is_read_as_that_grey_without_a_warning(tmp_path: Path) -> None:
    Image.fromarray(SMALL).convert("RGB").save(tmp_path / "a.png")
    radiograph = read_radiograph(tmp_path / "a.png")
    assert np.array_equal(radiograph.pixels, SMALL)
    assert radiograph.warnings == ()


def test_colour_becomes_luminance_and_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (48, 40), (255, 0, 0)).save(tmp_path / "a.png")
    radiograph = read_radiograph(tmp_path / "a.png")
    assert np.all(radiograph.pixels == 76)  # ITU-R 601: 0.299 * 255
    assert radiograph.warnings == ("colour became luminance",)


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA"])
def test_palette_and_opaque_alpha_give_the_grey_they_show(tmp_path: Path, mode: str) -> None:
    Image.fromarray(SMALL).convert(mode).save(tmp_path / "a.png")
    radiograph = read_radiograph(tmp_path / "a.png")
    assert np.array_equal(radiograph.pixels, SMALL)
    assert radiograph.warnings == ()


def test_transparency_is_ignored_and_says_so(tmp_path: Path) -> None:
    Image.merge("LA", (Image.fromarray(SMALL), Image.new("L", (48, 40), 9))).save(
        tmp_path / "a.png"
    )
    radiograph = read_radiograph(tmp_path / "a.png")
    assert np.array_equal(radiograph.pixels, SMALL)
    assert radiograph.warnings == ("transparency is ignored",)


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(SMALL > 99).save(tmp_path / "a.png")
    assert np.array_equal(read_radiograph(tmp_path / "a.png").pixels, (SMALL > 99) * 255)


def test_orientation_is_not_applied_and_says_so(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(SMALL).save(tmp_path / "a.png", exif=exif)
    radiograph = read_radiograph(tmp_path / "a.png")
    assert radiograph.pixels.shape == (40, 48)
    assert radiograph.warnings == ("EXIF orientation 6 is not applied: pixels are used as stored",)


def test_a_whole_jpeg_has_no_warning(tmp_path: Path) -> None:
    assert read_radiograph(jpeg(tmp_path / "a.jpg")).warnings == ()


def test_a_jpeg_that_lacks_only_its_end_is_used_with_a_warning(tmp_path: Path) -> None:
    whole = read_radiograph(jpeg(tmp_path / "a.jpg"))
    cut = read_radiograph(jpeg(tmp_path / "b.jpg", cut=2))
    assert cut.warnings == (TRUNCATED_ALL_ROWS,)
    assert np.array_equal(cut.pixels, whole.pixels)


def test_a_truncated_jpeg_says_how_many_rows_are_missing(tmp_path: Path) -> None:
    whole = read_radiograph(jpeg(tmp_path / "a.jpg"))
    size = (tmp_path / "a.jpg").stat().st_size
    cut = read_radiograph(jpeg(tmp_path / "b.jpg", cut=size // 2))
    (warning,) = cut.warnings
    missing = int(warning.removeprefix("truncated file: last ").split()[0])
    assert warning == f"truncated file: last {missing} of 64 rows are missing"
    assert missing % 8 == 0
    assert 16 <= missing <= 48
    assert np.array_equal(cut.pixels[:-missing], whole.pixels[:-missing])
    assert not np.array_equal(cut.pixels[-missing], whole.pixels[-missing])


def test_a_truncated_progressive_jpeg_says_that_detail_is_missing(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "a.jpg", cut=400, progressive=True)
    assert read_radiograph(path).warnings == (
        "truncated file: detail is missing (progressive JPEG)",
    )


def test_a_truncated_jpeg_that_was_saved_again_is_noticed(tmp_path: Path) -> None:
    size = jpeg(tmp_path / "a.jpg").stat().st_size
    cut = read_radiograph(jpeg(tmp_path / "a.jpg", cut=size // 2))
    Image.fromarray(cut.pixels).save(tmp_path / "b.jpg", quality=95)
    (warning,) = read_radiograph(tmp_path / "b.jpg").warnings
    assert warning.startswith("filled rows: the last ")


def test_fracatlas_has_46_images_filled_after_truncation(fracatlas: Path) -> None:
    # The files are numbered 4028 to 4347: the whole folder would only take longer.
    files = [path for path in image_files(fracatlas / "images") if path.stem >= "IMG0004000"]
    warned = [path.stem for path in files if read_radiograph(path).warnings]
    assert len(warned) == 46
    assert (warned[0], warned[-1]) == ("IMG0004028", "IMG0004347")
    assert read_radiograph(fracatlas / "images" / "IMG0004145.jpg").warnings == (
        "filled rows: the last 246 of 454 rows end in constant grey 128, as if the file had been "
        "truncated and saved again",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello", "is not a readable PNG, JPEG, TIFF or DICOM image"),
        (b"\xff\xd8\xff", "is not a readable PNG, JPEG, TIFF or DICOM image"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=sentence) as caught:
        read_radiograph(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="No such file"):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("keep", [0.9, 0.5])
def test_a_truncated_png_is_refused(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(UnreadableImageError, match="cannot be decoded"):
        read_radiograph(path)


def test_a_jpeg_cut_before_its_first_row_is_refused(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "a.jpg")
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\xff\xda") + 14])
    with pytest.raises(UnreadableImageError, match="truncated before its first row"):
        read_radiograph(path)


@pytest.mark.parametrize("size", [(1, 1), (31, 400)])
def test_an_image_below_32_pixels_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size).save(tmp_path / "a.png")
    with pytest.raises(UnreadableImageError, match=f"{size[0]} x {size[1]} pixels"):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("side", [9_100, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(bomb)
    with pytest.raises(UnreadableImageError, match="80 megapixels"):
        read_radiograph(tmp_path / "a.png")


def test_the_hash_of_pixels_knows_shape_and_type() -> None:
    square = np.zeros((4, 4), dtype=np.uint8)
    same = {
        pixels_sha256(one)
        for one in (square, square.reshape(2, 8), np.zeros((4, 2), dtype=np.uint16))
    }
    assert len(same) == 3
    assert pixels_sha256(square) == pixels_sha256(np.zeros((8, 8), np.uint8)[::2, ::2])


def test_image_files_are_found_below_sorted_by_ending_and_without_hidden_ones(
    tmp_path: Path,
) -> None:
    for name in ("b/x.JPG", "a/y.png", "a/z.tiff", "a/note.txt", "a/._y.png", ".trash/q.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)]
    assert found == ["a/y.png", "a/z.tiff", "b/x.JPG"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RibsightError, match="is not a folder of images"):
        image_files(tmp_path / "none")
