"""Files of a hospital's archive -> a table of its images, and a table of what was refused and why.

`ingest_command` of `cli` writes an archive; `read_archive` reads one.
"""

from ribsight.archive.index import IMAGES, QUARANTINE, Archive, read_archive
from ribsight.archive.stored import StoredImage, materialise_stored, read_stored

__all__ = [
    "IMAGES",
    "QUARANTINE",
    "Archive",
    "StoredImage",
    "materialise_stored",
    "read_archive",
    "read_stored",
]
