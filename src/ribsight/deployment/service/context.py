"""What all parts of a running service share."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.service.bell import Bell
from ribsight.deployment.service.doors import Secrets
from ribsight.deployment.service.folder import DataFolder, OwnedFolder, own
from ribsight.deployment.service.room import Room
from ribsight.deployment.service.settings import ServiceSettings
from ribsight.deployment.service.store import Store


@dataclass(frozen=True, eq=False)
class Context:
    """A service that has its model, its data folder and its database.

    Attributes:
        settings: of the service.
        secrets: of those who may use HTTP.
        detector: the model at work.
        owned: the data folder, and the key of the keyed hashes.
        store: the database.
        room: of the disk.
        work_waits: rung when there may be a new job.
        delivery_waits: rung when there may be a new delivery.
        stopping: set once nothing new is to be started.
    """

    settings: ServiceSettings
    secrets: Secrets
    detector: DetectorAtWork
    owned: OwnedFolder
    store: Store
    room: Room
    work_waits: Bell = field(default_factory=Bell)
    delivery_waits: Bell = field(default_factory=Bell)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def folder(self) -> DataFolder:
        """The data folder's paths."""
        return self.owned.folder

    def keyed(self, purpose: str, value: str | None) -> str | None:
        """Return 16 letters and digits that stand for an identifier; None for none."""
        return self.owned.key.name(purpose, value) if value else None

    def close(self) -> None:
        """Let go of the database and the data folder."""
        self.store.close()
        self.owned.close()


def open_context(
    settings: ServiceSettings, secrets: Secrets, detector: DetectorAtWork, data: Path
) -> Context:
    """Take a data folder and its database into use.

    Raises:
        RibsightError: another service has the folder, or the database cannot be used.
    """
    owned = own(data)
    try:
        url = settings.store.database or f"sqlite:///{owned.folder.database}"
        store = Store.open(url, owned.key.fingerprint)
    except BaseException:
        owned.close()
        raise
    room = Room(store, owned.folder, settings.store)
    return Context(settings, secrets, detector, owned, store, room)
