"""What became of an image, made durable: one current result, its objects, what is to be delivered.

Objects are written before the transaction that names them. A service that dies in between writes
the same bytes to the same names when it comes to the image again.
"""

import hashlib
import io
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy import Connection, insert, select, update

from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.folder import keep, new_incoming
from ribsight.deployment.service.jobs import Job
from ribsight.deployment.service.tables import Kind, State
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.evaluation.predictions_file import image_document
from ribsight.radiographs.radiograph import Identifiers, Radiograph


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is known of an image at the end of its job.

    Attributes:
        prediction: what the detector said; None if it was not asked.
        reason: why it was not asked.
        radiograph: what was read of the file; None if nothing could be.
        identifiers: whom and what the file is about, as far as that is known.
        objects: DICOM objects that say all this.
        is_quarantined: whether the file is set aside, and the job counts as cancelled.
    """

    prediction: ImagePrediction | None
    reason: str | None
    radiograph: Radiograph | None
    identifiers: Identifiers = field(default_factory=Identifiers)
    objects: Sequence[Dataset] = ()
    is_quarantined: bool = False


@dataclass(frozen=True)
class _Written:
    sop_class: str
    instance_uid: str
    series_uid: str
    bytes: int
    sha256: str


def record_outcome(context: Context, job: Job, outcome: Outcome) -> bool:
    """Make an outcome the current result of a job's image, in place of an older one.

    Returns:
        whether it did; not if the worker had lost the job to another.

    Raises:
        OSError: the disk is full or broken.
        SQLAlchemyError: the database does not answer.
    """
    if outcome.is_quarantined:
        _set_aside(context, job.image)
    written = [_write(context, job.image, one) for one in outcome.objects]
    with context.store.writing() as connection:
        if not _finish(connection, job, outcome):
            return False
        stale = _replace_current(connection, job.image)
        result = _enter(connection, context, job, outcome)
        for one in written:
            _enter_object(connection, context, result, one)
        connection.execute(
            update(tables.images)
            .where(tables.images.c.id == job.image)
            .values(**_described(context, outcome))
        )
        audit.record(
            connection,
            "quarantined" if outcome.is_quarantined else "result",
            image=job.image,
            model=context.detector.identity.sha256,
            outcome=str(_kind(outcome)),
            reason=outcome.reason,
            objects=len(written),
        )
    for name in stale - {one.instance_uid for one in written}:
        with suppress(OSError):
            context.folder.result(job.image, name).unlink()
    context.delivery_waits.ring()
    return True


def _kind(outcome: Outcome) -> Kind:
    return Kind.NOT_PROCESSED if outcome.prediction is None else Kind.FINDINGS


def _set_aside(context: Context, image: str) -> None:
    path = context.folder.image(image)
    if path.exists():
        path.replace(context.folder.quarantined(image))


def _write(context: Context, image: str, made: Dataset) -> _Written:
    content = io.BytesIO()
    made.save_as(content, enforce_file_format=True)
    data = content.getvalue()
    stream, unfinished = new_incoming(context.folder)
    try:
        with stream:
            stream.write(data)
        keep(unfinished, context.folder.result(image, str(made.SOPInstanceUID)))
    finally:
        unfinished.unlink(missing_ok=True)
    return _Written(
        sop_class=str(made.SOPClassUID),
        instance_uid=str(made.SOPInstanceUID),
        series_uid=str(made.SeriesInstanceUID),
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _finish(connection: Connection, job: Job, outcome: Outcome) -> bool:
    jobs = tables.jobs.c
    done = connection.execute(
        update(tables.jobs)
        .where(jobs.id == job.id, jobs.owner == job.owner, jobs.state == State.IN_PROGRESS)
        .values(
            state=State.CANCELED if outcome.is_quarantined else State.COMPLETED,
            owner=None,
            lease_until=None,
            finished_at=time.time(),
            reason=outcome.reason,
        )
    )
    return done.rowcount == 1


def _replace_current(connection: Connection, image: str) -> set[str]:
    """Make what was current history, undelivered objects too; return its objects' names."""
    results, objects, deliveries = tables.results.c, tables.objects.c, tables.deliveries.c
    old = select(results.id).where(results.image == image, results.is_current)
    their = select(objects.id).where(objects.result.in_(old.scalar_subquery()))
    names = select(objects.instance_uid).where(objects.id.in_(their.scalar_subquery()))
    found = set(connection.execute(names).scalars())
    connection.execute(
        update(tables.deliveries)
        .where(deliveries.object.in_(their.scalar_subquery()), deliveries.state == State.SCHEDULED)
        .values(state=State.CANCELED, reason="replaced", finished_at=time.time())
    )
    connection.execute(
        update(tables.results)
        .where(results.image == image, results.is_current)
        .values(is_current=False)
    )
    return found


def _enter(connection: Connection, context: Context, job: Job, outcome: Outcome) -> int:
    said = outcome.prediction
    done = connection.execute(
        insert(tables.results).values(
            image=job.image,
            is_current=True,
            model_sha256=context.detector.identity.sha256,
            kind=_kind(outcome),
            reason=outcome.reason,
            document=json.dumps(image_document(said) if said else {}),
            created_at=time.time(),
        )
    )
    key = done.inserted_primary_key
    assert key is not None
    result = int(key[0])
    for name, one in (said.findings if said else {}).items():
        connection.execute(
            insert(tables.scores).values(
                result=result,
                finding=name,
                score=one.score,
                probability=one.probability,
                certainty=one.certainty,
            )
        )
    return result


def _enter_object(connection: Connection, context: Context, result: int, one: _Written) -> None:
    done = connection.execute(insert(tables.objects).values(result=result, **vars(one)))
    key = done.inserted_primary_key
    assert key is not None
    for destination in context.settings.destinations:
        connection.execute(
            insert(tables.deliveries).values(
                object=key[0], destination=destination.name, created_at=time.time()
            )
        )


def _described(context: Context, outcome: Outcome) -> dict[str, Any]:
    said = outcome.identifiers
    described: dict[str, Any] = {
        "study": context.keyed("study", said.study_uid),
        "accession": context.keyed("accession", said.accession_number),
        "patient": context.keyed("patient", said.patient_id),
    }
    if outcome.radiograph is not None:
        view = outcome.radiograph.view
        described["view"] = str(view) if view else None
        described["rows"], described["columns"] = outcome.radiograph.pixels.shape
    return described
