"""The DICOM node: C-ECHO and C-STORE, for those who may call.

pynetdicom does the protocol. Its defaults let anybody call, hold whole objects in memory and log
what they are asked, so all of that is set here; `patience.py` ends connections that are slow or
send too much.
"""

import logging
import tempfile
import threading
import time
from functools import partial
from typing import Any

from pynetdicom import AE, _config, dimse_messages, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from sqlalchemy.exc import SQLAlchemyError

from ribsight.deployment.service.context import Context
from ribsight.deployment.service.file_meta import CLASSES, SYNTAXES
from ribsight.deployment.service.intake import Failure, RefusedError, accept
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.patience import PatientServer, forget_message
from ribsight.deployment.service.settings import DicomSettings
from ribsight.deployment.service.tls import server_context
from ribsight.errors import RibsightError

_LOG = logging.getLogger(__name__)
_SUCCESS = 0x0000
_PDU_BYTES = 1 << 17
_STOP_SECONDS = 5.0
_REQUEST_SECONDS = 15.0
_POLL_SECONDS = 0.2


class Node:
    """A DICOM node that listens in threads of its own."""

    def __init__(self, context: Context):
        """Prepare to listen for a service."""
        self._context = context
        self._settings = context.settings.dicom
        self._server: PatientServer | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listen.

        Raises:
            RibsightError: the port is taken, or a certificate cannot be used.
        """
        _set_up_pynetdicom(str(self._context.folder.incoming))
        settings = self._settings
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_DIMSE_RECV, forget_message),
            (evt.EVT_REJECTED, _say_rejected),
        ]
        try:
            server = _entity(settings).make_server(
                (settings.host, settings.port),
                ssl_context=server_context(settings.tls) if settings.tls else None,
                evt_handlers=handlers,
                server_class=PatientServer,
            )
        except OSError as error:
            raise RibsightError(
                f"cannot listen for DICOM on {settings.host}:{settings.port}: {error.strerror}"
            ) from error
        assert isinstance(server, PatientServer)
        server.limit(settings)
        self._server = server
        threading.Thread(
            target=server.serve_forever, args=(_POLL_SECONDS,), name="ribsight-dicom", daemon=True
        ).start()

    def stop(self) -> None:
        """Take no more calls, and end those there are; what was not acknowledged is sent again."""
        server = self._server
        if server is None:
            return
        server.shutdown()
        established = [one for one in server.active_associations if one.is_established]
        for association in established:
            association.abort(block=False)
        until = time.monotonic() + _STOP_SECONDS
        for association in established:
            association.join(max(until - time.monotonic(), 0))

    def _store(self, event: Event) -> int:
        sender = str(event.assoc.requestor.ae_title or "").strip()
        try:
            accept(self._context, event.dataset_path, "dicom", sender)
        except RefusedError as refusal:
            _LOG.warning("refused an object: %s", refusal)
            return int(refusal.failure)
        except (OSError, SQLAlchemyError) as error:
            _LOG.error("cannot take an object: %s", told(error))
            return int(Failure.OUT_OF_RESOURCES)
        except Exception as error:
            _LOG.error("cannot take an object: %s", told(error))
            return int(Failure.PROCESSING_FAILURE)
        return _SUCCESS


def _set_up_pynetdicom(incoming: str) -> None:
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    _config.ENFORCE_UID_CONFORMANCE = True
    _config.UNRESTRICTED_STORAGE_SERVICE = False
    _config.STORE_RECV_CHUNKED_DATASET = True
    # Where it puts what arrives: on the disk with the data folder, and private. There is no setting
    # for it, and `tempfile.tempdir` would send everybody's files there.
    dimse_messages.NamedTemporaryFile = partial(  # type: ignore[attr-defined, assignment]
        tempfile.NamedTemporaryFile, dir=incoming
    )


def _entity(settings: DicomSettings) -> AE:
    entity = AE(ae_title=settings.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(settings.calling)
    entity.maximum_associations = settings.associations
    entity.maximum_pdu_size = _PDU_BYTES
    entity.acse_timeout = min(settings.idle_seconds, _REQUEST_SECONDS)
    entity.dimse_timeout = settings.idle_seconds
    entity.network_timeout = settings.idle_seconds
    entity.add_supported_context(Verification)
    for sop_class in sorted(CLASSES):
        entity.add_supported_context(sop_class, list(SYNTAXES))
    return entity


def _say_rejected(_event: Event) -> None:
    # The titles are whatever a stranger chose to send.
    _LOG.warning("rejected an association: a title is not known here, or there are too many")
