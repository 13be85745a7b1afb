"""Copies of one film are found however they were saved again; other films are not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from ribsight.cohort.build import build_cohort
from ribsight.cohort.check import check_cohort
from ribsight.cohort.near_duplicates import find_near_duplicates
from ribsight.cohort.pictures import ORIENTATIONS, oriented, oriented_frequencies
from ribsight.cohort.split import split_cohort
from ribsight.cohort.tables import Cohort, load_cohort, save_cohort
from ribsight.records import ColumnMapping

Pixels = NDArray[np.uint8]
MAPPING = ColumnMapping("image", {"rib": "rib"})


def film(seed: int, height: int = 200, width: int = 170) -> Pixels:
    """Return something like a radiograph: soft large shapes, bright curved bands, noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 100
    samples = np.zeros((height, width))
    for _ in range(12):
        a, b, c, d = random.normal(size=4)
        samples += 0.4 * np.sin(3 * a * x + 3 * b * y + 6 * c) * np.cos(d * x * y)
    for _ in range(9):
        a, b, c = random.uniform(0, 2, 3)
        samples += np.exp(-(((y - a - 0.3 * b * (x - c) ** 2) / 0.03) ** 2))
    samples += random.normal(scale=0.05, size=samples.shape)
    low, high = samples.min(), samples.max()
    return np.asarray(255 * (samples - low) / (high - low), np.uint8)


def rewindowed(pixels: Pixels) -> Pixels:
    low, high = np.percentile(pixels, [4, 97])
    return np.asarray(((pixels - low) / (high - low) * 255).clip(0, 255), np.uint8)


def recompressed(pixels: Pixels) -> Pixels:
    _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_GRAYSCALE), np.uint8)


def smaller(pixels: Pixels) -> Pixels:
    return np.asarray(
        cv2.resize(pixels, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), np.uint8
    )


COPIES: dict[str, Callable[[Pixels], Pixels]] = {
    "inverted": lambda one: 255 - one,
    "rewindowed": rewindowed,
    "brighter": lambda one: np.asarray(255 * (one / 255) ** 0.7, np.uint8),
    "recompressed": recompressed,
    "smaller": smaller,
    "cut": lambda one: one[6:-4, 3:-8],
    "framed": lambda one: np.pad(one, ((15, 9), (0, 20))),
    "all at once": lambda one: recompressed(
        smaller(np.rot90(255 - rewindowed(one[4:, 3:-4])).astype(np.uint8))
    ),
}


def cohort_of(folder: Path, films: dict[str, Pixels]) -> Cohort:
    images = folder / "images"
    images.mkdir()
    rows = ["image,rib"]
    for name, pixels in films.items():
        Image.fromarray(np.ascontiguousarray(pixels)).save(images / f"{name}.png")
        rows.append(f"{name},{len(rows) % 2}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    cohort, _ = build_cohort(images, folder / "table.csv", None, MAPPING, progress=False)
    return cohort


def found(cohort: Cohort, folder: Path, processes: int = 1) -> Cohort:
    return find_near_duplicates(cohort, folder / "cache", processes=processes, progress=False)


def pairs_of(cohort: Cohort) -> set[tuple[str, str]]:
    assert cohort.near_duplicates is not None
    return set(cohort.near_duplicates.select("first", "second").rows())


@pytest.mark.parametrize("numbers", [(1, 2, 3), (4, 5, 6, 7)])
def test_the_same_film_is_found_in_all_eight_orientations(
    tmp_path: Path, numbers: tuple[int, ...]
) -> None:
    original = film(0)
    films = {
        f"{n}": oriented(original.astype(np.float32), n).astype(np.uint8) for n in (0, *numbers)
    }
    cohort = found(cohort_of(tmp_path, films), tmp_path)
    assert cohort.near_duplicates is not None
    with_first = cohort.near_duplicates.filter(pl.col("first") == "0")
    assert with_first["second"].to_list() == [str(number) for number in numbers]
    # What is named turns the second into the first.
    undone = {5: 6, 6: 5}
    assert with_first["orientation"].to_list() == [
        ORIENTATIONS[undone.get(number, number)] for number in numbers
    ]
    assert not with_first["inverted"].any()
    assert with_first["correlation"].min() > 0.99  # type: ignore[operator]


def test_more_copies_than_neighbours_still_go_into_one_split(tmp_path: Path) -> None:
    films = {f"copy{n}": rewindowed(film(0)[n:, n // 2 :]) for n in range(9)}
    films |= {f"other{n}": film(n) for n in range(1, 6)}
    done = split_cohort(found(cohort_of(tmp_path, films), tmp_path), (0.6, 0.2, 0.2), 0)
    copies = done.radiographs.filter(pl.col("radiograph").str.starts_with("copy"))
    assert copies["split"].n_unique() == 1
    assert copies["group"].n_unique() == 1


@pytest.mark.parametrize("number", range(8))
def test_frequencies_turn_as_pictures_do(number: int) -> None:
    from scipy.fft import dctn

    picture = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    turned = dctn(oriented(picture, number), norm="ortho")
    np.testing.assert_allclose(
        oriented_frequencies(dctn(picture, norm="ortho"), number), turned, atol=1e-4
    )


def test_copies_are_found_and_other_films_are_not(tmp_path: Path) -> None:
    films = {f"other{seed}": film(seed) for seed in range(1, 9)}
    films["original"] = film(0)
    films |= {name: change(film(0)) for name, change in COPIES.items()}
    cohort = found(cohort_of(tmp_path, films), tmp_path)
    alike = {"original", *COPIES}
    assert all(one in alike and two in alike for one, two in pairs_of(cohort))
    missed = {name for name in COPIES if not pairs_of(cohort) & {
        (name, "original"), ("original", name)
    }}  # fmt: skip
    assert missed == set()
    assert cohort.near_duplicates is not None
    inverted = cohort.near_duplicates.filter(
        (pl.col("first") == "inverted") & (pl.col("second") == "original")
    )
    assert inverted["inverted"].to_list() == [True]
    at_once = found(replace(cohort, near_duplicates=None), tmp_path, processes=2)
    assert at_once.near_duplicates is not None
    assert at_once.near_duplicates.equals(cohort.near_duplicates)


def test_a_split_keeps_copies_together_and_check_finds_those_apart(tmp_path: Path) -> None:
    films = {f"film{seed}": film(seed) for seed in range(8)}
    films["copy"] = rewindowed(np.fliplr(film(3)))
    cohort = found(cohort_of(tmp_path, films), tmp_path)
    assert pairs_of(cohort) == {("copy", "film3")}
    for seed in range(5):
        done = split_cohort(cohort, (0.4, 0.3, 0.3), seed)
        split = dict(done.radiographs.select("radiograph", "split").rows())
        assert split["copy"] == split["film3"]
        assert [one.kind for one in check_cohort(done) if "near" in one.kind] == ["near duplicates"]
    apart = done.radiographs.with_columns(
        split=pl.when(pl.col("radiograph") == "copy")
        .then(pl.lit("train"))
        .when(pl.col("radiograph") == "film3")
        .then(pl.lit("test"))
        .otherwise("split")
    )
    problem = next(
        one for one in check_cohort(replace(done, radiographs=apart)) if "near" in one.kind
    )
    assert (problem.severity, problem.where) == ("error", "copy and film3")
    assert "mirrored left to right" in problem.what
    # Nobody looked: nothing is said, nothing kept together.
    unseen = replace(done, radiographs=apart, near_duplicates=None)
    assert not [one for one in check_cohort(unseen) if "near" in one.kind]


def test_pairs_are_saved_selected_and_forgotten_with_the_cohort(tmp_path: Path) -> None:
    films = {"a": film(0), "b": np.rot90(film(0)), "c": film(1), "d": film(2)}
    cohort = split_cohort(found(cohort_of(tmp_path, films), tmp_path), (0.5, 0.25, 0.25), 0)
    fingerprint = replace(cohort, near_duplicates=None).fingerprint()
    assert cohort.fingerprint() == fingerprint
    save_cohort(cohort, tmp_path / "saved")
    again = load_cohort(tmp_path / "saved")
    assert pairs_of(again) == {("a", "b")}
    split = dict(again.radiographs.select("radiograph", "split").rows())
    for name in ("train", "val", "test"):
        assert pairs_of(again.select(name)) == ({("a", "b")} if split["a"] == name else set())
    save_cohort(replace(again, near_duplicates=None), tmp_path / "saved")
    assert load_cohort(tmp_path / "saved").near_duplicates is None


def test_films_without_anything_on_them_are_no_pair(tmp_path: Path) -> None:
    flat = {f"flat{n}": np.full((60, 50), 40 * n, np.uint8) for n in range(4)}
    assert pairs_of(found(cohort_of(tmp_path, flat), tmp_path)) == set()


def test_known_copies_of_fracatlas_are_found(fracatlas: Path, tmp_path: Path) -> None:
    # The second of 2957 and 4259 lacks its last rows; 4114 and 2750 have the same pixels; the
    # others look alike and are other patients.
    names = ["0002957", "0004259", "0004114", "0002750", "0001698", "0001778", "0003406", "0004087"]
    names += ["0000389", "0001287", "0003026", "0000971"]
    films = {
        name: np.asarray(Image.open(fracatlas / "images" / f"IMG{name}.jpg").convert("L"))
        for name in names
    }
    pairs = pairs_of(found(cohort_of(tmp_path, films), tmp_path))
    assert pairs == {("0002957", "0004259"), ("0002750", "0004114")}
