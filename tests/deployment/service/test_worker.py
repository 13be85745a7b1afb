import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from sqlalchemy import select, update
from tests.archive.conftest import dicom
from tests.deployment.service.clients import SC, SR
from tests.deployment.service.conftest import NewContext, quick_settings
from tests.tiny_model import write_tiny_model

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.results import ResultOptions
from ribsight.deployment.service import jobs, tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.folder import new_incoming
from ribsight.deployment.service.intake import accept
from ribsight.deployment.service.objects import Objects
from ribsight.deployment.service.outcomes import Outcome, record_outcome
from ribsight.deployment.service.settings import DestinationSettings, WorkSettings
from ribsight.deployment.service.tables import Kind, State
from ribsight.deployment.service.worker import Worker
from ribsight.radiographs.guarded import GuardedReader

# Few marks: reports of many take their time.
OPTIONS = ResultOptions(least_score=0.98)


@pytest.fixture(scope="module")
def reader() -> Iterator[GuardedReader]:
    with GuardedReader() as one:
        yield one


def take_in(context: Context, *files: bytes) -> list[str]:
    ids = []
    for content in files:
        stream, path = new_incoming(context.folder)
        with stream:
            stream.write(content)
        ids.append(accept(context, path, "dicom", "TEST").image)
    return ids


def worker_of(context: Context) -> Worker:
    return Worker(context, Objects(context.detector, OPTIONS))


def work_off(context: Context, reader: GuardedReader) -> None:
    worker = worker_of(context)
    while jobs.next_due(context.store) is not None:
        worker.step(reader)


def one_row(context: Context, query: Any) -> Any:
    with context.store.reading() as connection:
        return connection.execute(query).one()


def current(context: Context, image: str) -> Any:
    return one_row(
        context,
        select(tables.results).where(tables.results.c.image == image, tables.results.c.is_current),
    )


def job_of(context: Context, image: str) -> Any:
    return one_row(context, select(tables.jobs).where(tables.jobs.c.image == image))


def objects_of(context: Context, result: int) -> list[Any]:
    query = select(tables.objects).where(tables.objects.c.result == result)
    with context.store.reading() as connection:
        return list(connection.execute(query).all())


def test_an_image_becomes_a_result_with_scores_and_objects(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context(quick_settings(DestinationSettings(name="pacs", kind="dicom", host="h")))
    (image,) = take_in(context, dicom(1, side=128))
    work_off(context, reader)
    result = current(context, image)
    assert (result.kind, result.reason) == (Kind.FINDINGS, None)
    assert job_of(context, image).state == State.COMPLETED
    said = json.loads(result.document)
    assert said["sha256"] == image
    with context.store.reading() as connection:
        scores = connection.execute(select(tables.scores)).all()
        waiting = connection.execute(select(tables.deliveries)).all()
    assert {one.finding: one.score for one in scores} == {
        name: one["score"] for name, one in said["findings"].items()
    }
    made = objects_of(context, result.id)
    assert {one.sop_class for one in made} == {SR, SC}
    assert len(waiting) == 2
    for one in made:
        content = dcmread(context.folder.result(image, one.instance_uid))
        assert content.SOPInstanceUID == one.instance_uid
    described = one_row(context, select(tables.images))
    assert described.study == context.keyed(
        "study", dcmread(context.folder.image(image)).StudyInstanceUID
    )
    assert (described.rows, described.columns, described.view) == (128, 128, "pa")


def test_an_image_that_is_not_for_the_detector_gets_the_reason_as_a_result(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context()
    (image,) = take_in(context, dicom(1, ViewPosition="LATERAL"))
    work_off(context, reader)
    result = current(context, image)
    assert result.kind == Kind.NOT_PROCESSED
    assert result.reason.startswith("is not scored: lateral_chest")
    assert job_of(context, image).state == State.COMPLETED
    report = next(one for one in objects_of(context, result.id) if one.sop_class == SR)
    content = context.folder.result(image, report.instance_uid).read_bytes()
    assert b"No algorithms succeeded" in content
    assert b"lateral_chest" in content


def test_a_damaged_image_is_set_aside_and_others_go_on(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context()
    damaged = dicom(1, side=128)[:-20000]
    bad, good = take_in(context, damaged, dicom(2, side=128))
    work_off(context, reader)
    result = current(context, bad)
    assert result.kind == Kind.NOT_PROCESSED
    assert "damaged" in result.reason
    assert job_of(context, bad).state == State.CANCELED
    assert not context.folder.image(bad).exists()
    assert context.folder.quarantined(bad).read_bytes() == damaged
    # Its header could be read: the study learns of it.
    assert {one.sop_class for one in objects_of(context, result.id)} >= {SR}
    assert current(context, good).kind == Kind.FINDINGS


def test_a_quarantined_image_that_is_sent_again_is_tried_again(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context()
    damaged = dicom(1, side=128)[:-20000]
    (image,) = take_in(context, damaged)
    work_off(context, reader)
    first = current(context, image)
    take_in(context, damaged)
    assert job_of(context, image).state == State.SCHEDULED
    work_off(context, reader)
    assert current(context, image).id > first.id


def test_the_same_model_does_not_work_twice_and_another_replaces(
    new_context: NewContext, reader: GuardedReader, tmp_path: Path
) -> None:
    context = new_context(quick_settings(DestinationSettings(name="pacs", kind="dicom", host="h")))
    (image,) = take_in(context, dicom(1, side=128))
    work_off(context, reader)
    first = current(context, image)
    old = {one.instance_uid for one in objects_of(context, first.id)}
    take_in(context, dicom(1, side=128))
    assert job_of(context, image).state == State.COMPLETED
    context.close()
    other = DetectorAtWork.load(write_tiny_model(tmp_path / "other" / "model", seed=5))
    settings = quick_settings(DestinationSettings(name="pacs", kind="dicom", host="h"))
    context = new_context(settings, detector=other)
    take_in(context, dicom(1, side=128))
    work_off(context, reader)
    second = current(context, image)
    assert second.model_sha256 == other.identity.sha256 != first.model_sha256
    assert not any(context.folder.result(image, one).exists() for one in old)
    with context.store.reading() as connection:
        states = connection.execute(
            select(tables.deliveries.c.state, tables.objects.c.result).join(
                tables.objects, tables.objects.c.id == tables.deliveries.c.object
            )
        ).all()
    assert {state for state, result in states if result == first.id} == {State.CANCELED}
    assert {state for state, result in states if result == second.id} == {State.SCHEDULED}


def test_the_same_job_done_twice_gives_the_same_objects(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context()
    (image,) = take_in(context, dicom(1, side=128))
    work_off(context, reader)
    first = objects_of(context, current(context, image).id)
    with context.store.writing() as connection:
        connection.execute(update(tables.jobs).values(state=State.SCHEDULED))
    work_off(context, reader)
    second = objects_of(context, current(context, image).id)
    assert [(one.instance_uid, one.sha256) for one in first] == [
        (one.instance_uid, one.sha256) for one in second
    ]
    assert all(context.folder.result(image, one.instance_uid).exists() for one in second)


def test_a_worker_that_lost_its_lease_writes_nothing(new_context: NewContext) -> None:
    context = new_context()
    (image,) = take_in(context, dicom(1))
    (lost,) = jobs.claim(context.store, "slow", 1, -1.0)
    (taken,) = jobs.claim(context.store, "quick", 1, 60.0)
    outcome = Outcome(None, "is not scored", None)
    assert not record_outcome(context, lost, outcome)
    assert record_outcome(context, taken, outcome)
    assert current(context, image).kind == Kind.NOT_PROCESSED


def test_jobs_are_taken_in_order_and_one_that_was_begun_before_alone(
    new_context: NewContext,
) -> None:
    context = new_context()
    ids = take_in(context, *(dicom(number) for number in range(4)))
    assert [one.image for one in jobs.claim(context.store, "a", 1, 60)] == ids[:1]
    assert jobs.release_others(context.store, "b") == 1
    assert [one.image for one in jobs.claim(context.store, "b", 4, 60)] == ids[:1]
    rest = jobs.claim(context.store, "b", 4, 60)
    assert [one.image for one in rest] == ids[1:]
    jobs.release(context.store, rest)
    again = jobs.claim(context.store, "b", 4, 60)
    assert [one.attempts for one in again] == [1, 1, 1]
    # One that failed was begun: that counts, and makes it be taken alone.
    jobs.postpone(context.store, again[0], 0)
    assert [one.attempts for one in jobs.claim(context.store, "b", 4, 60)] == [2]


def test_an_image_that_ends_the_service_each_time_is_set_aside(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context(quick_settings(work=WorkSettings(attempts=2)))
    image, other = take_in(context, dicom(1, side=128), dicom(2, side=128))
    for owner in ("first life", "second life"):
        assert [one.image for one in jobs.claim(context.store, owner, 1, 60)] == [image]
        jobs.release_others(context.store, "next life")
    work_off(context, reader)
    assert "the service ended 2 times" in current(context, image).reason
    assert context.folder.quarantined(image).exists()
    assert current(context, other).kind == Kind.FINDINGS


def test_a_bug_is_tried_again_and_then_set_aside(
    new_context: NewContext, reader: GuardedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = new_context(quick_settings(work=WorkSettings(attempts=2)))
    (image,) = take_in(context, dicom(1, side=128))

    def broken(*_: object, **__: object) -> None:
        raise TypeError("Doe^Jane")

    monkeypatch.setattr(context.detector, "maps", broken)
    worker = worker_of(context)
    worker.step(reader)
    assert job_of(context, image).state == State.SCHEDULED
    with context.store.writing() as connection:
        connection.execute(update(tables.jobs).values(not_before=0.0))
    worker.step(reader)
    reason = current(context, image).reason
    assert reason == "is not read: working on it failed (TypeError)"


def test_an_image_without_a_study_has_a_result_that_says_why_there_is_no_object(
    new_context: NewContext, reader: GuardedReader
) -> None:
    context = new_context()
    (image,) = take_in(context, dicom(1, side=128, StudyInstanceUID=None))
    work_off(context, reader)
    result = current(context, image)
    assert result.kind == Kind.FINDINGS
    assert objects_of(context, result.id) == []
    assert "no DICOM objects" in json.loads(result.document)["warnings"][-1]
