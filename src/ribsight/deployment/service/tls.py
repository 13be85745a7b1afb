"""TLS of listeners and of connections to others, 1.2 or newer."""

import ssl

from ribsight.deployment.service.settings import TlsSettings
from ribsight.errors import RibsightError


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return what a listener needs.

    Raises:
        RibsightError: a file is missing or unusable.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.clients:
            context.load_verify_locations(settings.clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise RibsightError(
            f"cannot use the certificate {settings.certificate}, key {settings.key} or clients "
            f"'{settings.clients}': {error.strerror or error}"
        ) from error
    return context


def client_context(authorities: str) -> ssl.SSLContext:
    """Return what a connection needs to a server whose certificate comes from `authorities`.

    Raises:
        RibsightError: the file is missing or unusable.
    """
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise RibsightError(
            f"cannot use the certificates {authorities}: {error.strerror or error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
