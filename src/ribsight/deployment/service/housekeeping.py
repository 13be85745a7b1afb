"""What is done now and then: the audit log, files that nobody finished, files that are old."""

import logging
import threading
import time
from contextlib import suppress

from sqlalchemy import exists, select, update
from sqlalchemy.exc import SQLAlchemyError

from ribsight.deployment.service import audit, tables
from ribsight.deployment.service.audit import AuditLog
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.tables import State
from ribsight.deployment.service.triage.tables import reviews

_LOG = logging.getLogger(__name__)
_AUDIT_SECONDS = 1.0
_SWEEP_SECONDS = 60.0
_DAY = 86400.0
_TOGETHER = 100


class Housekeeper(threading.Thread):
    """The thread that tidies up."""

    def __init__(self, context: Context, log: AuditLog):
        """Tidy up for a service."""
        super().__init__(name="ribsight-housekeeper", daemon=True)
        self._context = context
        self._log = log

    def run(self) -> None:
        """Tidy up until the service stops."""
        swept = time.monotonic()
        while not self._context.stopping.wait(_AUDIT_SECONDS):
            try:
                self._log.flush()
                if time.monotonic() - swept > _SWEEP_SECONDS:
                    swept = time.monotonic()
                    drop_unfinished(self._context)
                    delete_old(self._context)
            except (OSError, SQLAlchemyError) as error:
                _LOG.error("housekeeping waits: %s", told(error))
                self._context.stopping.wait(_SWEEP_SECONDS)


def drop_unfinished(context: Context) -> int:
    """Delete files whose sender has gone; return how many."""
    settings = context.settings
    patience = 2 * max(settings.dicom.object_seconds, settings.http.object_seconds)
    dropped = 0
    for path in context.folder.incoming.iterdir():
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > patience:
                path.unlink()
                dropped += 1
    return dropped


def delete_old(context: Context) -> int:
    """Delete files of images that are done, delivered and old; return of how many images.

    What was found stays in the database. Quarantined files stay for somebody to look at, and
    images that a reader has reviewed for the next cohort.
    """
    if not context.settings.store.keep_days:
        return 0
    before = time.time() - context.settings.store.keep_days * _DAY
    with context.store.writing() as connection:
        old = list(connection.execute(_done_before(before)).scalars())
        connection.execute(
            update(tables.images).where(tables.images.c.id.in_(old)).values(kept=False)
        )
        for image in old:
            audit.record(connection, "deleted for its age", image=image)
    for image in old:
        context.folder.image(image).unlink(missing_ok=True)
        folder = context.folder.result(image, "").parent
        for path in folder.glob("*.dcm"):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
    return len(old)


def _done_before(moment: float):  # type: ignore[no-untyped-def]
    images, jobs = tables.images.c, tables.jobs.c
    waiting = exists(
        select(tables.deliveries.c.id)
        .join(tables.objects, tables.objects.c.id == tables.deliveries.c.object)
        .join(tables.results, tables.results.c.id == tables.objects.c.result)
        .where(tables.results.c.image == images.id)
        .where(tables.deliveries.c.state == State.SCHEDULED)
    )
    reviewed = exists(select(reviews.c.id).where(reviews.c.image == images.id))
    return (
        select(images.id)
        .join(tables.jobs, jobs.image == images.id)
        .where(images.kept, jobs.state == State.COMPLETED, jobs.finished_at < moment)
        .where(~waiting, ~reviewed)
        .limit(_TOGETHER)
    )
