import csv
from datetime import datetime
from pathlib import Path

import pytest
from pydicom import uid
from tests.deployment.service.triage.conftest import DAY, FIRST, RIB, Seeded
from tests.deployment.service.triage.seeding import add_result

from ribsight.deployment.service.triage.listed import Order, Query
from ribsight.deployment.service.triage.records import By, import_records, read_table
from ribsight.deployment.service.triage.worklist import worklist
from ribsight.evaluation.predictions import FindingPrediction, Levels

SCORED = ["high", "clavicle", "middle", "low"]


def test_the_highest_probability_of_any_finding_comes_first(seeded: Seeded) -> None:
    assert seeded.names() == [*SCORED, "waiting", "refused"]


def test_of_one_finding_only_its_probability_counts(seeded: Seeded) -> None:
    assert seeded.names(finding=RIB, state="done") == ["high", "middle", "clavicle", "low"]


def test_most_uncertain_is_nearest_to_even_chances(seeded: Seeded) -> None:
    # 0.52; of high 0.4 does not count, it is a mark's: |0.9 - 0.5| = 0.4; clavicle |0.7 - 0.5|.
    assert seeded.names(order="uncertainty", state="done") == ["middle", "clavicle", "high", "low"]


def test_without_calibration_uncertain_is_nearest_to_an_operating_point(seeded: Seeded) -> None:
    for name, score in {"high": 0.9, "middle": 0.5, "low": 0.21, "clavicle": 0.32}.items():
        add_result(seeded.context, seeded.ids[name], {RIB: FindingPrediction(score, ())})
    levels = {RIB: Levels(doubtful=0.3, confident=0.8)}
    query = Query(reader="A", order=Order.UNCERTAINTY, limit=4)
    with seeded.context.store.reading() as connection:
        page = worklist(connection, query, levels)
    ids = {id_: name for name, id_ in seeded.ids.items()}
    # 0.02, 0.09, 0.1 and 0.2 from the nearer of the two.
    assert [ids[one.id] for one in page.rows] == ["clavicle", "low", "high", "middle"]


@pytest.mark.parametrize(
    ("certainty", "names"),
    [("confident", ["high", "clavicle"]), ("doubtful", ["middle"]), ("none", ["low"])],
)
def test_certainty_is_that_of_the_image(seeded: Seeded, certainty: str, names: list[str]) -> None:
    assert seeded.names(certainty=certainty) == names


def test_certainty_of_one_finding(seeded: Seeded) -> None:
    assert seeded.names(certainty="none", finding=RIB) == ["clavicle", "low"]


def test_what_was_not_processed_is_there_with_its_reason(seeded: Seeded) -> None:
    (row,) = seeded.get("/api/worklist", state="not_processed")["items"]
    assert (row["state"], row["reason"]) == ("not_processed", "is not scored: lateral")
    assert row["findings"] == []
    assert seeded.names(state="waiting") == ["waiting"]


def test_days_are_those_of_receiving(seeded: Seeded) -> None:
    second = datetime.fromtimestamp(FIRST + DAY).date().isoformat()
    third = datetime.fromtimestamp(FIRST + 2 * DAY).date().isoformat()
    assert seeded.names(since=second, until=third, order="received") == ["low", "middle"]


def test_pages_follow_each_other_without_gap(seeded: Seeded) -> None:
    whole = seeded.names()
    pages = [seeded.names(offset=offset, limit=2) for offset in (0, 2, 4)]
    assert [name for page in pages for name in page] == whole
    assert seeded.get("/api/worklist", offset=4, limit=2)["total"] == 6


def test_read_is_what_this_reader_has_saved(seeded: Seeded) -> None:
    assert seeded.post("high", seeded.review("high", complete=True)).status_code == 201
    assert seeded.names(read="yes") == ["high"]
    assert "high" not in seeded.names(read="no")
    (row,) = seeded.get("/api/worklist", read="yes")["items"]
    assert (row["read"], row["complete"]) == (True, True)
    assert seeded.names(read="yes", reader="B") == []
    assert seeded.get("/api/worklist")["unread"] == 3  # of four that were scored
    assert seeded.get("/api/worklist", reader="B")["unread"] == 4


@pytest.mark.parametrize(
    "query",
    [{"order": "luck"}, {"reader": " "}, {"limit": 1000}, {"offset": -1}, {"since": "yesterday"}],
)
def test_a_wrong_question_is_refused(seeded: Seeded, query: dict[str, str | int]) -> None:
    asked = {"reader": "A", **query}
    assert seeded.client.get("/api/worklist", params=asked).status_code == 422


def write_records(path: Path, column: str, rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[column, "rib"], *rows.items()])
    return path


def test_disagreement_puts_first_where_the_record_says_otherwise(
    seeded: Seeded, tmp_path: Path
) -> None:
    says = {"high": "0", "middle": "1", "low": "1", "clavicle": "-1"}
    rows = {seeded.ids[name]: state for name, state in says.items()}
    table = write_records(tmp_path / "records.csv", "image", rows)
    read = read_table(table, By.IMAGE, None, {RIB: "rib"})
    key = seeded.context.owned.key
    assert import_records(seeded.context.store, read, By.IMAGE, key.name) == 4
    # |1 - 0.02|, |0 - 0.9|, |1 - 0.52|; an uncertain record disagrees with nothing.
    page = seeded.get("/api/worklist", order="disagreement", state="done")
    assert seeded.names(order="disagreement", state="done") == ["low", "high", "middle", "clavicle"]
    assert [one["why"] for one in page["items"]] == [
        "rib fracture: record positive, detector finds nothing",
        "rib fracture: record negative, detector confident",
        "",
        "",
    ]
    image = seeded.get(f"/api/images/{seeded.ids['low']}")
    assert image["records"] == {RIB: {"state": "positive", "acuity": "unknown", "side": "unknown"}}


def test_records_of_a_study_meet_its_images_and_a_later_import_replaces_them(
    seeded: Seeded, tmp_path: Path
) -> None:
    key, store = seeded.context.owned.key, seeded.context.store
    study = uid.generate_uid(entropy_srcs=["low", "study"])
    for state, expected in (("1", "positive"), ("0", "negative")):
        table = write_records(tmp_path / "records.csv", "study", {study: state})
        read = read_table(table, By.STUDY, None, {RIB: "rib"})
        import_records(store, read, By.STUDY, key.name)
        image = seeded.get(f"/api/images/{seeded.ids['low']}")
        assert image["records"][RIB]["state"] == expected
    assert seeded.get(f"/api/images/{seeded.ids['high']}")["records"] == {}


def test_of_several_records_of_one_study_the_strongest_counts(
    seeded: Seeded, tmp_path: Path
) -> None:
    study = uid.generate_uid(entropy_srcs=["low", "study"])
    table = tmp_path / "records.csv"
    table.write_text(f"study,rib\n{study},-1\n{study},1\n{study},0\n")
    read = read_table(table, By.STUDY, None, {RIB: "rib"})
    import_records(seeded.context.store, read, By.STUDY, seeded.context.owned.key.name)
    image = seeded.get(f"/api/images/{seeded.ids['low']}")
    assert image["records"][RIB]["state"] == "positive"
