"""A file that arrived -> an accepted image: durable before anybody is told so."""

import time
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.file_meta import CLASSES, SYNTAXES, FileMeta, read_file_meta
from ribsight.deployment.service.folder import keep
from ribsight.deployment.service.tables import State
from ribsight.files import file_sha256

Way = Literal["dicom", "stow"]


class Failure(IntEnum):
    """Why a file is not taken, as DICOM's status and failure reason codes (PS3.4, PS3.7)."""

    OUT_OF_RESOURCES = 0xA700
    NOT_UNDERSTOOD = 0xC000
    CLASS_NOT_SUPPORTED = 0x0122
    SYNTAX_NOT_SUPPORTED = 0xC122
    PROCESSING_FAILURE = 0x0110


class RefusedError(Exception):
    """A file that is not taken.

    Attributes:
        failure: the code for the sender.
        meta: what the file says of itself, if it says anything.
    """

    def __init__(self, failure: Failure, sentence: str, meta: FileMeta | None = None):
        super().__init__(sentence)
        self.failure = failure
        self.meta = meta


@dataclass(frozen=True)
class Accepted:
    """An image that has its place and its job.

    Attributes:
        image: its id.
        meta: what its file says of itself.
        is_new: whether it was not known before.
    """

    image: str
    meta: FileMeta
    is_new: bool


def accept(context: Context, arrived: Path, way: Way, sender: str) -> Accepted:
    """Take a file in. On return it is durable and has a job; before, nobody may be told so.

    The same bytes again are the same image. It is worked on again if it was quarantined, or if its
    result is another model's.

    Args:
        context: the service.
        arrived: the file, in the data folder; it is moved.
        way: how it came.
        sender: who sent it, for the audit log.

    Raises:
        RefusedError: it is no file that may be a radiograph, or there is no room.
        OSError: the disk is broken.
        SQLAlchemyError: the database does not answer.
    """
    meta = read_file_meta(arrived)
    _refuse_unusable(meta)
    assert meta is not None
    if context.room.is_full(takes_one=True):
        raise RefusedError(Failure.OUT_OF_RESOURCES, "the disk is nearly full", meta)
    image, size = file_sha256(arrived), arrived.stat().st_size
    keep(arrived, context.folder.image(image))
    row = {"id": image, "received_at": time.time(), "way": way, "bytes": size, "kept": True,
           "instance": context.keyed("instance", meta.instance_uid)}  # fmt: skip
    try:
        is_new = _enter(context, row, sender)
    except IntegrityError:  # the same image came in at the same moment another way
        is_new = _enter(context, row, sender)
    context.work_waits.ring()
    return Accepted(image, meta, is_new)


def _refuse_unusable(meta: FileMeta | None) -> None:
    if meta is None:
        raise RefusedError(Failure.NOT_UNDERSTOOD, "no DICOM file")
    if meta.sop_class not in CLASSES:
        raise RefusedError(Failure.CLASS_NOT_SUPPORTED, "no radiograph", meta)
    if meta.syntax not in SYNTAXES:
        raise RefusedError(Failure.SYNTAX_NOT_SUPPORTED, "an encoding that is not read", meta)
    if not meta.instance_uid:
        raise RefusedError(Failure.NOT_UNDERSTOOD, "no SOP Instance UID", meta)


def _enter(context: Context, row: dict[str, object], sender: str) -> bool:
    image = row["id"]
    with context.store.writing() as connection:
        known = connection.execute(
            select(tables.images.c.id).where(tables.images.c.id == image)
        ).scalar()
        if known is None:
            connection.execute(insert(tables.images).values(row))
            connection.execute(insert(tables.jobs).values(image=image, created_at=time.time()))
        else:
            connection.execute(
                update(tables.images).where(tables.images.c.id == image).values(kept=True)
            )
            _again(connection, str(image), context.detector.identity.sha256)
        audit.record(
            connection,
            "accepted" if known is None else "received again",
            image=str(image),
            instance=str(row["instance"]),
            way=str(row["way"]),
            sender=sender,
        )
    return known is None


def _again(connection: Connection, image: str, model: str) -> None:
    jobs, results = tables.jobs.c, tables.results.c
    current = connection.execute(
        select(results.model_sha256).where(results.image == image, results.is_current)
    ).scalar()
    wanted = (State.CANCELED,) if current == model else (State.CANCELED, State.COMPLETED)
    connection.execute(
        update(tables.jobs)
        .where(jobs.image == image, jobs.state.in_(wanted))
        .values(state=State.SCHEDULED, attempts=0, not_before=0.0, created_at=time.time(),
                finished_at=None, reason=None)
    )  # fmt: skip


def drop_orphans(context: Context) -> int:
    """Delete files whose acceptance was interrupted, so that nobody was told; return how many.

    For the start of the service, while nothing arrives.
    """
    with context.store.reading() as connection:
        known = set(connection.execute(select(tables.images.c.id)).scalars())
    dropped = 0
    for path in context.folder.images.glob("*/*.dcm"):
        if path.stem not in known:
            path.unlink()
            dropped += 1
    return dropped
