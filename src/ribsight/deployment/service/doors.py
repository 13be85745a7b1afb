"""Who may come in from the network: secrets, and what is refused without them."""

import ipaddress
import os
from dataclasses import dataclass, field

from ribsight.deployment.service.settings import ServiceSettings
from ribsight.errors import RibsightError

TOKEN = "RIBSIGHT_SERVICE_TOKEN"
USER, PASSWORD = "RIBSIGHT_SERVICE_USER", "RIBSIGHT_SERVICE_PASSWORD"
LEAST_SECRET = 16
"""Characters of a token."""


@dataclass(frozen=True)
class Secrets:
    """Who may use HTTP: a token, or a user with a password, or either; None: anybody.

    Attributes:
        token: of the header `Authorization: Bearer`.
        login: user and password of basic authentication.
    """

    token: str | None = field(default=None, repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def are_set(self) -> bool:
        """Whether anybody is refused."""
        return self.token is not None or self.login is not None


def read_secrets() -> Secrets:
    """Read the environment.

    Raises:
        RibsightError: a secret that is too short, or half a login.
    """
    token, user, password = (os.environ.get(name) or None for name in (TOKEN, USER, PASSWORD))
    if token is not None and len(token) < LEAST_SECRET:
        raise RibsightError(f"{TOKEN} needs at least {LEAST_SECRET} characters")
    if (user is None) != (password is None):
        raise RibsightError(f"{USER} and {PASSWORD} go together: set both or none")
    if user is None or password is None:
        return Secrets(token)
    if ":" in user or len(password) < LEAST_SECRET // 2:
        raise RibsightError(
            f"{USER} holds no colon, and {PASSWORD} at least {LEAST_SECRET // 2} characters"
        )
    return Secrets(token, (user, password))


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_open_doors(settings: ServiceSettings, secrets: Secrets) -> None:
    """Refuse to listen for the network without knowing who calls.

    Raises:
        RibsightError: HTTP without authentication, or DICOM without titles or client certificates.
    """
    http, dicom = settings.http, settings.dicom
    if http.enabled and not is_loopback(http.host) and not secrets.are_set:
        raise RibsightError(
            f"http.host is {http.host}, which others reach: set {TOKEN}, or {USER} and {PASSWORD}, "
            "or listen on 127.0.0.1"
        )
    knows_clients = bool(dicom.calling) or (dicom.tls is not None and bool(dicom.tls.clients))
    if dicom.enabled and not is_loopback(dicom.host) and not knows_clients:
        raise RibsightError(
            f"dicom.host is {dicom.host}, which others reach: name the titles that may call in "
            "dicom.calling, or ask for certificates in dicom.tls.clients, or listen on 127.0.0.1"
        )
