"""How the service is: the queue, the disk, the model, the destinations. Names no patient."""

import time
from dataclasses import dataclass

from sqlalchemy import func, select

from ribsight import __version__
from ribsight.deployment.service import tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.tables import State

_WAITING = (State.SCHEDULED, State.IN_PROGRESS)


@dataclass(frozen=True)
class Health:
    """One moment of the service.

    Attributes:
        ok: whether new images are taken and none has been waiting for too long.
        troubles: one sentence each.
        waiting: images without a result.
        oldest_seconds: how long the first of them has been waiting.
        quarantined: images that could not be read, ever.
        undelivered: objects on their way, by destination.
        free_bytes: of the disk with the data folder.
        model_sha256: of the model at work.
        version: of ribsight.
    """

    ok: bool
    troubles: tuple[str, ...]
    waiting: int
    oldest_seconds: float
    quarantined: int
    undelivered: dict[str, int]
    free_bytes: int
    model_sha256: str
    version: str = __version__


def health(context: Context) -> Health:
    """Look at the service.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    jobs, deliveries = tables.jobs.c, tables.deliveries.c
    waiting = select(func.count(), func.min(jobs.created_at)).where(jobs.state.in_(_WAITING))
    quarantined = select(func.count()).where(jobs.state == State.CANCELED)
    undelivered = (
        select(deliveries.destination, func.count())
        .where(deliveries.state.in_(_WAITING))
        .group_by(deliveries.destination)
    )
    with context.store.reading() as connection:
        count, oldest = connection.execute(waiting).one()
        canceled = connection.execute(quarantined).scalar_one()
        sent: dict[str, int] = dict(connection.execute(undelivered).all())
    age = max(time.time() - oldest, 0.0) if oldest is not None else 0.0
    free = context.room.free_bytes
    troubles = _troubles(context, age)
    return Health(
        ok=not troubles,
        troubles=tuple(troubles),
        waiting=count,
        oldest_seconds=age,
        quarantined=canceled,
        undelivered={one.name: sent.get(one.name, 0) for one in context.settings.destinations},
        free_bytes=free,
        model_sha256=context.detector.identity.sha256,
    )


def _troubles(context: Context, age: float) -> list[str]:
    found = []
    if context.room.is_full():
        found.append("the disk is nearly full: nothing new is accepted")
    if age > context.settings.work.lease_seconds:
        found.append(f"an image has been waiting for {age:.0f} s")
    if context.stopping.is_set():
        found.append("the service is stopping")
    return found
