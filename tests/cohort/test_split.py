from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ribsight.cohort.check import check_cohort
from ribsight.cohort.split import reveal, split_cohort
from ribsight.cohort.tables import DIAGNOSES, RADIOGRAPHS, REGIONS, Cohort
from ribsight.errors import RibsightError
from ribsight.findings import Supervision

FRACTIONS = (0.6, 0.15, 0.25)


def cohort_of(count: int, per_group: int = 1, positive_every: int = 5) -> Cohort:
    """Images in groups; every fifth has a region of `rib`, the others are negative."""
    ids = [f"img{number:04d}" for number in range(count)]
    positive = [id_ for number, id_ in enumerate(ids) if number % positive_every == 0]
    radiographs = pl.DataFrame(
        {
            "radiograph": ids,
            "file": [f"{id_}.png" for id_ in ids],
            "patient": [None] * count,
            "group": [f"g{number // per_group}" for number in range(count)],
            "split": [None] * count,
            "width": [48] * count,
            "height": [40] * count,
            "bits": [8] * count,
            "sha256": ids,
            "pixels_sha256": ids,
            "warnings": [""] * count,
        },
        schema=RADIOGRAPHS,
    )
    diagnoses = pl.DataFrame(
        {
            "radiograph": ids,
            "finding": ["rib"] * count,
            "state": ["positive" if id_ in positive else "negative" for id_ in ids],
            "acuity": ["unknown"] * count,
            "side": ["unknown"] * count,
            "evidence": [f"row {number + 2}" for number in range(count)],
        },
        schema=DIAGNOSES,
    )
    regions = pl.DataFrame(
        {
            "radiograph": positive,
            "finding": ["rib"] * len(positive),
            "reader": [""] * len(positive),
            "is_box": [True] * len(positive),
            "polygons": [[[8.0, 8.0, 20.0, 8.0, 20.0, 20.0, 8.0, 20.0]]] * len(positive),
            "revealed": [True] * len(positive),
            "source": [f"annotation {number}" for number in range(len(positive))],
        },
        schema=REGIONS,
    )
    return Cohort(Path("images"), ("rib",), radiographs, diagnoses, regions)


def splits(cohort: Cohort) -> dict[str, str]:
    return dict(cohort.radiographs.select("radiograph", "split").rows())


def shares(cohort: Cohort) -> dict[str, tuple[float, float]]:
    """Share of images and of positives in each split."""
    positive = cohort.states[:, 0] == "positive"
    split = cohort.radiographs["split"].to_numpy()
    return {
        name: (float((split == name).mean()), float((split[positive] == name).mean()))
        for name in ("train", "val", "test")
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("per_group", [1, 3, 7])
def test_images_and_positives_come_out_in_the_wanted_shares(seed: int, per_group: int) -> None:
    split = split_cohort(cohort_of(1000, per_group), FRACTIONS, seed)
    for (images, positives), wanted in zip(shares(split).values(), FRACTIONS, strict=True):
        assert images == pytest.approx(wanted, abs=0.015)
        assert positives == pytest.approx(wanted, abs=0.015)


def test_groups_stay_whole() -> None:
    split = split_cohort(cohort_of(200, per_group=7), FRACTIONS, 0)
    assert split.radiographs.group_by("group").agg(pl.col("split").n_unique())["split"].max() == 1


def test_the_same_seed_gives_the_same_split_whatever_the_order_of_rows() -> None:
    cohort = cohort_of(200, per_group=3)
    shuffled = Cohort(
        cohort.images,
        cohort.findings,
        cohort.radiographs.sample(fraction=1.0, shuffle=True, seed=5),
        cohort.diagnoses.reverse(),
        cohort.regions.reverse(),
    )
    first = split_cohort(cohort, FRACTIONS, 0)
    assert splits(first) == splits(split_cohort(shuffled, FRACTIONS, 0))
    assert splits(first) != splits(split_cohort(cohort, FRACTIONS, 1))
    assert splits(first) == splits(split_cohort(first, FRACTIONS, 0))


@pytest.mark.parametrize("column", ["patient", "pixels_sha256"])
def test_groups_that_share_a_patient_or_a_picture_become_one(column: str) -> None:
    cohort = cohort_of(40)
    shared = [f"v{number % 8}" for number in range(40)]
    radiographs = cohort.radiographs.with_columns(pl.Series(column, shared))
    cohort = Cohort(cohort.images, cohort.findings, radiographs, cohort.diagnoses, cohort.regions)
    split = split_cohort(cohort, FRACTIONS, 0)
    assert split.radiographs["group"].n_unique() == 8
    assert [one for one in check_cohort(split) if one.severity == "error"] == []


def test_groups_can_be_blocks_of_ids_or_a_column() -> None:
    cohort = cohort_of(100)
    blocks = split_cohort(cohort, FRACTIONS, 0, "blocks:25").radiographs
    assert blocks["group"].unique(maintain_order=True).to_list() == [
        f"block {number}" for number in range(4)
    ]
    assert split_cohort(cohort, FRACTIONS, 0, "sha256").radiographs["group"][0] == "img0000"


def test_a_fraction_of_zero_leaves_that_split_empty() -> None:
    split = split_cohort(cohort_of(50), (0.8, 0.0, 0.2), 0)
    assert set(splits(split).values()) == {"train", "test"}


@pytest.mark.parametrize(
    ("fractions", "group", "sentence"),
    [
        ((0.6, 0.2, 0.3), None, "add to 1.1"),
        ((1.2, -0.1, -0.1), None, "none negative"),
        ((float("nan"), 0.5, 0.5), None, "three fractions"),
        (FRACTIONS, "patients", r"did you mean 'patient'"),
        (FRACTIONS, "patient", "'patient' is blank on every row"),
        (FRACTIONS, "blocks:50", "1 groups are too few"),
    ],
)
def test_a_split_that_cannot_be_is_refused(
    fractions: tuple[float, float, float], group: str | None, sentence: str
) -> None:
    with pytest.raises(RibsightError, match=sentence):
        split_cohort(cohort_of(50), fractions, 0, group)


def revealed_ids(cohort: Cohort) -> set[str]:
    train = [id_ for id_, split in splits(cohort).items() if split == "train"]
    shown = cohort.regions.filter(pl.col("revealed") & pl.col("radiograph").is_in(train))
    return set(shown["radiograph"])


def test_reveal_keeps_the_regions_of_n_training_positives_and_all_that_measure() -> None:
    cohort = reveal(split_cohort(cohort_of(200), FRACTIONS, 0), 10, 0)
    assert len(revealed_ids(cohort)) == 10
    held_out = [id_ for id_, split in splits(cohort).items() if split != "train"]
    assert cohort.regions.filter(pl.col("radiograph").is_in(held_out))["revealed"].all()
    supervision = cohort.select("train").supervision()
    assert (supervision == Supervision.REGION).sum() == 10
    assert (supervision == Supervision.POSITIVE).sum() == 14


def test_a_smaller_reveal_is_a_part_of_a_larger_one() -> None:
    cohort = split_cohort(cohort_of(300), FRACTIONS, 0)
    five, ten = (revealed_ids(reveal(cohort, count, 3)) for count in (5, 10))
    assert five < ten
    assert ten != revealed_ids(reveal(cohort, 10, 4))
    assert ten == revealed_ids(reveal(reveal(cohort, 5, 3), 10, 3))


def test_reveal_none_reveals_all_and_zero_nothing() -> None:
    cohort = split_cohort(cohort_of(100), FRACTIONS, 0)
    assert revealed_ids(reveal(cohort, 0, 0)) == set()
    assert reveal(reveal(cohort, 0, 0), None, 0).regions["revealed"].all()


def test_reveal_takes_only_positives() -> None:
    cohort = split_cohort(cohort_of(100), FRACTIONS, 0)
    uncertain = cohort.diagnoses.with_columns(state=pl.lit("uncertain"))
    cohort = Cohort(cohort.images, cohort.findings, cohort.radiographs, uncertain, cohort.regions)
    assert revealed_ids(reveal(cohort, 10, 0)) == set()


def test_reveal_refuses_an_unsplit_cohort_and_a_negative_count() -> None:
    with pytest.raises(RibsightError, match="not split yet"):
        reveal(cohort_of(10), 5, 0)
    with pytest.raises(RibsightError, match="-1 radiographs"):
        reveal(split_cohort(cohort_of(50), FRACTIONS, 0), -1, 0)


def test_thousands_of_groups_are_split_evenly() -> None:
    split = split_cohort(cohort_of(3000, positive_every=97), FRACTIONS, 0)
    measured = np.array(list(shares(split).values()))
    np.testing.assert_allclose(measured[:, 0], FRACTIONS, atol=0.002)
    np.testing.assert_allclose(measured[:, 1], FRACTIONS, atol=0.02)
