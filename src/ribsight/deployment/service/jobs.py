"""The queue: which image is worked on, by whom, until when."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from ribsight.deployment.service import tables
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.tables import State


@dataclass(frozen=True)
class Job:
    """A job that a worker has.

    Attributes:
        id: its number; jobs are begun in their order.
        image: the image's id.
        attempts: how often it was begun, this time too, without coming to an end.
        owner: whose it is.
    """

    id: int
    image: str
    attempts: int
    owner: str


def claim(store: Store, owner: str, count: int, lease_seconds: float) -> list[Job]:
    """Take up to `count` jobs that are due or whose worker has lost them, the first ones first.

    A job that was begun before is taken alone: should it be what ends the service, others are not
    held responsible.
    """
    jobs, now = tables.jobs.c, time.time()
    due = or_(
        and_(jobs.state == State.SCHEDULED, jobs.not_before <= now),
        and_(jobs.state == State.IN_PROGRESS, jobs.lease_until < now),
    )
    wanted = (
        select(jobs.id, jobs.image, jobs.attempts)
        .where(due)
        .order_by(jobs.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    with store.writing() as connection:
        rows = connection.execute(wanted).all()
        begun = [place for place, row in enumerate(rows) if row.attempts]
        rows = rows[: (begun[0] or 1)] if begun else rows
        taken = [Job(row.id, row.image, row.attempts + 1, owner) for row in rows]
        if taken:
            connection.execute(
                update(tables.jobs)
                .where(jobs.id.in_([job.id for job in taken]))
                .values(
                    state=State.IN_PROGRESS,
                    owner=owner,
                    lease_until=now + lease_seconds,
                    attempts=jobs.attempts + 1,
                )
            )
    return taken


def release(store: Store, given: Sequence[Job], *, wait_seconds: float = 0.0) -> None:
    """Give jobs back as if they had not been begun, to be taken again after a while."""
    for job in given:
        _give_back(store, job, job.attempts - 1, wait_seconds)


def postpone(store: Store, job: Job, wait_seconds: float) -> None:
    """Give a job back that failed; the attempt counts."""
    _give_back(store, job, tables.jobs.c.attempts, wait_seconds)


def _give_back(
    store: Store, job: Job, attempts: int | ColumnElement[int], wait_seconds: float
) -> None:
    """Give a job back, unless it has become another's."""
    jobs = tables.jobs.c
    with store.writing() as connection:
        connection.execute(
            update(tables.jobs)
            .where(jobs.id == job.id, jobs.owner == job.owner, jobs.state == State.IN_PROGRESS)
            .values(
                state=State.SCHEDULED,
                owner=None,
                lease_until=None,
                attempts=attempts,
                not_before=time.time() + wait_seconds,
            )
        )


def release_others(store: Store, owner: str) -> int:
    """Give back what processes before this one had; for who owns the data folder alone.

    The attempts count: an image that ends the service each time is known by them.
    """
    jobs = tables.jobs.c
    with store.writing() as connection:
        done = connection.execute(
            update(tables.jobs)
            .where(jobs.state == State.IN_PROGRESS, jobs.owner != owner)
            .values(state=State.SCHEDULED, owner=None, lease_until=None, not_before=0.0)
        )
    return done.rowcount


def next_due(store: Store) -> float | None:
    """Return in how many seconds the next job is due; None if none waits."""
    jobs = tables.jobs.c
    wanted = select(func.min(jobs.not_before)).where(jobs.state == State.SCHEDULED)
    with store.reading() as connection:
        at = connection.execute(wanted).scalar()
    return None if at is None else max(at - time.time(), 0.0)
