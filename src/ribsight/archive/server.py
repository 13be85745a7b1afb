"""A DICOMweb server: what is asked of it, with whose password, and how often."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client.api import DICOMwebClient
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from ribsight.archive.multipart import only_part
from ribsight.archive.stored import MAX_BYTES
from ribsight.errors import RibsightError

_PAGE = 500
_SECONDS = (10.0, 120.0)
_RETRIES = Retry(
    total=5, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=("GET",)
)
_ANY_SYNTAX = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_BLOCK = 1 << 20
_UID = re.compile(r"[0-9.]{1,64}")
_STUDY, _COUNT = "0020000D", "00201208"
_TOKEN = "RIBSIGHT_DICOMWEB_TOKEN"
_USER, _PASSWORD = "RIBSIGHT_DICOMWEB_USER", "RIBSIGHT_DICOMWEB_PASSWORD"


@dataclass(frozen=True)
class Query:
    """Which studies are wanted.

    Attributes:
        dates: `YYYYMMDD-YYYYMMDD`, either side may be empty; None: all.
        modalities: a study with any of them.
    """

    dates: str | None = None
    modalities: tuple[str, ...] = ("CR", "DX")

    @classmethod
    def of(cls, first: str | None, last: str | None, modalities: tuple[str, ...]) -> "Query":
        """Return the query of command line options.

        Raises:
            RibsightError: a date or modality that is none.
        """
        for day in (first, last):
            if day is not None and not re.fullmatch(r"\d{8}", day):
                raise RibsightError(f"'{day}' is not a day of the form YYYYMMDD")
        for modality in modalities:
            if not re.fullmatch(r"[A-Z0-9]{1,16}", modality):
                raise RibsightError(f"'{modality}' is not a modality such as CR")
        dates = f"{first or ''}-{last or ''}" if first or last else None
        return cls(dates, modalities or cls.modalities)


def address_of(source: str) -> str:
    """Return the address of a DICOMweb source: `https://...` or `dicomweb:http://...`.

    Raises:
        RibsightError: an address without TLS that does not say so, one with a password, or none.
    """
    if source.startswith("http://"):
        raise RibsightError(f"{source} has no TLS: write dicomweb:{source} if that is meant")
    address = source.removeprefix("dicomweb:")
    if not address.startswith(("https://", "http://")):
        raise RibsightError(f"{source} is no address of a DICOMweb server")
    if "@" in urlsplit(address).netloc:
        raise RibsightError(
            f"an address holds no password: put it into a netrc file or {_USER} and {_PASSWORD}"
        )
    return address.rstrip("/")


def is_uid(text: str) -> bool:
    """Say whether a server's word may become part of an address."""
    return bool(_UID.fullmatch(text))


class Server:
    """One server. Methods raise `requests.RequestException` where it does not answer well."""

    def __init__(self, address: str):
        self.address = address
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_RETRIES, pool_maxsize=16))
        # Without these, requests looks into the user's netrc file.
        if os.environ.get(_TOKEN):
            self._session.auth = _Bearer(os.environ[_TOKEN])
        elif os.environ.get(_USER):
            self._session.auth = (os.environ[_USER], os.environ.get(_PASSWORD, ""))
        self._client = DICOMwebClient(address, session=self._session, timeout=_SECONDS)

    def studies(self, query: Query) -> Iterator[tuple[str, int | None]]:
        """Yield the UID of each wanted study once, and how many instances it has, if that is said.

        Raises:
            RibsightError: the server cannot be searched.
        """
        seen: set[str] = set()
        for modality in query.modalities:
            wanted = {"ModalitiesInStudy": modality}
            if query.dates:
                wanted["StudyDate"] = query.dates
            offset = 0
            while page := self._page(wanted, offset):
                offset += len(page)
                fresh = {_first(one, _STUDY): one for one in page}
                fresh = {uid: one for uid, one in fresh.items() if uid and uid not in seen}
                if not fresh:
                    break  # a server without pages gives the first one again
                for uid, one in fresh.items():
                    seen.add(uid)
                    count = _first(one, _COUNT)
                    yield uid, int(count) if count.isdigit() else None

    def _page(self, wanted: dict[str, str], offset: int) -> list[dict[str, Any]]:
        try:
            return self._client.search_for_studies(
                limit=_PAGE, offset=offset, fields=["NumberOfStudyRelatedInstances"],
                search_filters=wanted,
            )  # fmt: skip
        except (requests.RequestException, ValueError) as error:
            raise RibsightError(f"cannot search {self.address}: {told(error)}") from error

    def metadata(self, study: str) -> list[dict[str, Any]]:
        """Return the headers of a study's instances as DICOM JSON."""
        return self._client.retrieve_study_metadata(study)

    def instance(self, url: str) -> Iterator[bytes]:
        """Yield the bytes of an instance as the server keeps it.

        Raises:
            RefusedError: the answer is no one instance, or too large.
        """
        with self._session.get(
            url, headers={"Accept": _ANY_SYNTAX}, stream=True, timeout=_SECONDS
        ) as answer:
            answer.raise_for_status()
            kind = answer.headers.get("Content-Type", "")
            yield from only_part(kind, answer.iter_content(_BLOCK), MAX_BYTES)


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str):
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def told(error: Exception) -> str:
    """Return what went wrong with a request, without what was asked."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"it answers {error.response.status_code} {error.response.reason}"
    return f"it does not answer as a DICOMweb server ({type(error).__name__})"


def _first(item: dict[str, Any], tag: str) -> str:
    values = item.get(tag, {}).get("Value") or [""]
    return str(values[0])
