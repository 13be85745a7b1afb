"""A service's data folder looked at from beside it; the service may run meanwhile."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ribsight.deidentification.key import Key, read_key
from ribsight.deployment.service.folder import DataFolder
from ribsight.deployment.service.store import Store
from ribsight.deployment.service.triage.tables import prepare
from ribsight.errors import RibsightError
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.radiograph import UnreadableImageError


@dataclass(frozen=True)
class AtRest:
    """The database, the files and the keyed hashes of a service."""

    store: Store
    folder: DataFolder
    key: Key


@contextmanager
def open_at_rest(data: Path, database: str = "") -> Iterator[AtRest]:
    """Open the data folder of a service.

    Args:
        data: the folder.
        database: SQLAlchemy address; "" is SQLite in the folder.

    Raises:
        RibsightError: no service has used the folder, or the database is that of another.
    """
    folder = DataFolder(data.absolute())
    if not folder.key.is_file():
        raise RibsightError(f"{data} is no data folder of `ribsight serve`")
    key = read_key(folder.key)
    store = Store.open(database or f"sqlite:///{folder.database}", key.fingerprint)
    try:
        prepare(store.engine)
        yield AtRest(store, folder, key)
    finally:
        store.close()


def instance_names(
    folder: DataFolder, images: Sequence[str]
) -> tuple[Callable[[str], str | None], list[str]]:
    """Read the SOP instance UIDs of received files.

    Returns:
        The UID of an image, None if it cannot be known; and a sentence for each such image.
    """
    names: dict[str, str] = {}
    lost = []
    with GuardedReader() as reader:
        for image in images:
            try:
                said = reader.read(folder.find(image), f"image {image[:12]}")
            except UnreadableImageError as error:
                lost.append(str(error))
                continue
            if said.identifiers.sop_instance_uid:
                names[image] = said.identifiers.sop_instance_uid
            else:
                lost.append(f"image {image[:12]} has no SOP instance UID")
    return names.get, lost
