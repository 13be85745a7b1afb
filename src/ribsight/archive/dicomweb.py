"""Images of a DICOMweb server: headers first, then the bytes of those that are eligible."""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import polars as pl
import requests
from pydicom.dataset import Dataset

from ribsight.archive.crew import Chunk, ReadChunks
from ribsight.archive.header import TAGS, describe, image_uid
from ribsight.archive.ingest import Remote
from ribsight.archive.keeping import CannotKeepError, Copy
from ribsight.archive.reading import Reading, refused
from ribsight.archive.reasons import RETRIED, Reason, RefusedError
from ribsight.archive.server import Query, Server, is_uid, told
from ribsight.archive.sighting import Row, Task, new_row
from ribsight.archive.stored import object_path
from ribsight.errors import RibsightError
from ribsight.radiographs.quiet import unchecking_pydicom

_THREADS = 8
_TRIES = 3
_WANTED = frozenset(f"{tag:08X}" for tag in TAGS)


@dataclass(frozen=True)
class _Study:
    """What is new in a study: rows that are settled, and objects that are still to be read."""

    rows: list[Row]
    objects: dict[str, str]  # hash of the bytes by address


def remote_reader(address: str, query: Query) -> Remote:
    """Return what reads the images of a server that are not known yet."""

    def fetch(seen: pl.DataFrame, reading: Reading, read: ReadChunks) -> Iterator[list[Row]]:
        server = Server(address)
        known = _known(seen, address, reading)
        settled: deque[list[Row]] = deque()
        addresses: dict[str, str] = {}
        chunks = _chunks(_studies(server, query, known, reading), reading, settled, addresses)
        with unchecking_pydicom():
            for rows in read(chunks):
                yield [_at_address(row, addresses) for row in rows]
                while settled:
                    yield settled.popleft()
        yield from settled

    return fetch


def _known(seen: pl.DataFrame, address: str, reading: Reading) -> dict[str, set[str]]:
    """Return the addresses of images by study that need not be asked for again."""
    retried = [str(one) for one in RETRIED]
    mine = seen.filter(
        pl.col("source").str.starts_with(address + "/"), ~pl.col("reason").is_in(retried)
    )
    known: dict[str, set[str]] = {}
    for source, size, sha256 in mine.select("source", "bytes", "sha256").rows():
        kept = object_path(reading.folder, sha256) if size is not None and sha256 else None
        if kept is None or (kept.is_file() and kept.stat().st_size == size):
            known.setdefault(source.partition("/series/")[0], set()).add(source)
    return known


def _studies(
    server: Server, query: Query, known: dict[str, set[str]], reading: Reading
) -> Iterator[_Study]:
    """Yield what is new, a few studies at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        running: deque[Future[_Study]] = deque()
        try:
            for uid, count in server.studies(query):
                have = known.get(f"{server.address}/studies/{uid}", set())
                if count is not None and len(have) >= count:
                    continue
                running.append(pool.submit(_study, server, uid, have, reading))
                if len(running) > 2 * _THREADS:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except CannotKeepError as error:
            raise RibsightError(str(error)) from error
        finally:
            for one in running:
                one.cancel()


def _study(server: Server, uid: str, have: set[str], reading: Reading) -> _Study:
    address = f"{server.address}/studies/{uid}"
    if not is_uid(uid):
        return _Study([], {})
    rows: list[Row] = []
    objects: dict[str, str] = {}
    try:
        headers = server.metadata(uid)
    except (requests.RequestException, ValueError) as error:
        return _Study([refused(_row(address), RefusedError(Reason.FETCH, told(error)))], {})
    for header in headers:
        place = address
        try:
            row, place = _heard_of(header, address)
            if place in have:
                continue
            if row.get("eligible"):
                objects[place] = _fetch(server, place, reading)
            else:
                rows.append(row)
        except RefusedError as refusal:
            rows.append(refused(_row(place), refusal))
    return _Study(rows, objects)


def _heard_of(header: dict[str, Any], study: str) -> tuple[Row, str]:
    """Return the row of an image of which only the header is known, and its address."""
    try:
        wanted = {tag: value for tag, value in header.items() if tag in _WANTED}
        dataset = Dataset.from_json(wanted, lambda *_: None)
        image, series = image_uid(dataset), str(dataset.SeriesInstanceUID)
        described = describe(dataset, None)
    except RefusedError:
        raise
    except Exception as error:  # pydicom raises nearly anything on what is no DICOM JSON
        raise RefusedError(Reason.FETCH, "has a header that cannot be read") from error
    if not (is_uid(image) and is_uid(series)):
        raise RefusedError(Reason.UID, "has no usable SOPInstanceUID and SeriesInstanceUID")
    place = f"{study}/series/{series}/instances/{image}"
    row = {**_row(place), **described, "image": image, "format": "dicom"}
    if described["rows"] is None:
        nothing = RefusedError(Reason.NOT_AN_IMAGE, "is a DICOM object without pixel data")
        return refused(row, nothing), place
    return row, place


def _fetch(server: Server, place: str, reading: Reading) -> str:
    """Keep the bytes of an image and return their hash."""
    for attempt in range(1, _TRIES + 1):
        digest = hashlib.sha256()
        try:
            with Copy(reading.folder) as copy:
                for block in server.instance(place):
                    digest.update(block)
                    copy.write(block)
                copy.finish(digest.hexdigest())
            return digest.hexdigest()
        except (requests.RequestException, RefusedError) as error:
            if attempt == _TRIES:
                said = error.sentence if isinstance(error, RefusedError) else told(error)
                raise RefusedError(Reason.FETCH, f"cannot be fetched: {said}") from error
    raise AssertionError("unreachable")


def _chunks(
    studies: Iterable[_Study],
    reading: Reading,
    settled: deque[list[Row]],
    addresses: dict[str, str],
) -> Iterator[Chunk]:
    """Yield the fetched objects of each study to be read; what needs no reading goes to a list."""
    for study in studies:
        if study.rows:
            settled.append(study.rows)
        tasks = []
        for address, sha256 in study.objects.items():
            path = object_path(reading.folder, sha256)
            found = os.stat(path)  # noqa: PTH116
            addresses[str(path)] = address
            tasks.append(Task(str(path), found.st_size, found.st_mtime_ns))
        if tasks:
            yield tasks


def _at_address(row: Row, addresses: dict[str, str]) -> Row:
    """Return the row of an object that was fetched as that of its address."""
    address = addresses.pop(row["source"])
    where = {"source": address, "size": None, "mtime_ns": None}
    asked = address.rpartition("/")[2]
    if row["reason"] == "" and row["image"] != asked:
        other = RefusedError(Reason.FETCH, "is another image than the one that was asked for")
        return {**refused(row, other), **where}
    return {**row, **where}


def _row(address: str) -> Row:
    return new_row(Task(address, 0, 0)) | {"size": None, "mtime_ns": None}
