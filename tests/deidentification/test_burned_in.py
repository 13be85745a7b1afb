"""The search for text in pictures, and painting it over."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import uid
from pydicom.uid import UID

from ribsight.deidentification.blackout import paint_file
from ribsight.deidentification.burned_in import find_text
from ribsight.deidentification.one_file import CLAIMS_TEXT, deidentify
from ribsight.deidentification.subject import Policy
from ribsight.radiographs import read_radiograph

MakeFilm = Callable[..., bytes]

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
LINE = "DOE^JANE  12/03/1957"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[NDArray[np.uint16]]:
    """Simulated films of 512 pixels a side, with markers, tubes and electrodes, as shown."""
    out = tmp_path_factory.mktemp("registry") / "films"
    command = ["simulate", str(out), "--patients", "3", "--seed", "4321", "--quiet"]
    subprocess.run([sys.executable, "-m", "ribsight.cli.main", *command], check=True, timeout=240)
    shown = [read_radiograph(path).pixels for path in sorted((out / "images").iterdir())]
    return [film.astype(np.uint16) for film in shown]


def write(
    film: NDArray[np.uint16], text: str, font: str, height: int, at: tuple[float, float], value: int
) -> tuple[NDArray[np.uint16], tuple[int, int, int, int]]:
    """Return the film with a text, and its box; `at` is the share of the free rows and columns."""
    face = ImageFont.truetype(FONTS / font, height)
    left, top, right, bottom = (int(one) for one in face.getbbox(text))
    rows, columns = film.shape
    x = 8 + int(at[1] * (columns - 16 - right + left))
    y = 8 + int(at[0] * (rows - 16 - bottom + top))
    layer = Image.new("L", (columns, rows))
    ImageDraw.Draw(layer).text((x - left, y - top), text, font=face, fill=255)
    ink = np.asarray(layer, np.float64) / 255
    written = (film * (1 - ink) + value * ink).astype(np.uint16)
    return written, (x, y, x + right - left, y + bottom - top)


def share_covered(box: tuple[int, int, int, int], film: NDArray[np.uint16]) -> float:
    inside = np.zeros(film.shape, bool)
    for one in find_text(film):
        left, top, right, bottom = one.box
        assert 0 <= left < right <= film.shape[1]
        assert 0 <= top < bottom <= film.shape[0]
        inside[top:bottom, left:right] = True
    return float(inside[box[1] : box[3], box[0] : box[2]].mean())


def test_films_with_markers_of_the_side_pass(films: list[NDArray[np.uint16]]) -> None:
    assert len(films) >= 3
    assert [len(find_text(film)) for film in films] == [0] * len(films)


@pytest.mark.parametrize(
    "font", ["DejaVuSans.ttf", "DejaVuSansMono.ttf", "DejaVuSerif-Bold.ttf", "STIXGeneral.ttf"]
)
@pytest.mark.parametrize("height", [14, 20, 26])
@pytest.mark.parametrize("at", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_white_lines_in_corners_are_found(
    films: list[NDArray[np.uint16]], font: str, height: int, at: tuple[float, float]
) -> None:
    written, box = write(films[height % len(films)] // 2, LINE, font, height, at, 65535)
    assert share_covered(box, written) > 0.9


def test_dark_lines_on_a_bright_film_and_lines_on_their_side(
    films: list[NDArray[np.uint16]],
) -> None:
    bright = 65535 - films[0] // 3
    written, box = write(bright, LINE, "DejaVuSans.ttf", 20, (0, 0), 0)
    assert share_covered(box, written) > 0.9
    written, (left, top, right, bottom) = write(
        films[1] // 2, LINE, "DejaVuSans.ttf", 20, (0, 0), 65535
    )
    turned = np.ascontiguousarray(np.rot90(written))
    columns = films[1].shape[1]
    assert share_covered((top, columns - right, bottom, columns - left), turned) > 0.9


@pytest.mark.parametrize("letter", ["L", "R", "R1"])
def test_a_marker_is_no_line(films: list[NDArray[np.uint16]], letter: str) -> None:
    written, _ = write(films[2], letter, "DejaVuSans-Bold.ttf", 36, (0, 0.1), 65535)
    assert find_text(written) == ()


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), rows=st.integers(32, 90), columns=st.integers(32, 90))
def test_any_picture_is_searched(seed: int, rows: int, columns: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 65536, (rows, columns), dtype=np.uint16)
    for one in find_text(noise):
        left, top, right, bottom = one.box
        assert 0 <= left < right <= columns
        assert 0 <= top < bottom <= rows


@pytest.fixture(scope="module")
def lettered() -> tuple[NDArray[np.uint16], tuple[int, int, int, int]]:
    """(300, 400) stored values of 12 bits with a line of text."""
    slope = np.linspace(300, 1800, 300 * 400).reshape(300, 400).astype(np.uint16)
    return write(slope, LINE, "DejaVuSans.ttf", 18, (0, 0), 4095)


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.JPEG2000Lossless])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_text_is_held_back_or_painted_over(
    make_film: MakeFilm,
    policy: Policy,
    lettered: tuple[NDArray[np.uint16], tuple[int, int, int, int]],
    syntax: UID,
    photometric: str,
) -> None:
    pixels, (left, top, right, bottom) = lettered
    attributes = {"PhotometricInterpretation": photometric, "WindowCenter": 2048,
                  "WindowWidth": 4096}  # fmt: skip
    content = make_film(pixels=pixels, syntax=syntax, **attributes)
    held = deidentify(content, policy)
    assert held.held
    assert not held.painted
    assert "BurnedInAnnotation" not in pydicom.dcmread(io.BytesIO(held.content))

    done = deidentify(content, Policy(policy.key, blackout=True))
    assert (done.held, done.painted) == (False, True)
    new = pydicom.dcmread(io.BytesIO(done.content))
    after = np.frombuffer(new.PixelData, "<u2").reshape(pixels.shape)
    black = pixels.max() if photometric == "MONOCHROME1" else pixels.min()
    assert (after[top:bottom, left:right] == black).all()
    changed = np.argwhere(after != pixels)
    assert changed[:, 0].max() < bottom + 20
    assert new.BurnedInAnnotation == "NO"
    assert "113101" in [item.CodeValue for item in new.DeidentificationMethodCodeSequence]
    assert "not looked at" in new.DeidentificationMethod[-1]

    person = pydicom.dcmread(io.BytesIO(paint_file(held.content, [(left, top, right, bottom)])))
    assert person.DeidentificationMethod[-1].endswith("looked at by a person")
    assert person.BurnedInAnnotation == "NO"


def test_what_says_that_it_has_text_is_held_back(make_film: MakeFilm, policy: Policy) -> None:
    for blackout in (False, True):
        clean = deidentify(
            make_film(BurnedInAnnotation="YES"), Policy(policy.key, blackout=blackout)
        )
        assert clean.held
        assert CLAIMS_TEXT in clean.remarks
    assert not deidentify(make_film(BurnedInAnnotation="NO"), policy).held


def test_real_chest_and_hip_films_pass(dicom_data: Path, policy: Policy) -> None:
    for path in sorted(dicom_data.glob("*.dcm")):
        assert not deidentify(path.read_bytes(), policy).held
