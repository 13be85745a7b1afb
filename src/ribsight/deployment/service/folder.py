"""The data folder of a service: what is where, and that only one service uses it.

    images/ab/ab12….dcm       received files, named by their SHA-256
    quarantine/ab12….dcm      those that could not be read, or that ended the service
    results/ab/ab12…/*.dcm    DICOM objects, named by their SOP Instance UID, which ribsight made
    incoming/                 files that are still arriving; emptied at every start
    audit.jsonl               the audit log
    service.db                the database, if none is given
    identifiers.key           the secret of the keyed hashes; whoever has it can test guesses

All is readable by its owner only.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ribsight.deidentification.key import Key, new_key, read_key
from ribsight.errors import RibsightError

_PRIVATE = 0o700
_LOCK = "service.lock"


@dataclass(frozen=True)
class DataFolder:
    """The paths of a data folder."""

    path: Path

    @property
    def images(self) -> Path:
        """Received files."""
        return self.path / "images"

    @property
    def quarantine(self) -> Path:
        """Received files that harm."""
        return self.path / "quarantine"

    @property
    def results(self) -> Path:
        """DICOM objects."""
        return self.path / "results"

    @property
    def incoming(self) -> Path:
        """Files that are still arriving."""
        return self.path / "incoming"

    @property
    def audit_log(self) -> Path:
        """The audit log."""
        return self.path / "audit.jsonl"

    @property
    def database(self) -> Path:
        """The database, if no other is given."""
        return self.path / "service.db"

    @property
    def key(self) -> Path:
        """The secret of the keyed hashes."""
        return self.path / "identifiers.key"

    def image(self, image: str) -> Path:
        """Return where a received file goes."""
        return self.images / image[:2] / f"{image}.dcm"

    def quarantined(self, image: str) -> Path:
        """Return where a received file goes that harms."""
        return self.quarantine / f"{image}.dcm"

    def find(self, image: str) -> Path:
        """Return where a received file is."""
        path, quarantined = self.image(image), self.quarantined(image)
        return quarantined if quarantined.exists() else path

    def result(self, image: str, instance_uid: str) -> Path:
        """Return where a DICOM object of a result goes."""
        return self.results / image[:2] / image / f"{instance_uid}.dcm"


@dataclass(frozen=True)
class OwnedFolder:
    """A data folder that this process alone uses, until it ends.

    Attributes:
        folder: its paths.
        key: of the keyed hashes.
        lock: the open lock file.
    """

    folder: DataFolder
    key: Key
    lock: IO[bytes]

    def close(self) -> None:
        """Let another process have it."""
        self.lock.close()


def own(path: Path) -> OwnedFolder:
    """Make a data folder or open one, for this process alone.

    Raises:
        RibsightError: another service uses it, or it cannot be written to.
    """
    folder = DataFolder(path.absolute())
    try:
        for one in (folder.path, folder.images, folder.quarantine, folder.results):
            one.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        folder.path.chmod(_PRIVATE)
        lock = (folder.path / _LOCK).open("ab")
    except OSError as error:
        raise RibsightError(f"cannot use the data folder {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise RibsightError(f"another service uses the data folder {path}") from error
    try:
        shutil.rmtree(folder.incoming, ignore_errors=True)
        folder.incoming.mkdir(mode=_PRIVATE)
    except OSError as error:
        raise RibsightError(f"cannot use the data folder {path}: {error.strerror}") from error
    return OwnedFolder(folder, _key(folder.key), lock)


def _key(path: Path) -> Key:
    if not path.exists():
        # Under another name first: a service that dies here leaves no half of a key.
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        new_key(unfinished)
        unfinished.replace(path)
    return read_key(path)


def keep(arrived: Path, path: Path) -> None:
    """Give a written file its place, durably: it is there after a power cut.

    Raises:
        OSError: the disk is full or broken.
    """
    with arrived.open("rb+") as stream:
        os.fsync(stream.fileno())
    if not path.parent.exists():
        path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
    arrived.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_incoming(folder: DataFolder) -> tuple[IO[bytes], Path]:
    """Open a new file for something that arrives."""
    descriptor, name = tempfile.mkstemp(dir=folder.incoming, suffix=".part")
    return os.fdopen(descriptor, "wb"), Path(name)


def random_owner() -> str:
    """Return a name for a process that no other has."""
    return secrets.token_hex(8)
