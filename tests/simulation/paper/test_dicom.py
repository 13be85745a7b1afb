import dataclasses
import io
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from ribsight.simulation.paper.dicom import TransferSyntax, dicom_bytes, uid
from ribsight.simulation.paper.greyscale import shown, stored_pixels
from ribsight.simulation.paper.header import Header, draw_header
from ribsight.simulation.paper.machines import MACHINES, Voi
from ribsight.simulation.truth import PatientTruth, View

Film = NDArray[np.float32]
Varieties = tuple[tuple[View, Header], ...]
Patient = Callable[..., PatientTruth]

VALIDATOR = shutil.which("dciodvfy")


def file_of(
    pixels: Film,
    view: View,
    header: Header,
    patient: Patient,
    transfer_syntax: TransferSyntax = TransferSyntax.EXPLICIT,
) -> bytes:
    truth = patient(views=(view,), height=pixels.shape[0], width=pixels.shape[1])
    return dicom_bytes(
        pixels,
        header,
        truth,
        truth.films[0],
        series_number=1,
        instance_number=1,
        transfer_syntax=transfer_syntax,
    )


def read(content: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(content))


def shown_by_pydicom(file: pydicom.FileDataset) -> NDArray[np.float64]:
    """Greys, 0 black to 1 white, by pydicom's own modality and VOI transforms and the polarity."""
    values = apply_modality_lut(file.pixel_array, file)
    if "VOILUTSequence" in file:
        # The rescale of these files changes nothing but the type, and a LUT is looked up by number.
        values = apply_voi_lut(values.astype(np.uint16), file)
        low, high = 0.0, 2.0 ** file.VOILUTSequence[0].LUTDescriptor[2] - 1
    else:
        values = apply_voi_lut(values, file)
        slope, intercept = file.get("RescaleSlope", 1), file.get("RescaleIntercept", 0)
        low, high = float(intercept), float(slope * (2**file.BitsStored - 1) + intercept)
    grey: NDArray[np.float64] = (np.asarray(values, dtype=np.float64) - low) / (high - low)
    return 1 - grey if file.PhotometricInterpretation == "MONOCHROME1" else grey


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_every_variety_of_header_is_valid(
    tmp_path: Path, film_pixels: Film, varieties: Varieties, patient: Patient
) -> None:
    # One view of each machine, all views of two, and every unusual window and rescale.
    some = [one for n, one in enumerate(varieties) if n % 5 == n // 5 % 5 or n < 10 or n >= 65]
    assert {header.machine for _, header in some} == {machine.name for machine in MACHINES}
    odd = draw_header(np.random.default_rng(0), View.PA_ERECT, MACHINES[0])
    some.append((View.PA_ERECT, dataclasses.replace(odd, body_part="EXTREMETY")))
    for n, (view, header) in enumerate(some):
        path = tmp_path / f"{n}.dcm"
        path.write_bytes(file_of(film_pixels, view, header, patient))
        verdict = subprocess.run(
            [str(VALIDATOR), "-new", str(path)], capture_output=True, text=True, check=False
        )
        said = verdict.stdout + verdict.stderr
        assert "Error" not in said, (header, said)
        assert "CRImage" in said or "DXImageForPresentation" in said


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
@pytest.mark.parametrize("syntax", TransferSyntax)
def test_every_transfer_syntax_is_valid(
    tmp_path: Path, film_pixels: Film, patient: Patient, syntax: TransferSyntax
) -> None:
    header = draw_header(np.random.default_rng(0), View.PA_ERECT, MACHINES[2])
    path = tmp_path / "film.dcm"
    path.write_bytes(file_of(film_pixels, View.PA_ERECT, header, patient, syntax))
    command = [str(VALIDATOR), "-new", str(path)]
    verdict = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Error" not in verdict.stdout + verdict.stderr


def test_pydicom_shows_what_a_correct_reader_shows(
    film_pixels: Film, varieties: Varieties, patient: Patient
) -> None:
    for view, header in varieties:
        file = read(file_of(film_pixels, view, header, patient))
        stored = stored_pixels(film_pixels, header)
        np.testing.assert_array_equal(file.pixel_array, stored)
        ours = shown(stored, header)
        np.testing.assert_allclose(shown_by_pydicom(file), ours, atol=2e-5, err_msg=str(header))


def test_what_is_shown_is_the_film(film_pixels: Film, varieties: Varieties) -> None:
    for _, header in varieties:
        # Half a stored step, where the S-curve is steepest; a sigmoid hides the outer 0.0025.
        step = 1.5 / (header.high - header.low)
        difference = np.abs(shown(stored_pixels(film_pixels, header), header) - film_pixels)
        assert difference.max() < max(step, 0.003), header


def test_without_its_window_a_picture_with_headroom_is_flat(
    film_pixels: Film, varieties: Varieties
) -> None:
    for _, header in varieties:
        if header.voi is Voi.WINDOW and (header.high - header.low) / header.top < 0.7:
            stored = stored_pixels(film_pixels, header).astype(np.float64)
            careless = (stored - stored.min()) / (stored.max() - stored.min())
            inside = (film_pixels > 0.05) & (film_pixels < 0.95)
            assert np.std(careless[inside]) < 0.8 * np.std(film_pixels[inside])


@pytest.mark.parametrize("syntax", [one for one in TransferSyntax if one != "explicit"])
def test_compression_loses_nothing(
    film_pixels: Film, varieties: Varieties, patient: Patient, syntax: TransferSyntax
) -> None:
    for view, header in varieties[::5]:
        plain = read(file_of(film_pixels, view, header, patient))
        packed = read(file_of(film_pixels, view, header, patient, syntax))
        assert packed.file_meta.TransferSyntaxUID != plain.file_meta.TransferSyntaxUID
        assert packed.SOPInstanceUID == plain.SOPInstanceUID
        np.testing.assert_array_equal(packed.pixel_array, plain.pixel_array)


@pytest.mark.parametrize("syntax", TransferSyntax)
def test_the_same_film_gives_the_same_bytes(
    film_pixels: Film, patient: Patient, syntax: TransferSyntax
) -> None:
    header = draw_header(np.random.default_rng(0), View.PA_ERECT)
    first, second = (file_of(film_pixels, View.PA_ERECT, header, patient, syntax) for _ in range(2))
    assert first == second


def test_a_file_is_about_its_patient_and_says_that_it_is_simulated(
    film_pixels: Film, patient: Patient
) -> None:
    header = draw_header(np.random.default_rng(1), View.PA_ERECT)
    file = read(file_of(film_pixels, View.PA_ERECT, header, patient))
    assert file.PatientName == "SIMULATED^SIM000001"
    assert file.ImageComments.startswith("SIMULATED")
    assert file.ContributingEquipmentSequence[0].Manufacturer == "ribsight"
    assert "PatientIdentityRemoved" not in file
    assert (file.PatientSex, file.PatientAge) == ("F", "052Y")
    assert (file.AccessionNumber, file.StudyID) == ("AC000001", "ST000001")
    assert (file.StudyDate, file.ContentDate) == ("20240229", "20240229")
    assert float(file.ImagerPixelSpacing[0]) == 0.8


@pytest.mark.parametrize("age", [0, 18, 52, 99])
def test_the_birth_date_fits_the_age(film_pixels: Film, patient: Patient, age: int) -> None:
    header = draw_header(np.random.default_rng(1), View.PA_ERECT)
    for number in range(5):
        truth = patient(height=64, width=80, number=number, age=age)
        content = dicom_bytes(
            film_pixels, header, truth, truth.films[0], series_number=1, instance_number=1
        )
        born = date.fromisoformat(read(content).PatientBirthDate)
        day = truth.study_date
        assert day.year - born.year - ((day.month, day.day) < (born.month, born.day)) == age


def test_films_of_a_study_share_it_and_nothing_else(film_pixels: Film, patient: Patient) -> None:
    header = draw_header(np.random.default_rng(1), View.PA_ERECT)
    truth = patient(views=(View.PA_ERECT, View.LATERAL))
    one, two = (
        read(dicom_bytes(film_pixels, header, truth, film, series_number=number, instance_number=1))
        for number, film in enumerate(truth.films, 1)
    )
    assert one.StudyInstanceUID == two.StudyInstanceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    assert one.SOPInstanceUID != two.SOPInstanceUID


def test_an_identifier_is_a_valid_function_of_its_parts() -> None:
    assert uid("image", "a", "b") == uid("image", "a", "b")
    assert uid("image", "a", "b") != uid("image", "ab", "")
    assert uid("image").startswith("2.25.")
    assert uid("image").is_valid


def test_what_cannot_be_written_is_refused(film_pixels: Film, patient: Patient) -> None:
    header = draw_header(np.random.default_rng(1), View.PA_ERECT)
    truth = patient()
    with pytest.raises(ValueError, match="64 x 80"):
        dicom_bytes(
            film_pixels[:10], header, truth, truth.films[0], series_number=1, instance_number=1
        )
    long = dataclasses.replace(truth, accession_number="A" * 17)
    with pytest.raises(ValueError, match="16"):
        dicom_bytes(film_pixels, header, long, long.films[0], series_number=1, instance_number=1)
