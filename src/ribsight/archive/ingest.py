"""Sources -> an archive: list, read what is new, merge. What was read survives any end of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import polars as pl
from tqdm import tqdm

from ribsight.archive.containers import COMPRESSED
from ribsight.archive.crew import ReadChunks, readers
from ribsight.archive.index import Archive, write_archive
from ribsight.archive.listing import Listing, list_files
from ribsight.archive.merge import merge
from ribsight.archive.reading import Reading
from ribsight.archive.reasons import RETRIED
from ribsight.archive.shards import Shards, last_of_each
from ribsight.archive.sighting import ITSELF, KEY, Row, Task, sightings
from ribsight.archive.state import add_sources, own_folder
from ribsight.archive.stored import CONTAINERS, object_path
from ribsight.errors import RibsightError

FILES_AT_ONCE = 64
MEMBERS_AT_ONCE = 256
_SHARD_SECONDS = 5.0

Remote = Callable[[pl.DataFrame, Reading, ReadChunks], Iterator[list[Row]]]
"""Sightings, how files are read, and what reads them -> the rows of what is new on a server."""


@dataclass(frozen=True)
class Options:
    """How an archive is made.

    Attributes:
        processes: that read at once.
        hash_content: hash files to their end; else their first 64 KiB.
        rehash: read again what has not changed by its size and time.
        follow_links: follow symbolic links.
        keep_first: of images in conflict, keep the first.
        readers: of `crew`, or the same on many machines.
        shard_rows: after how many rows, at the latest, what was read is written down.
        progress: show a bar on a terminal.
    """

    processes: int = 1
    hash_content: bool = True
    rehash: bool = False
    follow_links: bool = False
    keep_first: bool = False
    readers: Callable[[Reading, int], AbstractContextManager[ReadChunks]] = readers
    shard_rows: int = 8192
    progress: bool = True


@dataclass(frozen=True)
class Ingested:
    """An archive, and what this run did for it.

    Attributes:
        archive: as it is now.
        looked_at: files, members and remote images that were read.
        unchanged: files below the sources that were known already.
        changed: files that were known, and were read again because size or time differ.
        removed: files that were known and are not there any more.
        damaged_shards: parts of an earlier run that were damaged, and were read again.
        seconds: of listing and reading.
    """

    archive: Archive
    looked_at: int
    unchanged: int
    changed: int
    removed: int
    damaged_shards: int
    seconds: float


def ingest(
    sources: Sequence[Path],
    folder: Path,
    options: Options,
    *,
    remote: dict[str, Remote] | None = None,
) -> Ingested:
    """Read what is new in `sources` and write the archive at `folder`.

    Sources of earlier runs that are not given stay as they were.

    Args:
        sources: folders and files.
        folder: of the archive; made if it is not there.
        options: how.
        remote: for each DICOMweb address, what yields the rows of images that are not among the
            sightings it is given.

    Raises:
        RibsightError: a source is missing, the folder is something else or in use, or the disk is
            full; what was read until then is kept.
    """
    remote = remote or {}
    roots = [source.absolute() for source in sources]
    for root in roots:
        if not root.exists():
            raise RibsightError(f"{root} does not exist")
    with own_folder(folder):
        given = add_sources(folder, [*map(str, roots), *remote])
        shards = Shards(folder)
        known = shards.read()
        begun = time.monotonic()
        listing = list_files(roots, leave_out=folder, follow_links=options.follow_links)
        within = _below(known, roots)
        current = _current(known.filter(within), listing, options)
        current = _without_lost_copies(current, folder)
        reading = Reading(folder.absolute(), options.hash_content)
        kept = pl.concat([known.filter(~within), current])
        with options.readers(reading, options.processes) as read:
            work = _Work(shards, options, reading, read)
            tables = [kept, *work.files(listing.files, current)]
            together = last_of_each(pl.concat(tables))
            tables += work.members(together.filter(_below(together, roots)))
            for one in remote.values():
                tables += work.remote(one, pl.concat(tables))
        seconds = time.monotonic() - begun
        seen = pl.concat([last_of_each(pl.concat(tables)), listing.refused])
        images, quarantine = merge(seen, keep_first=options.keep_first)
        shards.replace(seen.sort("source", "position"))
        archive = write_archive(folder, images, quarantine, given)
    before, now = _files(known.filter(within)), listing.files
    again = before.join(now, on="source", how="semi")
    unchanged = len(before.join(now, on=KEY, how="semi"))
    return Ingested(
        archive=archive,
        looked_at=work.count,
        unchanged=unchanged,
        changed=len(again) - unchanged,
        removed=len(before) - len(again),
        damaged_shards=shards.damaged,
        seconds=seconds,
    )


def _files(seen: pl.DataFrame) -> pl.DataFrame:
    return seen.filter(pl.col("position") == ITSELF, pl.col("size").is_not_null())


def _below(seen: pl.DataFrame, roots: Sequence[Path]) -> pl.Series:
    """Return which rows are of the roots or below them."""
    source = seen["source"]
    within = pl.repeat(False, len(seen), eager=True)
    for root in map(str, roots):
        within |= (source == root) | source.str.starts_with(root.rstrip("/") + "/")
    return within


def _current(known: pl.DataFrame, listing: Listing, options: Options) -> pl.DataFrame:
    """Return what need not be read again."""
    if options.rehash:
        return known.clear()
    current = known.join(listing.files, on=KEY, how="semi", maintain_order="left")
    current = current.filter(~pl.col("reason").is_in([str(one) for one in RETRIED]))
    if options.hash_content:
        only_head = pl.col("eligible").is_not_null() & (pl.col("sha256") == "")
        current = current.filter(~only_head)
    return current


def _without_lost_copies(current: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Forget members of compressed containers whose copies have gone."""
    packed = _files(current).filter(pl.col("format").is_in(sorted(COMPRESSED)))
    copied = current.join(packed, on="source", how="semi").filter("eligible")
    lost = [
        index
        for index, sha256 in enumerate(copied["sha256"])
        if not object_path(folder, sha256).is_file()
    ]
    return current.join(copied[lost], on=["source", "position"], how="anti", maintain_order="left")


class _Work:
    """Reading, with what was read written down every few seconds."""

    def __init__(self, shards: Shards, options: Options, reading: Reading, read: ReadChunks):
        self._shards, self._options, self._reading, self._read = shards, options, reading, read
        self.count = 0

    def files(self, files: pl.DataFrame, current: pl.DataFrame) -> list[pl.DataFrame]:
        """Read the files that are not among the current sightings as files."""
        pending = files.join(_files(current), on=KEY, how="anti").sort("source")
        chunks = (
            [Task(*row) for row in part.iter_rows()]
            for part in pending.select(KEY).iter_slices(FILES_AT_ONCE)
        )
        return self._written(self._read(chunks), len(pending), "reading")

    def members(self, seen: pl.DataFrame) -> list[pl.DataFrame]:
        """Read the members of containers that are not among the sightings."""
        members = seen.filter(pl.col("position") > ITSELF)
        done = members.group_by("source").agg(pl.col("position")).rows()
        known = {source: frozenset(positions) for source, positions in done}
        containers = _files(seen).filter(pl.col("format").is_in(sorted(CONTAINERS)))
        listed = containers.select(*KEY, "format", "members").rows()
        tasks = [
            task
            for source, size, mtime_ns, kind, count in listed
            for task in _member_tasks(
                Task(source, size, mtime_ns, kind), count, known.get(source, frozenset())
            )
        ]
        expected = int(containers["members"].sum()) - sum(map(len, known.values()))
        return self._written(self._read([task] for task in tasks), expected, "members")

    def remote(self, fetch: Remote, seen: pl.DataFrame) -> list[pl.DataFrame]:
        """Fetch what is not among the sightings."""
        current = seen.clear() if self._options.rehash else seen
        return self._written(fetch(current, self._reading, self._read), None, "fetching")

    def _written(
        self, batches: Iterator[list[Row]], total: int | None, label: str
    ) -> list[pl.DataFrame]:
        tables: list[pl.DataFrame] = []
        rows: list[Row] = []
        since = time.monotonic()
        with _bar(total, label, progress=self._options.progress) as bar:
            for batch in batches:
                rows += batch
                self.count += len(batch)
                bar.update(len(batch))
                if (
                    len(rows) >= self._options.shard_rows
                    or time.monotonic() - since > _SHARD_SECONDS
                ):
                    tables.append(self._write(rows))
                    rows, since = [], time.monotonic()
        if rows:
            tables.append(self._write(rows))
        return tables

    def _write(self, rows: list[Row]) -> pl.DataFrame:
        table = sightings(rows)
        try:
            self._shards.append(table)
        except RibsightError as error:
            raise RibsightError(
                f"{error}; what was read before is kept: make room and run the same command again"
            ) from error
        return table


def _member_tasks(container: Task, count: int | None, known: frozenset[int]) -> Iterator[Task]:
    """Yield tasks for what is not known of a container with `count` members, None: not listed."""
    if container.kind in COMPRESSED:
        if count is None or len(known) < count:
            yield replace(container, passed_over=known)
        return
    for start in range(0, count or 0, MEMBERS_AT_ONCE):
        wanted = frozenset(range(start, min(start + MEMBERS_AT_ONCE, count or 0)))
        if wanted - known:
            yield replace(container, start=start, stop=max(wanted) + 1, passed_over=wanted & known)


def _bar(total: int | None, label: str, *, progress: bool) -> "tqdm[NoReturn]":
    return tqdm(total=total, desc=label, unit="file", disable=None if progress else True)
