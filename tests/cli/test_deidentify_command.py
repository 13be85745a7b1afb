"""`ribsight deidentify` as a user runs it, on a simulated registry."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageDraw

from ribsight.cli.main import cli
from ribsight.cohort.tables import load_cohort
from ribsight.errors import RibsightError
from ribsight.radiographs import read_radiograph


def ribsight(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ribsight.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def refusal(*arguments: object) -> str:
    """Return the one sentence that a command ends with, run in this process."""
    with pytest.raises((RibsightError, click.ClickException)) as error:
        cli.main([str(one) for one in arguments], prog_name="ribsight", standalone_mode=False)
    said = error.value
    return said.format_message() if isinstance(said, click.ClickException) else str(said)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "journal.jsonl"
    }


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated patients, small films."""
    out = tmp_path_factory.mktemp("simulated") / "registry"
    done = ribsight(
        "simulate",
        out,
        "--patients",
        4,
        "--seed",
        61,
        "--size",
        256,
        "--prevalence",
        0.5,
        "--quiet",
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "key"
    done = ribsight("deidentify", "--key", path, "--new-key")
    assert done.returncode == 0, done.stderr
    assert path.read_text().splitlines()[1] not in done.stdout + done.stderr
    return path


TABLES = ("images", "codes", "expert_readings", "split")


def arguments(registry: Path, key: Path, out: Path) -> list[object]:
    tables = [part for name in TABLES for part in ("--table", registry / f"{name}.csv")]
    return [
        "deidentify", registry / "images", "--out", out, "--key", key, *tables,
        "--regions", registry / "annotations.coco.json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def out(registry: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deidentified") / "out"
    done = ribsight(*arguments(registry, key, folder))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_same_films_under_new_names(
    registry: Path, key: Path, out: Path, tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.csv"
    done = ribsight(*arguments(registry, key, out), "--mapping", mapping)
    assert done.returncode == 0, done.stderr
    assert mapping.stat().st_mode & 0o777 == 0o600
    linked = rows(mapping)
    assert len(linked) == len(list((registry / "images").iterdir()))
    for row in linked:
        new = out / "images" / f"{row['image_id']}.dcm"
        old, again = read_radiograph(Path(row["path"])), read_radiograph(new)
        assert np.array_equal(old.pixels, again.pixels)
        assert old.provenance == again.provenance
        assert again.identifiers.patient_id == row["new_patient_id"] != row["old_patient_id"]
    said = b"".join(tree(out).values()) + "\n".join(tree(out)).encode()
    for row in linked:
        for name, value in row.items():
            if name.startswith("old_") and value:
                assert value.encode() not in said


def test_the_tables_join_as_before(registry: Path, out: Path, tmp_path: Path) -> None:
    def diagnoses(images: Path, codes: Path, name: str) -> list[list[str]]:
        labels = tmp_path / name
        done = ribsight("label", "--images", images, "--codes", codes, "--out", labels)
        assert done.returncode == 0, done.stderr
        return [
            [
                value
                for column, value in row.items()
                if "fracture" in column and "evid" not in column
            ]
            for row in rows(labels / "diagnoses.csv")
        ]

    before = diagnoses(registry / "images.csv", registry / "codes.csv", "before")
    after = diagnoses(out / "tables" / "images.csv", out / "tables" / "codes.csv", "after")
    own = diagnoses(out / "images.csv", out / "tables" / "codes.csv", "own")
    # In the order of the images' names, which are new.
    assert sorted(after) == sorted(own) == sorted(before)
    built = ribsight(
        "cohort", "build", "--images", out / "images", "--diagnoses", tmp_path / "after",
        "--regions", out / "tables" / "annotations.coco.json",
        "--category", "rib_fracture=rib_fracture",
        "--category", "clavicle_fracture=clavicle_fracture", "--out", tmp_path / "cohort",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    cohort = load_cohort(tmp_path / "cohort")
    views = [row["view"] for row in rows(registry / "images.csv")]
    assert len(cohort.ids) == sum(view not in ("LL", "RL", "LATERAL") for view in views)


def test_again_is_the_same_bytes_with_any_processes(
    registry: Path, key: Path, out: Path, tmp_path: Path
) -> None:
    before = tree(out)
    assert ribsight(*arguments(registry, key, out)).returncode == 0
    assert tree(out) == before
    other = tmp_path / "other"
    assert ribsight(*arguments(registry, key, other), "--processes", 2).returncode == 0
    assert tree(other) == before


def test_killed_at_any_moment_it_goes_on(
    registry: Path, key: Path, out: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "ribsight.cli.main"]
    for films in (1, 3):
        process = subprocess.Popen(
            [*command, *map(str, arguments(registry, key, broken))], stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until:
            if len(list((broken / "images").glob("*.dcm"))) >= films:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.01)
        process.wait()
        for path in (broken / "images").glob("*.dcm"):
            assert path.read_bytes() == (out / "images" / path.name).read_bytes()
    with (broken / "journal.jsonl").open("a") as journal:
        journal.write('{"source": "torn')
    assert ribsight(*arguments(registry, key, broken)).returncode == 0
    assert tree(broken) == tree(out)


@pytest.fixture
def lettered(registry: Path, tmp_path: Path) -> Path:
    """A folder of two films of which one has a name written into it."""
    folder = tmp_path / "lettered"
    folder.mkdir()
    first, second = sorted((registry / "images").iterdir())[:2]
    (folder / "clear.dcm").write_bytes(second.read_bytes())
    dataset = pydicom.dcmread(first)
    pixels = dataset.pixel_array.copy()
    layer = Image.new("L", pixels.shape[::-1])
    ImageDraw.Draw(layer).text((6, 6), "DOE^JANE 12/03/1957", fill=255, font_size=15)
    # Black on white or white on black: both are in the corner of a film.
    box = np.s_[2:30, 2:180]
    pixels[box] = 0
    pixels[np.asarray(layer) > 127] = (1 << int(dataset.BitsStored)) - 1
    dataset.PixelData = pixels.tobytes()
    dataset.save_as(folder / "lettered.dcm")
    return folder


@pytest.mark.parametrize("decision", ["release", "blackout", "withhold"])
def test_what_is_written_in_a_film_waits_for_a_person(
    lettered: Path, key: Path, tmp_path: Path, decision: str
) -> None:
    out = tmp_path / "out"
    done = ribsight("deidentify", lettered, "--out", out, "--key", key)
    assert done.returncode == 0, done.stderr
    assert "1 film may have text burnt in" in done.stderr
    assert len(list((out / "images").iterdir())) == 1
    (held,) = (out / "review").glob("*.dcm")
    assert (out / "review").stat().st_mode & 0o077 == 0
    page = (out / "review" / "review_1.html").read_text()
    assert held.stem in page
    assert "http" not in page.replace("http-equiv", "")
    boxes = rows(out / "review" / "review.csv")
    assert {row["image_id"] for row in boxes} == {held.stem}

    checked = tmp_path / "checked.csv"
    with checked.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(boxes[0]))
        writer.writeheader()
        writer.writerows({**row, "decision": decision} for row in boxes)
    done = ribsight("deidentify", "--out", out, "--accept-review", checked)
    assert done.returncode == 0, done.stderr
    assert f"{decision}: 1 film" in done.stdout
    handed_on = out / "images" / held.name
    assert handed_on.exists() == (decision != "withhold")
    assert held.exists() == (decision == "withhold")
    assert len(rows(out / "images.csv")) == 1 + (decision != "withhold")
    if decision == "blackout":
        dataset = pydicom.dcmread(handed_on)
        assert dataset.BurnedInAnnotation == "NO"
        assert np.ptp(dataset.pixel_array[8:18, 8:100]) == 0
    before = tree(out)
    assert ribsight("deidentify", lettered, "--out", out, "--key", key).returncode == 0
    assert tree(out) == before


def test_a_wrong_review_changes_nothing(lettered: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ribsight("deidentify", lettered, "--out", out, "--key", key).returncode == 0
    before = tree(out)
    header = "image_id,left,top,right,bottom,score,decision\n"
    (held,) = (out / "review").glob("*.dcm")
    for line, says in (
        (f"{held.stem},1,2,3,4,5,relase\n", "row 2: a decision is one of"),
        (f"{held.stem},1,2,3,4,5,release\n{'0' * 32},,,,,,release\n", "row 3 names an image that"),
        ("../../images/x,1,2,3,4,5,release\n", "row 2 names an image that"),
        (f"{held.stem},9,2,3,4,5,blackout\n", "row 2: left is less than right"),
        (f"{held.stem},,,,,,blackout\n", "row 2 says blackout and has no box"),
    ):
        (tmp_path / "checked.csv").write_text(header + line)
        checked = tmp_path / "checked.csv"
        assert says in refusal("deidentify", "--out", out, "--accept-review", checked)
        assert tree(out) == before


def test_blackout(lettered: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ribsight("deidentify", lettered, "--out", out, "--key", key, "--blackout")
    assert done.returncode == 0, done.stderr
    assert "1 film with text painted over that nobody has looked at" in done.stderr
    assert len(list((out / "images").iterdir())) == 2


def test_mistakes_are_one_sentence(registry: Path, key: Path, out: Path, tmp_path: Path) -> None:
    images, new = registry / "images", tmp_path / "new"
    open_key, other_key = tmp_path / "open", tmp_path / "other"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    assert ribsight("deidentify", "--key", other_key, "--new-key").returncode == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for given, says in (
        ([images, "--out", new], "Missing option '--key'"),
        ([images, "--key", key], "Missing option '--out'"),
        (["--key", key], "nothing to do"),
        ([images, "--out", new, "--key", tmp_path / "none"], "cannot read the key"),
        ([images, "--out", new, "--key", open_key], "may be read by others"),
        ([images, "--out", new, "--key", new / "key", "--new-key"], "lies inside"),
        ([images, "--out", new, "--key", key, "--mapping", new / "m.csv"], "would lie inside"),
        ([images, "--out", out, "--key", other_key], "was made with other key"),
        ([images, "--out", out, "--key", key, "--keep-dates", "drop"], "was made with other dates"),
        ([images, "--out", tmp_path / "full", "--key", key], "is not empty"),
        ([images, "--out", images / "out", "--key", key], "lie in each other"),
        ([tmp_path / "nowhere", "--out", new, "--key", key], "is no file and no folder"),
        (["--out", new, "--key", key, "--table", registry / "reports.csv"], "free text"),
        (["--out", new, "--accept-review", "x.csv"], "is no output of"),
        (["--out", out, "--accept-review", tmp_path / "x.csv"], "cannot read"),
    ):
        assert says in refusal("deidentify", *given)
    assert not list(new.rglob("*.dcm"))


def test_a_full_disk_is_said(registry: Path, key: Path, full_disk: Path) -> None:
    done = ribsight("deidentify", registry / "images", "--out", full_disk / "out", "--key", key)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert not list((full_disk / "out").rglob("*.dcm"))
