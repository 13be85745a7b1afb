"""Many files -> an output folder; interrupted at any point, the same command goes on."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from ribsight.deidentification.folder import (
    Folder,
    Record,
    append,
    finished,
    read_journal,
    waiting,
)
from ribsight.deidentification.one_file import Clean, deidentify
from ribsight.deidentification.review import write_review
from ribsight.deidentification.subject import Policy
from ribsight.errors import RibsightError
from ribsight.files import write_bytes, write_text
from ribsight.radiographs import image_id
from ribsight.radiographs.attributes import UnusableDicomError

IMAGE_COLUMNS = (
    "image_id", "patient_id", "study_id", "study_uid", "accession_number", "study_date", "view",
)  # fmt: skip
_MAX_BYTES = 1_000_000_000
_CONFLICT = "has the SOP Instance UID of another file and other content"


@dataclass(frozen=True)
class Summary:
    """How many of what.

    Attributes:
        images: files that may be handed on.
        painted: of this run, with text painted over.
        waiting: files that a person has to look at.
        quarantined: reason and count of files that gave nothing.
        remarks: remark and count.
    """

    images: int
    painted: int
    waiting: int
    quarantined: tuple[tuple[str, int], ...]
    remarks: tuple[tuple[str, int], ...]


def source_files(sources: Sequence[Path]) -> list[Path]:
    """Return all files given and below folders given, without hidden ones, in order.

    Raises:
        RibsightError: a source that is not there.
    """
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            found.extend(
                path
                for path in sorted(source.rglob("*"))
                if path.is_file()
                and not any(part.startswith(".") for part in path.relative_to(source).parts)
            )
        elif source.is_file():
            found.append(source)
        else:
            raise RibsightError(f"{source} is no file and no folder")
    return found


def deidentify_files(
    files: Sequence[Path],
    folder: Folder,
    policy: Policy,
    *,
    processes: int = 1,
    progress: bool = True,
) -> Summary:
    """De-identify files into a folder.

    Sources whose bytes were done before are not done again. Writes `images/`, `review/`,
    `images.csv`, `quarantine.csv` and the journal.

    Args:
        files: in an order that `quarantine.csv` counts by.
        folder: that `prepare` made.
        policy: the key and what is kept.
        processes: at the same time.
        progress: whether a bar is shown on a terminal.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    before = read_journal(folder)
    done = {one.content: one for one in before if folder.has(one.image)}
    owners = {one.image: one.content for one in done.values()}
    painted = 0
    records: list[Record] = []
    work = partial(_work, policy=policy, done=frozenset(done))
    try:
        with folder.journal.open("a", encoding="utf-8") as journal, _pool(processes) as apply:
            bar = tqdm(files, disable=None if progress else True, unit="file", desc="deidentify")
            for record, clean in apply(work, bar):
                if record.content in done:
                    record = _again(record, done[record.content])
                elif clean is not None:
                    if owners.setdefault(clean.name, record.content) != record.content:
                        record = Record(
                            record.source, record.content, record.image_id, reason=_CONFLICT
                        )
                    else:
                        place = folder.held if clean.held else folder.image
                        write_bytes(place(clean.name), clean.content)
                        painted += clean.painted
                        done[record.content] = record
                append(journal, record)
                records.append(record)
    except OSError as error:
        raise RibsightError(f"cannot write to {folder.out}: {error.strerror}") from error
    _write_quarantine(folder, records)
    everything = write_lists(folder)
    return Summary(
        images=sum(1 for _ in finished(folder, everything)),
        painted=painted,
        waiting=sum(1 for _ in waiting(folder, everything)),
        quarantined=_counts(one.reason for one in records if one.reason),
        remarks=_counts(remark for one in records for remark in one.remarks),
    )


def write_lists(folder: Folder) -> list[Record]:
    """Write `images.csv` and the pages of the review as the folder is now; return the journal."""
    records = read_journal(folder)
    rows = [{**one.row, "image_id": one.image} for one in finished(folder, records)]
    write_text(folder.out / "images.csv", _csv(IMAGE_COLUMNS, rows))
    write_review(folder, list(waiting(folder, records)))
    return records


def keyed_path(policy: Policy, path: Path) -> str:
    """Return the name under which a source stands in the journal and in `quarantine.csv`."""
    return policy.key.name("source", str(path.resolve()))


def keyed_image_id(policy: Policy, image: str) -> str:
    """Return the keyed name of an image as tables name it: its file name without ending."""
    return policy.key.name("image id", image)


def _work(path: Path, policy: Policy, done: frozenset[str]) -> tuple[Record, Clean | None]:
    source, image = keyed_path(policy, path), keyed_image_id(policy, image_id(path))
    try:
        if path.stat().st_size > _MAX_BYTES:
            reason = f"has more than {_MAX_BYTES // 1_000_000} MB"
            return Record(source, "", image, reason=reason), None
        content = path.read_bytes()
    except OSError as error:
        return Record(source, "", image, reason=f"cannot be read: {error.strerror}"), None
    digest = policy.key.digest("content", content).hex()
    if digest in done:
        return Record(source, digest, image), None
    try:
        clean = deidentify(content, policy)
    except UnusableDicomError as error:
        return Record(source, digest, image, reason=str(error)), None
    row = {name: value for name, value in clean.identity.new.items() if name in IMAGE_COLUMNS}
    record = Record(
        source,
        digest,
        image,
        image=clean.name,
        row={**row, "view": clean.view},
        boxes=tuple((*one.box, one.score) for one in clean.text),
        remarks=clean.remarks,
    )
    return record, clean


def _again(record: Record, first: Record) -> Record:
    return Record(
        record.source,
        record.content,
        record.image_id,
        image=first.image,
        row=first.row,
        boxes=first.boxes,
    )


_Apply = Callable[
    [Callable[[Path], tuple[Record, Clean | None]], Iterable[Path]],
    Iterator[tuple[Record, Clean | None]],
]


@contextmanager
def _pool(processes: int) -> Iterator[_Apply]:
    """Yield a `map` that keeps the order, in this process or in several."""
    if processes <= 1:
        yield map
        return
    # A forked copy of a process that has loaded native libraries can hang on their locks.
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield partial(_in_order, pool, 4 * processes)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor,
    ahead: int,
    function: Callable[[Path], tuple[Record, Clean | None]],
    items: Iterable[Path],
) -> Iterator[tuple[Record, Clean | None]]:
    """Yield results in order with only a few finished ones in memory."""
    waiting_for = []
    for item in items:
        waiting_for.append(pool.submit(function, item))
        if len(waiting_for) >= ahead:
            yield waiting_for.pop(0).result()
    for future in waiting_for:
        yield future.result()


def _write_quarantine(folder: Folder, records: Sequence[Record]) -> None:
    rows = [
        {"position": str(position), "source": one.source, "reason": one.reason}
        for position, one in enumerate(records, start=1)
        if one.reason
    ]
    write_text(folder.out / "quarantine.csv", _csv(("position", "source", "reason"), rows))


def _csv(columns: Sequence[str], rows: Iterable[dict[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _counts(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(values).most_common())
