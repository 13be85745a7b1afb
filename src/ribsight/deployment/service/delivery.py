"""Objects to destinations: in order, again and again until they are there."""

import logging
import threading
import time
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.sending import RefusedError, Sender, SilentError, sender_to
from ribsight.deployment.service.settings import DestinationSettings
from ribsight.deployment.service.tables import State

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 5.0
_HANG_UP_SECONDS = 5.0


@dataclass(frozen=True)
class Delivery:
    """An object that is to be delivered.

    Attributes:
        id: its number; deliveries to a destination are made in their order.
        image: the image's id that it is about.
        instance_uid: of the object.
        sop_class: of the object.
        attempts: how often the destination has refused it.
    """

    id: int
    image: str
    instance_uid: str
    sop_class: str
    attempts: int


class Deliverer(threading.Thread):
    """The thread that delivers to one destination.

    The first object is tried until the destination has it; those behind it wait, so that they
    arrive in order. One that the destination refuses by itself is given up after some attempts.
    """

    def __init__(self, context: Context, destination: DestinationSettings):
        """Deliver for a service.

        Raises:
            RibsightError: the destination's certificates cannot be used.
        """
        super().__init__(name=f"ribsight-to-{destination.name}", daemon=True)
        self._context = context
        self._destination = destination
        self._sender: Sender = sender_to(destination)
        self._news = context.delivery_waits.listener()

    def run(self) -> None:
        """Deliver until the service stops."""
        wait, name = 0.0, self._destination.name
        while not self._context.stopping.is_set():
            try:
                if self.step():
                    wait = 0.0
                    continue
                if self._news.wait(_HANG_UP_SECONDS):
                    self._news.clear()
                    continue
                self._sender.close()
                self._news.wait(_IDLE_SECONDS)
                self._news.clear()
            except (SilentError, RefusedError, SQLAlchemyError, OSError) as error:
                said = str(error) if isinstance(error, SilentError | RefusedError) else told(error)
                wait = min(max(2 * wait, self._destination.retry_seconds),
                           self._destination.retry_most_seconds)  # fmt: skip
                _LOG.warning("%s waits for %.0f s: %s", name, wait, said)
                self._context.stopping.wait(wait)
            except Exception as error:
                wait = self._destination.retry_most_seconds
                _LOG.error("delivering to %s failed: %s", name, told(error))
                self._context.stopping.wait(wait)
        self._sender.close()

    def step(self) -> bool:
        """Deliver the next object; return whether there was one.

        Raises:
            SilentError: the destination does not answer; the object stays the next.
            RefusedError: the destination refused the object, and it stays the next.
            SQLAlchemyError: the database does not answer.
        """
        delivery = self._next()
        if delivery is None:
            return False
        path = self._context.folder.result(delivery.image, delivery.instance_uid)
        try:
            self._sender.send(path, delivery.sop_class)
        except FileNotFoundError:  # replaced or deleted since it was named
            self._settle(delivery, State.CANCELED, "no longer there")
        except RefusedError as refusal:
            if delivery.attempts + 1 < self._destination.attempts:
                self._count(delivery, str(refusal))
                raise
            self._settle(delivery, State.CANCELED, str(refusal))
        else:
            self._settle(delivery, State.COMPLETED, None)
        return True

    def _next(self) -> Delivery | None:
        deliveries, objects = tables.deliveries.c, tables.objects.c
        wanted = (
            select(
                deliveries.id,
                tables.results.c.image,
                objects.instance_uid,
                objects.sop_class,
                deliveries.attempts,
            )
            .join(tables.objects, objects.id == deliveries.object)
            .join(tables.results, tables.results.c.id == objects.result)
            .where(deliveries.destination == self._destination.name)
            .where(deliveries.state == State.SCHEDULED)
            .order_by(deliveries.id)
            .limit(1)
        )
        with self._context.store.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else Delivery(*row)

    def _count(self, delivery: Delivery, reason: str) -> None:
        with self._context.store.writing() as connection:
            connection.execute(
                update(tables.deliveries)
                .where(tables.deliveries.c.id == delivery.id)
                .values(attempts=delivery.attempts + 1, reason=reason)
            )

    def _settle(self, delivery: Delivery, state: State, reason: str | None) -> None:
        with self._context.store.writing() as connection:
            connection.execute(
                update(tables.deliveries)
                .where(tables.deliveries.c.id == delivery.id)
                .values(state=state, reason=reason, finished_at=time.time())
            )
            self._note(connection, delivery, state, reason)
        if state is State.CANCELED:
            _LOG.error("gave up an object for %s: %s", self._destination.name, reason)

    def _note(
        self, connection: Connection, delivery: Delivery, state: State, reason: str | None
    ) -> None:
        audit.record(
            connection,
            "delivered" if state is State.COMPLETED else "delivery given up",
            image=delivery.image,
            object=delivery.instance_uid,
            destination=self._destination.name,
            reason=reason,
        )
