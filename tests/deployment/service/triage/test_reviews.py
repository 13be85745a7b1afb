import json
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.deployment.service.triage.conftest import CLAVICLE, PAGE, RIB, NewContext, Seeded, seed
from tests.deployment.service.triage.seeding import add_result

from ribsight.deployment.service import tables
from ribsight.deployment.service.housekeeping import delete_old
from ribsight.deployment.service.settings import ServiceSettings, StoreSettings
from ribsight.deployment.service.triage.reviews import history
from ribsight.deployment.service.triage.tables import reviews
from ribsight.evaluation.predictions import FindingPrediction

ACCEPT = {"key": f"{RIB}/0", "decision": "accepted"}
REJECT = {"key": f"{RIB}/1", "decision": "rejected"}
BOX = {"finding": CLAVICLE, "box": [1.5, 2.0, 30.25, 40.0]}


def count(seeded: Seeded) -> int:
    with seeded.context.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(reviews)).scalar_one()


def shown(seeded: Seeded, name: str, reader: str = "A") -> Any:
    return seeded.get(f"/api/images/{seeded.ids[name]}", reader=reader)


def test_a_review_is_found_again_by_its_reader_and_nobody_else(seeded: Seeded) -> None:
    sent = seeded.review("high", complete=True, marks=[ACCEPT, REJECT], drawn=[BOX])
    answer = seeded.post("high", sent)
    assert answer.status_code == 201
    review = shown(seeded, "high")["review"]
    assert review == answer.json()
    assert review["complete"] is True
    assert review["drawn"] == [BOX]
    # The box of a mark is the service's own, so that it outlives the model.
    accepted, rejected = review["marks"]
    assert accepted == {**ACCEPT, "finding": RIB, "box": [40, 60, 90, 100]}
    assert rejected == {**REJECT, "finding": RIB, "box": [200, 80, 230, 120]}
    other = shown(seeded, "high", reader="B")
    assert other["review"] is None
    assert other["other_readers"] == 1


def test_sent_twice_it_is_kept_once(seeded: Seeded) -> None:
    sent = seeded.review("high", marks=[ACCEPT])
    first, second = seeded.post("high", sent), seeded.post("high", sent)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert count(seeded) == 1


def test_an_id_belongs_to_one_review(seeded: Seeded) -> None:
    sent = seeded.review("high", marks=[ACCEPT])
    seeded.post("high", sent)
    others: list[dict[str, Any]] = [{"complete": True}, {"reader": "B"}, {"marks": []}]
    for changes in others:
        answer = seeded.post("high", {**sent, **changes})
        assert answer.status_code == 409
    assert seeded.post("middle", sent).status_code == 409
    assert count(seeded) == 1


def test_earlier_reviews_stay_and_the_last_one_counts(seeded: Seeded) -> None:
    first = seeded.review("high", marks=[ACCEPT])
    second = seeded.review("high", marks=[], complete=True, based_on=first["review_id"])
    assert seeded.post("high", first).status_code == 201
    assert seeded.post("high", second).status_code == 201
    image = shown(seeded, "high")
    assert image["review"]["review_id"] == second["review_id"]
    assert [one["review_id"] for one in image["history"]] == [
        first["review_id"],
        second["review_id"],
    ]


def test_what_was_saved_elsewhere_meanwhile_is_not_lost(seeded: Seeded) -> None:
    first, second = seeded.review("high", marks=[ACCEPT]), seeded.review("high", complete=True)
    seeded.post("high", first)
    answer = seeded.post("high", second)
    assert answer.status_code == 409
    assert answer.json()["detail"]["current"]["review_id"] == first["review_id"]
    assert seeded.post("high", {**second, "based_on": first["review_id"]}).status_code == 201


def test_of_reviews_saved_at_one_moment_one_is_kept(seeded: Seeded) -> None:
    statuses: list[int] = []
    ready = threading.Barrier(8)

    def save() -> None:
        sent = seeded.review("high", marks=[ACCEPT])
        ready.wait()
        statuses.append(seeded.post("high", sent).status_code)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(statuses) == [201, *[409] * 7]
    with seeded.context.store.reading() as connection:
        assert len(history(connection, seeded.ids["high"], "A")) == 1


def test_readers_save_at_one_moment_without_harm(seeded: Seeded) -> None:
    def save(reader: str) -> None:
        assert seeded.post("high", seeded.review("high", reader=reader)).status_code == 201

    threads = [threading.Thread(target=save, args=(f"reader {n}",)) for n in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert count(seeded) == 6


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"marks": [{"key": f"{RIB}/9", "decision": "accepted"}]}, 422, "no mark rib_fracture/9"),
        ({"marks": [ACCEPT, {**ACCEPT, "decision": "rejected"}]}, 422, "judged twice"),
        ({"marks": [{**ACCEPT, "decision": "maybe"}]}, 422, "'accepted' or 'rejected'"),
        ({"drawn": [{**BOX, "box": [10, 10, 500, 20]}]}, 422, "400 x 300 pixels"),
        ({"drawn": [{**BOX, "box": [10, 10, 10, 20]}]}, 422, "does not lie in"),
        ({"drawn": [{**BOX, "box": [30, 10, 10, 20]}]}, 422, "does not lie in"),
        ({"drawn": [{**BOX, "finding": "pneumonia"}]}, 422, "no finding pneumonia"),
        ({"model_sha256": "0" * 64}, 409, "another model"),
        ({"reader": "  "}, 422, "reader"),
        ({"reader": "a\nb"}, 422, "reader"),
        ({"review_id": "1"}, 422, "review_id"),
        ({"note": "more"}, 422, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused_and_not_kept(
    seeded: Seeded, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = seeded.post("high", seeded.review("high", **changes))
    assert answer.status_code == status
    assert said in answer.text
    assert count(seeded) == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_box_has_finite_numbers(seeded: Seeded, number: str) -> None:
    text = json.dumps(seeded.review("high", drawn=[{**BOX, "box": [1, 2, 3, 0.125]}]))
    answer = seeded.client.post(
        f"/api/images/{seeded.ids['high']}/reviews",
        content=text.replace("0.125", number),
        headers={**PAGE, "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert count(seeded) == 0


def test_only_what_was_scored_can_be_reviewed(seeded: Seeded) -> None:
    for name in ("refused", "waiting"):
        assert seeded.post(name, seeded.review(name)).status_code == 409
    seeded.ids["unknown"] = "0" * 64
    assert seeded.post("unknown", seeded.review("unknown")).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**PAGE, "Sec-Fetch-Site": "cross-site"},
        {**PAGE, "Sec-Fetch-Site": "same-site"},
        {**PAGE, "Origin": "http://evil.example"},
    ],
)
def test_other_sites_and_forms_cannot_save(seeded: Seeded, headers: dict[str, str]) -> None:
    assert seeded.post("high", seeded.review("high"), headers).status_code == 403
    assert count(seeded) == 0


def test_a_form_is_no_review(seeded: Seeded) -> None:
    answer = seeded.client.post(
        f"/api/images/{seeded.ids['high']}/reviews", data={"reader": "A"}, headers=PAGE
    )
    assert answer.status_code == 422


def test_a_review_outlives_the_model_it_was_made_with(seeded: Seeded) -> None:
    seeded.post("high", seeded.review("high", marks=[ACCEPT], complete=True))
    found = {RIB: FindingPrediction(0.0, ())}
    add_result(seeded.context, seeded.ids["high"], found, model_sha256="1" * 64)
    image = shown(seeded, "high")
    assert image["findings"][0]["marks"] == []
    assert image["review"]["marks"][0]["box"] == [40, 60, 90, 100]
    assert image["review"]["model_sha256"] != image["model_sha256"]
    document = seeded.client.get("/api/regions.coco.json").json()
    assert [one["bbox"] for one in document["annotations"]] == [[40, 60, 50, 40]]


def test_an_old_image_that_was_reviewed_is_kept_for_the_next_cohort(
    new_context: NewContext, tmp_path: Path
) -> None:
    seeded = seed(new_context(ServiceSettings(store=StoreSettings(keep_days=1))), tmp_path / "f")
    context = seeded.context
    with context.store.writing() as connection:
        connection.execute(update(tables.jobs).values(finished_at=0.0))
    seeded.post("high", seeded.review("high"))
    assert delete_old(context) == 4  # middle, low, clavicle, refused
    kept = [name for name, id_ in seeded.ids.items() if context.folder.image(id_).exists()]
    assert kept == ["high", "waiting"]
    gone = seeded.client.get(f"/api/images/{seeded.ids['low']}/pixels")
    assert (gone.status_code, gone.json()["detail"]) == (410, "the file was deleted for its age")
    assert seeded.get(f"/api/images/{seeded.ids['low']}")["pixels"] is False


def test_ids_are_uuids_of_any_version(seeded: Seeded) -> None:
    sent = seeded.review("high", review_id=str(uuid.uuid1()))
    assert seeded.post("high", sent).status_code == 201
