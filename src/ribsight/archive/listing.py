"""Folders and files -> what there is to look at, without opening any of it."""

import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ribsight.archive.reasons import Reason
from ribsight.archive.sighting import ITSELF, KEY, SIGHTINGS
from ribsight.errors import RibsightError

_BLOCK = 100_000
_LISTED = pl.Schema({name: SIGHTINGS[name] for name in KEY})


@dataclass(frozen=True)
class Listing:
    """What lies below the sources.

    Attributes:
        files: columns `source`, `size`, `mtime_ns`: ordinary files, each once.
        refused: schema `SIGHTINGS`: what is not opened, with the reason.
    """

    files: pl.DataFrame
    refused: pl.DataFrame


def list_files(sources: list[Path], *, leave_out: Path, follow_links: bool = False) -> Listing:
    """List every file of `sources`, folders with all that is below them.

    Args:
        sources: folders and files.
        leave_out: the archive's own folder.
        follow_links: whether symbolic links are followed, each folder once; else they are refused.

    Raises:
        RibsightError: a source does not exist.
    """
    walk = _Walk(leave_out, follow_links=follow_links)
    blocks = [pl.DataFrame(schema=_LISTED)]
    block: list[tuple[str, int, int]] = []
    for source in sources:
        if not source.exists():
            raise RibsightError(f"{source} does not exist")
        for found in walk.below(source):
            block.append(found)
            if len(block) >= _BLOCK:
                blocks.append(pl.DataFrame(block, schema=_LISTED, orient="row"))
                block = []
    blocks.append(pl.DataFrame(block, schema=_LISTED, orient="row"))
    files = pl.concat(blocks).unique("source", keep="first").sort("source")
    refused = pl.DataFrame(walk.refused, schema=SIGHTINGS).unique("source").sort("source")
    return Listing(files, refused)


class _Walk:
    def __init__(self, leave_out: Path, *, follow_links: bool):
        self.refused: list[dict[str, object]] = []
        self._follow_links = follow_links
        self._left_out = _identity(leave_out)
        self._seen: set[tuple[int, int]] = set()

    def below(self, source: Path) -> Iterator[tuple[str, int, int]]:
        """Yield path, size and modification time of each file, links after everything else."""
        root = os.path.abspath(source)  # noqa: PTH100 resolving would follow links
        if not os.path.isdir(root):  # noqa: PTH112
            yield from self._file(root, os.stat(root))  # noqa: PTH116
            return
        folders, links = [root], deque[str]()
        while folders or links:
            if not folders:
                link = links.popleft()
                yield from self._link(link, folders)
                continue
            yield from self._folder(folders.pop(), folders, links)

    def _folder(
        self, folder: str, folders: list[str], links: deque[str]
    ) -> Iterator[tuple[str, int, int]]:
        identity = _identity(Path(folder))
        if identity is None or identity == self._left_out:
            return
        if identity in self._seen:
            self._refuse(folder, Reason.LINK, "is a folder that was listed already")
            return
        self._seen.add(identity)
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(folder, Reason.UNREADABLE, f"cannot be listed: {error.strerror}")
            return
        below = []
        for entry in found:
            if entry.name.startswith("."):
                self._refuse(entry.path, Reason.HIDDEN, "is hidden: its name starts with a dot")
            elif entry.is_symlink():
                if self._follow_links:
                    links.append(entry.path)
                else:
                    self._refuse(
                        entry.path, Reason.LINK, "is a link, which --follow-links would follow"
                    )
            elif entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            else:
                yield from self._stat(entry.path)
        folders.extend(reversed(below))

    def _link(self, path: str, folders: list[str]) -> Iterator[tuple[str, int, int]]:
        if os.path.isdir(path):  # noqa: PTH112
            folders.append(path)
        else:
            yield from self._stat(path)

    def _stat(self, path: str) -> Iterator[tuple[str, int, int]]:
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError as error:
            self._refuse(path, Reason.UNREADABLE, f"cannot be read: {error.strerror}")
            return
        yield from self._file(path, found)

    def _file(self, path: str, found: os.stat_result) -> Iterator[tuple[str, int, int]]:
        if not _is_text(path):
            self._refuse(path, Reason.NAME, "has a name that is not UTF-8: give it another")
        elif not stat.S_ISREG(found.st_mode):
            self._refuse(path, Reason.NOT_A_FILE, "is no ordinary file")
        else:
            yield path, found.st_size, found.st_mtime_ns

    def _refuse(self, path: str, reason: Reason, sentence: str) -> None:
        self.refused.append(
            {
                "source": os.fsencode(path).decode("utf-8", "backslashreplace"),
                "position": ITSELF,
                "member": "",
                "offset": 0,
                "reason": str(reason),
                "sentence": sentence,
                "sha256": "",
                "head_sha256": "",
            }
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
