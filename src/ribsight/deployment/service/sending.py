"""One DICOM object to one destination, by C-STORE or by STOW-RS."""

import os
import secrets
from pathlib import Path
from typing import Protocol

import requests
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.association import Association

from ribsight.deployment.service.settings import DestinationSettings
from ribsight.deployment.service.tls import client_context

_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
    "1.2.840.10008.5.1.4.1.1.11.1",  # Grayscale Softcopy Presentation State
)
_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_PDU_BYTES = 1 << 17
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_BUSY = frozenset({408, 413, 425, 429, 500, 502, 503, 504, 507})
_REASON, _FAILED = "00081197", "00081198"


class SilentError(Exception):
    """A destination that does not answer, or can take nothing now; the message names no patient."""


class RefusedError(Exception):
    """A destination that does not take this object; the message names no patient."""


class Sender(Protocol):
    """A way to a destination, kept open while there is something to send."""

    def send(self, path: Path, sop_class: str) -> None:
        """Send one file.

        Raises:
            SilentError: the destination does not answer.
            RefusedError: it does not take this object.
        """

    def close(self) -> None:
        """Hang up."""


def sender_to(destination: DestinationSettings) -> Sender:
    """Return the way to a destination.

    Raises:
        RibsightError: its certificates or secrets cannot be used.
    """
    return Storing(destination) if destination.kind == "dicom" else Posting(destination)


class Storing:
    """C-STORE over one association."""

    def __init__(self, destination: DestinationSettings):
        self._destination = destination
        self._association: Association | None = None
        self._entity = AE(ae_title=destination.calling)
        self._entity.maximum_pdu_size = _PDU_BYTES
        self._entity.acse_timeout = destination.seconds
        self._entity.dimse_timeout = destination.seconds
        self._entity.network_timeout = destination.seconds
        self._entity.connection_timeout = destination.seconds
        for sop_class in _CLASSES:
            # One of each syntax: who accepts a context chooses one syntax of it.
            for syntax in _SYNTAXES:
                self._entity.add_requested_context(sop_class, syntax)
        self._tls = None
        if destination.certificates:
            self._tls = (client_context(destination.certificates), destination.host)

    def send(self, path: Path, sop_class: str) -> None:
        """Send one file, as `Sender` says."""
        association = self._open()
        accepted = {str(context.abstract_syntax) for context in association.accepted_contexts}
        if sop_class not in accepted:
            raise RefusedError("it takes no objects of this class")
        try:
            answer = association.send_c_store(dcmread(path))
        except (ValueError, RuntimeError) as error:  # no context for it, or hung up
            self.close()
            raise SilentError("it hung up") from error
        if "Status" not in answer:
            self.close()
            raise SilentError("it did not answer")
        status = int(answer.Status)
        if status in _OUT_OF_RESOURCES:
            raise SilentError(f"it is out of resources (status 0x{status:04X})")
        # 0xBxxx are warnings: it is kept.
        if status and status >> 12 != 0xB:
            raise RefusedError(f"it answers status 0x{status:04X}")

    def _open(self) -> Association:
        if self._association is not None and self._association.is_established:
            return self._association
        self.close()
        destination = self._destination
        association = self._entity.associate(
            destination.host,
            destination.port,
            ae_title=destination.ae_title,
            max_pdu=_PDU_BYTES,
            tls_args=self._tls,
        )
        if not association.is_established:
            raise SilentError(
                "it rejects the association" if association.is_rejected else "it does not answer"
            )
        self._association = association
        return association

    def close(self) -> None:
        """Hang up."""
        association, self._association = self._association, None
        if association is not None and association.is_established:
            association.release()


class Posting:
    """STOW-RS, an object a request."""

    def __init__(self, destination: DestinationSettings):
        self._destination = destination
        self._session = requests.Session()
        # Without this, requests looks into the user's netrc file and proxy variables.
        self._session.trust_env = False
        if destination.certificates:
            self._session.verify = destination.certificates
        token, user, password = (_secret(destination.name, one) for one in
                                 ("TOKEN", "USER", "PASSWORD"))  # fmt: skip
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
        elif user:
            self._session.auth = (user, password or "")

    def send(self, path: Path, sop_class: str) -> None:  # noqa: ARG002
        """Send one file, as `Sender` says."""
        boundary = secrets.token_hex(16)
        body = (
            f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            + path.read_bytes()
            + f"\r\n--{boundary}--\r\n".encode()
        )
        kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
        url = self._destination.url.rstrip("/") + "/studies"
        headers = {"Content-Type": kind, "Accept": "application/dicom+json"}
        try:
            answer = self._session.post(
                url, data=body, headers=headers, timeout=self._destination.seconds,
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as error:
            raise SilentError(f"it does not answer ({type(error).__name__})") from error
        self._judge(answer)

    def _judge(self, answer: requests.Response) -> None:
        if answer.status_code in _BUSY or answer.status_code in (401, 403):
            raise SilentError(f"it answers {answer.status_code}")
        reasons = _failures(answer)
        if any(reason in _OUT_OF_RESOURCES for reason in reasons):
            raise SilentError("it is out of resources")
        if not answer.ok or reasons:
            said = f", reason 0x{reasons[0]:04X}" if reasons else ""
            raise RefusedError(f"it answers {answer.status_code}{said}")

    def close(self) -> None:
        """Hang up."""
        self._session.close()


def _failures(answer: requests.Response) -> list[int]:
    """Return the failure reasons of an answer, if it holds any."""
    try:
        failed = answer.json().get(_FAILED, {}).get("Value", [])
        return [int(one[_REASON]["Value"][0]) for one in failed]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return []


def _secret(name: str, what: str) -> str | None:
    return os.environ.get(f"RIBSIGHT_DESTINATION_{name.upper()}_{what}") or None
