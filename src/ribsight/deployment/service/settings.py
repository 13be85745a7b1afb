"""What a service does, in one TOML file (`docs/service.md`). Secrets are environment variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ribsight.settings import Settings, parse_settings, read_toml

Port = Annotated[int, Field(ge=0, le=65535)]
AeTitle = Annotated[str, Field(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$")]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

# TOML has lists only.
_ANY_LIST = Field(strict=False)


class TlsSettings(Settings):
    """Encryption of one listener.

    Attributes:
        certificate: PEM file, with its chain.
        key: PEM file.
        clients: PEM file of the authorities whose certificates clients must show; "" asks none.

    """

    certificate: str
    key: str
    clients: str = ""


class DicomSettings(Settings):
    """The DICOM node.

    Attributes:
        enabled: whether there is one.
        host: address to listen on.
        port: 0 takes a free one.
        ae_title: how others call this node; another called title is rejected.
        calling: titles that may call. Empty: any, on a loopback address only.
        associations: at most so many at once.
        idle_seconds: an association in which nothing arrives for so long is ended.
        object_seconds: an object that takes longer to arrive is given up.
        object_megabytes: a larger object is not taken.
        tls: encryption.

    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "RIBSIGHT"
    calling: Annotated[tuple[AeTitle, ...], _ANY_LIST] = ()
    associations: Count = 10
    idle_seconds: Positive = 60.0
    object_seconds: Positive = 300.0
    object_megabytes: Positive = 256.0
    tls: TlsSettings | None = None


class HttpSettings(Settings):
    """The HTTP server.

    Attributes:
        enabled: whether there is one.
        host: address to listen on; other than loopback, requests need a token or a password.
        port: 0 takes a free one.
        names: host names that requests may use; loopback names and `host` are always known.
        connections: at most so many at once.
        idle_seconds: a request of which nothing arrives for so long is given up.
        object_seconds: an upload that takes longer is given up.
        object_megabytes: a larger object is not taken.
        request_megabytes: a larger upload is not taken.
        tls: encryption.

    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 8042
    names: Annotated[tuple[str, ...], _ANY_LIST] = ()
    connections: Count = 64
    idle_seconds: Positive = 30.0
    object_seconds: Positive = 300.0
    object_megabytes: Positive = 256.0
    request_megabytes: Positive = 1024.0
    tls: TlsSettings | None = None


class StoreSettings(Settings):
    """What is kept.

    Attributes:
        database: SQLAlchemy address; "" is SQLite in the data folder. A password belongs into
            PGPASSWORD or a pgpass file.
        reserve_megabytes: with less free space, beside what the objects of waiting images will
            need, nothing new is accepted.
        result_megabytes: what an image's objects are taken to need until some can be measured.
        keep_days: received files and objects are deleted so long after all was delivered; 0: never.

    """

    database: str = ""
    reserve_megabytes: Positive = 1024.0
    result_megabytes: Positive = 16.0
    keep_days: Annotated[float, Field(ge=0)] = 0.0


class WorkSettings(Settings):
    """How images are worked on.

    Attributes:
        views: kinds of image that are scored (`docs/eligibility.md`).
        classify_views: look at the pixels where the header leaves open what they show.
        readers: processes that decode.
        batch: images that the network sees at once; more than one helps on a GPU.
        attempts: an image during which the service died so often is quarantined.
        lease_seconds: a worker that has not finished an image by then has lost it.
        stop_seconds: at a stop, what has not finished by then is released.

    """

    views: str = "frontal_chest,rib_series,chest,unknown"
    classify_views: bool = False
    readers: Count = 1
    batch: Count = 1
    attempts: Count = 3
    lease_seconds: Positive = 600.0
    stop_seconds: Positive = 30.0


class DestinationSettings(Settings):
    """An archive that gets the DICOM objects.

    Attributes:
        name: in the log and in the names of its secrets.
        kind: `dicom` (C-STORE) or `dicomweb` (STOW-RS).
        host: of a `dicom` destination.
        port: likewise.
        ae_title: how it is called.
        calling: how this node names itself to it.
        certificates: PEM file of authorities that its certificate must come from; turns TLS on.
        url: of a `dicomweb` destination, below which `/studies` is.
        seconds: it has to answer within.
        retry_seconds: until the first new try; doubles with each.
        retry_most_seconds: between tries at most.
        attempts: an object that it refuses so often is given up; silence is retried for ever.

    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
    kind: Literal["dicom", "dicomweb"]
    host: str = ""
    port: Port = 104
    ae_title: AeTitle = "ANY-SCP"
    calling: AeTitle = "RIBSIGHT"
    certificates: str = ""
    url: str = ""
    seconds: Positive = 30.0
    retry_seconds: Positive = 2.0
    retry_most_seconds: Positive = 300.0
    attempts: Count = 5

    @model_validator(mode="after")
    def _has_an_address(self) -> "DestinationSettings":
        if self.kind == "dicom" and not self.host:
            raise ValueError(f"the destination {self.name} needs a host")
        if self.kind == "dicomweb" and not self.url.startswith(("http://", "https://")):
            raise ValueError(f"the destination {self.name} needs a url, https://...")
        if "@" in self.url:
            raise ValueError(f"the url of {self.name} holds no password: docs/service.md says how")
        return self


class ObjectSettings(Settings):
    """The DICOM objects that say what was found (`docs/results.md`).

    Attributes:
        objects: kinds to make: `sr`, `sc`, `gsps`.
        sr: class of the structured report, `comprehensive-3d` or `comprehensive`.
        pictures_of: outcomes that get pictures: `found`, `nothing`, `not-processed`.
        least_score: of marks that are reported where the model has no thresholds.
        series_number: of the first of the objects' series.

    """

    objects: Annotated[tuple[Literal["sr", "sc", "gsps"], ...], _ANY_LIST] = ("sr", "sc")
    sr: Literal["comprehensive-3d", "comprehensive"] = "comprehensive-3d"
    pictures_of: Annotated[tuple[Literal["found", "nothing", "not-processed"], ...], _ANY_LIST] = (
        "found",
        "nothing",
        "not-processed",
    )
    least_score: Annotated[float, Field(ge=0, le=1)] | None = None
    series_number: Annotated[int, Field(ge=1, le=99999)] = 910


class ServiceSettings(Settings):
    """A service.

    Attributes:
        dicom: the DICOM node.
        http: the HTTP server.
        store: what is kept.
        work: how images are worked on.
        results: the DICOM objects.
        destinations: archives that get them, `[[destinations]]`.

    """

    dicom: DicomSettings = DicomSettings()
    http: HttpSettings = HttpSettings()
    store: StoreSettings = StoreSettings()
    work: WorkSettings = WorkSettings()
    results: ObjectSettings = ObjectSettings()
    destinations: Annotated[tuple[DestinationSettings, ...], _ANY_LIST] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> "ServiceSettings":
        if not (self.dicom.enabled or self.http.enabled):
            raise ValueError("neither dicom nor http is enabled: nothing could come in")
        names = [one.name for one in self.destinations]
        if len(set(names)) < len(names):
            raise ValueError("two destinations have the same name")
        return self


def read_service_settings(path: Path | None) -> ServiceSettings:
    """Read a configuration; all defaults without one.

    Raises:
        RibsightError: no such file, or mistakes in it, all listed.
    """
    if path is None:
        return ServiceSettings()
    return parse_settings(ServiceSettings, read_toml(path), str(path))
