"""Whether the disk has room for one more image, with what those that wait will need."""

import shutil
import threading
import time

from sqlalchemy import func, select

from ribsight.deployment.service import tables
from ribsight.deployment.service.folder import DataFolder
from ribsight.deployment.service.settings import StoreSettings
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.tables import State

_LOOK_SECONDS = 1.0
_RESULTS = 50
_MARGIN = 1.5


class Room:
    """The free space of a data folder, and how much of it is spoken for.

    An image that waits will have objects, which may be larger than the image. Accepting images
    until the disk is full would leave no room for them, and nothing would ever come to its end.
    """

    def __init__(self, store: Store, folder: DataFolder, settings: StoreSettings):
        """Look at a data folder and its database."""
        self._store = store
        self._folder = folder
        self._settings = settings
        self._lock = threading.Lock()
        self._looked_at = -_LOOK_SECONDS
        self._waiting = 0
        self._each = 0.0

    @property
    def free_bytes(self) -> int:
        """What may still be written."""
        return shutil.disk_usage(self._folder.path).free

    def is_full(self, *, takes_one: bool = False) -> bool:
        """Say whether nothing new is to be accepted.

        Args:
            takes_one: if there is room, one image more is going to wait.

        Raises:
            SQLAlchemyError: the database does not answer.
        """
        with self._lock:
            if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
                self._waiting, self._each = self._look()
                self._looked_at = time.monotonic()
            needed = self._settings.reserve_megabytes * 1e6 + self._waiting * self._each
            is_full = self.free_bytes < needed
            self._waiting += takes_one and not is_full
            return is_full

    def _look(self) -> tuple[int, float]:
        """Return how many images wait, and the bytes that the objects of each may need."""
        jobs, objects = tables.jobs.c, tables.objects.c
        waiting = select(func.count()).where(jobs.state.in_((State.SCHEDULED, State.IN_PROGRESS)))
        last = (
            select(func.sum(objects.bytes).label("bytes"))
            .group_by(objects.result)
            .order_by(objects.result.desc())
            .limit(_RESULTS)
            .subquery()
        )
        with self._store.reading() as connection:
            count = connection.execute(waiting).scalar_one()
            mean = connection.execute(select(func.avg(last.c.bytes))).scalar()
        known = self._settings.result_megabytes * 1e6 if mean is None else _MARGIN * float(mean)
        return count, known
