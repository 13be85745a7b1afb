"""The service as a whole: what starts, in which order, and how it stops."""

import logging
import threading
import time
from collections.abc import Callable

from ribsight.deployment.results import ResultOptions
from ribsight.deployment.service import audit, jobs
from ribsight.deployment.service.app import create_app
from ribsight.deployment.service.audit import AuditLog
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.delivery import Deliverer
from ribsight.deployment.service.doors import refuse_open_doors
from ribsight.deployment.service.housekeeping import Housekeeper
from ribsight.deployment.service.http_server import HttpServer
from ribsight.deployment.service.intake import drop_orphans
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.node import Node
from ribsight.deployment.service.objects import Objects
from ribsight.deployment.service.worker import Worker

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_HANG_UP_SECONDS = 5.0


class Service:
    """A service that runs in threads of this process.

    service = Service(context, options)
    service.start()
    service.wait()   # until `context.stopping` is set, or a thread has died
    service.stop()
    """

    def __init__(self, context: Context, options: ResultOptions):
        """Put the parts together, none of which runs yet.

        Raises:
            RibsightError: a port, a certificate, a destination or the audit log cannot be used, or
                a door would be open to the network.
        """
        refuse_open_doors(context.settings, context.secrets)
        self._context = context
        self._log = AuditLog(context.folder.audit_log, context.store)
        self.worker = Worker(context, Objects(context.detector, options))
        self.deliverers = [Deliverer(context, one) for one in context.settings.destinations]
        self._housekeeper = Housekeeper(context, self._log)
        self.node = Node(context) if context.settings.dicom.enabled else None
        self.http: HttpServer | None = None
        if context.settings.http.enabled:
            stop_seconds = context.settings.work.stop_seconds
            self.http = HttpServer(create_app(context), context.settings.http, stop_seconds)

    def start(self) -> None:
        """Take up what an earlier service left, then listen and work.

        Raises:
            RibsightError: the DICOM port is taken.
        """
        context = self._context
        left = jobs.release_others(context.store, self.worker.owner)
        orphans = drop_orphans(context)
        with context.store.writing() as connection:
            audit.record(connection, "service started", model=context.detector.identity.sha256,
                         resumed=left)  # fmt: skip
        if self.node:
            self.node.start()
        if self.http:
            self.http.start()
        for thread in self._threads():
            thread.start()
        _LOG.info(
            "ready: dicom on %s, http on %s, model %s, %d jobs resumed, %d files dropped",
            self.node.port if self.node else "no port",
            self.http.port if self.http else "no port",
            context.detector.identity.sha256[:12],
            left,
            orphans,
        )

    def wait(self) -> bool:
        """Wait until the service is to stop; return False if that is because a part has died."""
        while not self._context.stopping.wait(_LOOK_SECONDS):
            dead = [one.name for one in self._threads() if not one.is_alive()]
            if self.http and not self.http.is_alive:
                dead.append("ribsight-http")
            if dead:
                _LOG.error("a part has ended: %s", ", ".join(dead))
                return False
        return True

    def stop(self) -> bool:
        """Take nothing new, finish or release what is worked on, and close the log.

        Returns:
            whether everything came to its end; else the process has to end with `os._exit`.
        """
        context = self._context
        until = time.monotonic() + context.settings.work.stop_seconds
        context.stopping.set()
        context.work_waits.ring()
        context.delivery_waits.ring()
        if self.http:
            self.http.stop()
        if self.node:
            self.node.stop()
        self.worker.join(max(until - time.monotonic(), 0))
        for thread in [*self.deliverers, self._housekeeper]:
            thread.join(_HANG_UP_SECONDS)
        if self.http:
            self.http.join(_HANG_UP_SECONDS)
        alive = [one.name for one in self._threads() if one.is_alive()]
        self._attempt(self.worker.let_go)
        self._attempt(self._say_stopped)
        _LOG.info("stopped%s", f", leaving {', '.join(alive)}" if alive else "")
        return not alive

    def _say_stopped(self) -> None:
        with self._context.store.writing() as connection:
            audit.record(connection, "service stopped")
        self._log.flush()

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:  # the database or the disk is away: nothing is lost
            _LOG.error("stopping: %s", told(error))

    def _threads(self) -> list[threading.Thread]:
        return [self.worker, *self.deliverers, self._housekeeper]
