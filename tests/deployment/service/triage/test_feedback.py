"""The loop: what readers say at the service is what the next cohort learns from."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from pydicom import uid
from tests.deployment.service.triage.conftest import CLAVICLE, RIB, Seeded

from ribsight.cli.main import cli
from ribsight.cohort.tables import load_cohort
from ribsight.errors import RibsightError

DRAWN = {"finding": RIB, "box": [210.0, 150.0, 250.0, 190.5]}


def judged(*decisions: str) -> list[dict[str, str]]:
    return [{"key": f"{RIB}/{index}", "decision": one} for index, one in enumerate(decisions)]


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def reviewed(seeded: Seeded) -> Seeded:
    """A accepts, rejects and draws on high, and finds middle and low negative; B only looks in.

    On clavicle A says nothing final: one mark is accepted, but the image is not complete.
    """
    high = {"marks": judged("accepted", "rejected"), "drawn": [DRAWN], "complete": True}
    clavicle = [{"key": f"{CLAVICLE}/0", "decision": "accepted"}]
    given: dict[str, dict[str, Any]] = {
        "high": high,
        "middle": {"marks": judged("rejected"), "complete": True},
        "low": {"complete": True},
        "clavicle": {"marks": clavicle},
    }
    for name, review in given.items():
        assert seeded.post(name, seeded.review(name, **review)).status_code == 201
    b = seeded.review("high", reader="B", marks=judged("accepted"))
    assert seeded.post("high", b).status_code == 201
    return seeded


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_review_to_cohort(reviewed: Seeded, tmp_path: Path) -> None:
    data, out = reviewed.context.folder.path, tmp_path / "out"
    regions, readings, diagnoses = (out / one for one in ("r.coco.json", "read.csv", "d.csv"))
    said = run("feedback", data, "--out", regions, "--readings", readings, "--diagnoses", diagnoses)
    assert said == (
        "4 reviewed images, 3 complete: 2 regions (1 accepted, 1 drawn), 2 without any; "
        f"1 not complete, not taken -> {regions}\n"
    )
    shown = run("regions", "show", regions)
    assert "3 images (2 without a region, 3 of known size), 2 regions" in shown
    converted = out / "r.csv"
    run("regions", "convert", regions, "--to", "vindr", "--out", converted)
    assert {one["rad_id"] for one in rows(converted)} == {"A"}

    cohort = out / "cohort"
    categories = [f"--category={one}={one}" for one in (RIB, CLAVICLE)]
    findings = [f"--finding={one}={one}" for one in (RIB, CLAVICLE)]
    run(
        "cohort", "build", "--images", reviewed.context.folder.images, "--diagnoses", diagnoses,
        "--regions", regions, "--out", cohort, *categories, *findings,
    )  # fmt: skip
    built = load_cohort(cohort)
    drawn = built.regions.sort("source").select("radiograph", "finding", "reader", "polygons")
    ids = reviewed.ids
    assert drawn.rows() == [
        (ids["high"], RIB, "A", [[40.0, 60.0, 90.0, 60.0, 90.0, 100.0, 40.0, 100.0]]),
        (ids["high"], RIB, "A", [[210.0, 150.0, 250.0, 150.0, 250.0, 190.5, 210.0, 190.5]]),
    ]
    assert states(built.diagnoses, RIB) == {
        ids["high"]: "positive",
        ids["middle"]: "negative",
        ids["low"]: "negative",
        ids["clavicle"]: "unknown",
        ids["refused"]: "unknown",
        ids["waiting"]: "unknown",
    }
    assert states(built.diagnoses, CLAVICLE)[ids["clavicle"]] == "positive"
    run("cohort", "check", cohort)
    run("cohort", "readings", cohort, readings)
    read = load_cohort(cohort)
    assert states(read.diagnoses, RIB)[ids["middle"]] == "negative"
    evidence = read.diagnoses.filter(pl.col("radiograph") == ids["middle"])["evidence"]
    assert "read.csv" in evidence[0]


def states(diagnoses: pl.DataFrame, finding: str) -> dict[str, str]:
    chosen = diagnoses.filter(pl.col("finding") == finding)
    return dict(chosen.select("radiograph", "state").rows())


def test_of_an_incomplete_review_no_region_is_taken(reviewed: Seeded) -> None:
    document = reviewed.client.get("/api/regions.coco.json").json()
    names = {one["file_name"] for one in document["images"]}
    assert names == {reviewed.ids[one] for one in ("high", "middle", "low")}
    assert {one["reader"] for one in document["annotations"]} == {"A"}
    (high,) = [one for one in document["images"] if one["file_name"] == reviewed.ids["high"]]
    assert high["readers"] == ["A"]  # B was not done with it


def test_regions_say_where_they_come_from(reviewed: Seeded) -> None:
    document = reviewed.client.get("/api/regions.coco.json").json()
    accepted, drawn = document["annotations"]
    assert accepted["attributes"] == {
        "origin": "accepted",
        "model_sha256": reviewed.context.detector.identity.sha256,
        "detector_score": 0.45,
    }
    assert drawn["attributes"] == {"origin": "drawn"}
    assert drawn["bbox"] == [210, 150, 40, 40.5]


def test_one_readers_regions(reviewed: Seeded, tmp_path: Path) -> None:
    asked = reviewed.client.get("/api/regions.coco.json", params={"reader": "B"}).json()
    assert asked["images"] == []
    out = tmp_path / "r.json"
    run("feedback", reviewed.context.folder.path, "--out", out, "--readers", "B,C")
    assert json.loads(out.read_text())["annotations"] == []


def test_readers_who_contradict_each_other_leave_it_uncertain(
    reviewed: Seeded, tmp_path: Path
) -> None:
    b = reviewed.review("middle", reader="B", marks=judged("accepted"), complete=True)
    assert reviewed.post("middle", b).status_code == 201
    readings = tmp_path / "read.csv"
    data = reviewed.context.folder.path
    run("feedback", data, "--out", tmp_path / "r.json", "--readings", readings)
    by_name = {one["image_id"]: one for one in rows(readings)}
    ids = reviewed.ids
    assert by_name[ids["middle"]] == {"image_id": ids["middle"], RIB: "-1", CLAVICLE: "0"}
    assert by_name[ids["high"]] == {"image_id": ids["high"], RIB: "1", CLAVICLE: "0"}
    assert by_name[ids["clavicle"]] == {"image_id": ids["clavicle"], RIB: "", CLAVICLE: "1"}


def test_images_are_named_by_instance_for_who_has_the_archive(
    reviewed: Seeded, tmp_path: Path
) -> None:
    out, data = tmp_path / "r.json", reviewed.context.folder.path
    run("feedback", data, "--out", out, "--name-by", "instance")
    names = {one["file_name"] for one in json.loads(out.read_text())["images"]}
    stems = ("high", "middle", "low")
    assert names == {uid.generate_uid(entropy_srcs=[one, "instance"]) for one in stems}
    reviewed.context.folder.image(reviewed.ids["low"]).unlink()
    said = run("feedback", data, "--out", out, "--name-by", "instance")
    assert f"left out: image {reviewed.ids['low'][:12]} cannot be read" in said


def test_what_records_say_is_a_diagnosis_where_no_reader_says_better(
    reviewed: Seeded, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    ids = reviewed.ids
    table.write_text(
        f"image,{RIB},{CLAVICLE}\n{ids['clavicle']},positive,negative\n{ids['low']},positive,\n"
        f"{ids['waiting']},negative,negative\n"
    )
    data, out = reviewed.context.folder.path, tmp_path / "d.csv"
    findings = [f"--finding={RIB}={RIB}", f"--finding={CLAVICLE}={CLAVICLE}"]
    said = run("feedback", "import-records", data, table, *findings)
    assert said == f"3 rows, of 3 images something is known -> {data}\n"
    run("feedback", data, "--out", tmp_path / "r.json", "--diagnoses", out)
    by_name = {one["image"]: one for one in rows(out)}
    assert set(by_name) == {ids[one] for one in ("high", "middle", "low", "clavicle")}
    assert by_name[ids["clavicle"]][RIB] == "1"
    assert by_name[ids["clavicle"]][f"{RIB}_evidence"] == "record"
    assert by_name[ids["clavicle"]][CLAVICLE] == "1"  # A accepted it
    assert by_name[ids["low"]][RIB] == "0"
    assert by_name[ids["low"]][f"{RIB}_evidence"] == "review of A"


def test_records_by_accession_number_and_by_the_names_of_files(
    reviewed: Seeded, tmp_path: Path
) -> None:
    folder, data = tmp_path / "films", reviewed.context.folder.path
    table = tmp_path / "labels.csv"
    table.write_text("image,rib\nlow.dcm,1\nelsewhere,0\n")
    said = run(
        "feedback", "import-records", data, table, "--finding", f"{RIB}=rib", "--images", folder
    )
    assert said == f"2 rows, of 2 images something is known -> {data}\n"
    assert record(reviewed, "low") == "positive"
    table.write_text("order,rib\nA-middle,0\nA-middle,1\n")
    run(
        "feedback", "import-records", data, table, "--finding", f"{RIB}=rib", "--join",
        "accession", "--key-column", "order",
    )  # fmt: skip
    assert record(reviewed, "middle") == "positive"


def record(seeded: Seeded, name: str) -> Any:
    return seeded.get(f"/api/images/{seeded.ids[name]}")["records"][RIB]["state"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("NOWHERE", "--out", "r.json"), "nowhere is no data folder of `ribsight serve`"),
        (("import-records", "DATA", "none.csv", "--finding", "a=a"), "cannot read none.csv"),
        (("import-records", "DATA", "TABLE", "--finding", "a=b"), "has no column 'b'"),
        (("import-records", "DATA", "TABLE"), "no finding is mapped"),
        (("DATA", "--out", "r.json", "--database", "sqlite:////none/x.db"), "cannot use the data"),
    ],
)
def test_mistakes_are_one_sentence(
    seeded: Seeded, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("image,a\nx,1\n")
    places = {"NOWHERE": tmp_path / "nowhere", "DATA": seeded.context.folder.path, "TABLE": table}
    words = ["feedback", *(str(places.get(one, one)) for one in arguments)]
    with pytest.raises(RibsightError, match=sentence.replace("(", ".")):
        CliRunner().invoke(cli, words, catch_exceptions=False, standalone_mode=False)
    assert not (tmp_path / "nowhere").exists()


def test_no_identifier_of_a_record_is_kept_in_plain(reviewed: Seeded, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("accession,rib,rib_evidence\nA-middle,1,secret words of a report\n")
    run(
        "feedback", "import-records", reviewed.context.folder.path, table, "--finding",
        f"{RIB}=rib", "--join", "accession",
    )  # fmt: skip
    reviewed.context.store.close()
    kept = io.BytesIO()
    for file in reviewed.context.folder.path.glob("service.db*"):
        kept.write(file.read_bytes())
    assert b"A-middle" not in kept.getvalue()
    assert b"secret words" not in kept.getvalue()
