"""Tables that go with the images: the same key, so that they still join."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePath

from ribsight.deidentification.columns import Declared, Kind, kinds_of
from ribsight.deidentification.folder import Folder, Record, known_images
from ribsight.deidentification.run import keyed_image_id
from ribsight.deidentification.subject import Policy
from ribsight.deidentification.values import OLDEST
from ribsight.errors import RibsightError
from ribsight.files import write_text
from ribsight.radiographs import image_id
from ribsight.records.rows import Row, TableFormat, day_of, read_rows

_UID = re.compile(r"\d+(\.\d+){3,}")
_AGE = re.compile(r"0*(\d{1,3})(\.\d+)?\s*(Y|y|years?)?")


@dataclass(frozen=True)
class Links:
    """How rows find a patient and an image under their new names.

    Attributes:
        images: new names by keyed name of the file name, several if files shared one.
        patients: the new patient by new study UID, study id, accession number or image.
    """

    images: Mapping[str, set[str]] = field(default_factory=dict)
    patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TableSummary:
    """What became of a table.

    Attributes:
        rows: that were written.
        dropped: columns that went.
        left_out: rows about images that the folder does not hold.
        undated: dates left blank because their row names no patient.
    """

    rows: int
    dropped: tuple[str, ...]
    left_out: int
    undated: int


def links_of(records: Sequence[Record]) -> Links:
    """Return the links that the images of a folder give."""
    patients: dict[str, str] = {}
    for record in records:
        if not record.image:
            continue
        patient = record.row.get("patient_id", "")
        patients[record.image] = patient
        for name in ("study_uid", "study_id", "accession_number"):
            if record.row.get(name):
                patients[record.row[name]] = patient
    return Links(known_images(records), patients)


def check_table(path: Path, declared: Declared, form: TableFormat) -> None:
    """Refuse a table that `deidentify_table` would refuse for its columns, before the long work.

    Raises:
        RibsightError: a file that cannot be read, or a column that nobody accounts for.
    """
    header, read = _read(path, form)
    kinds_of(path, header, [[row.cells[name] for name in header] for row in read], declared)


def deidentify_table(
    path: Path, folder: Folder, policy: Policy, links: Links, declared: Declared, form: TableFormat
) -> TableSummary:
    """Write `tables/NAME` of a CSV with new identifiers and shifted dates.

    Raises:
        RibsightError: a file that cannot be read, a column that nobody accounts for, a date of an
            unknown form; nothing is written then.
    """
    header, read = _read(path, form)
    rows = [[row.cells[name] for name in header] for row in read]
    kinds = kinds_of(path, header, rows, declared)
    kept = [index for index, kind in enumerate(kinds) if kind is not Kind.DROP]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([header[index] for index in kept])
    counts: Counter[str] = Counter()
    for row, cells in zip(read, rows, strict=True):
        new = _new_row(path, row.number, header, kinds, cells, policy, links, form, counts)
        if new is None:
            counts["left out"] += 1
            continue
        writer.writerow([new[index] for index in kept])
        counts["rows"] += 1
    write_text(folder.out / "tables" / f"{path.stem}.csv", stream.getvalue())
    dropped = tuple(name for name, kind in zip(header, kinds, strict=True) if kind is Kind.DROP)
    return TableSummary(counts["rows"], dropped, counts["left out"], counts["undated"])


def new_image(path: Path, where: str, said: str, policy: Policy, links: Links) -> str | None:
    """Return the new name of an image as a table names it, None if the folder does not hold it.

    Raises:
        RibsightError: several files had that name.
    """
    name = image_id(PurePath(said.replace("\\", "/")))
    found = links.images.get(keyed_image_id(policy, name), set())
    if len(found) > 1:
        raise RibsightError(
            f"{path}, {where} names an image as {len(found)} files are named: rename the files so "
            "that each name stands for one"
        )
    return next(iter(found), None)


def _read(path: Path, form: TableFormat) -> tuple[list[str], list[Row]]:
    """Return the names of all columns, and all rows."""
    try:
        with path.open(encoding=form.encoding, newline="") as stream:
            line = next((one for one in stream if one.strip()), "")
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeError, LookupError):
        line = ""  # `read_rows` says what is wrong
    separator = max(",;\t|", key=line.count)
    cells = next(csv.reader([line], delimiter=separator), [])
    header = [cell.strip().strip("\ufeff") for cell in cells]
    if "" in header:
        raise RibsightError(f"{path} has a column without a name")
    return header, list(read_rows(path, path.stem, header, (), form))


def _new_row(
    path: Path,
    number: int,
    header: Sequence[str],
    kinds: Sequence[Kind],
    cells: Sequence[str],
    policy: Policy,
    links: Links,
    form: TableFormat,
    counts: Counter[str],
) -> list[str] | None:
    new = list(cells)
    for index, (kind, cell) in enumerate(zip(kinds, cells, strict=True)):
        if not cell:
            continue
        match kind:
            case Kind.PATIENT:
                new[index] = policy.key.name("patient", cell)
            case Kind.STUDY:
                is_uid = _UID.fullmatch(cell)
                new[index] = policy.key.uid(cell) if is_uid else policy.key.name("study", cell)
            case Kind.ACCESSION:
                new[index] = policy.key.name("accession", cell)
            case Kind.UID:
                new[index] = policy.key.uid(cell)
            case Kind.IMAGE:
                image = new_image(path, f"row {number}", cell, policy, links)
                if image is None:
                    return None
                new[index] = image
            case Kind.AGE:
                new[index] = _age(cell)
    patient = _patient(kinds, new, links)
    for index, kind in enumerate(kinds):
        if kind is Kind.DATE and cells[index]:
            day = day_of(cells[index], path, number, header[index], form)
            new[index] = _shifted(day, patient, policy)
            counts["undated"] += not patient
    return new


def _patient(kinds: Sequence[Kind], new: Sequence[str], links: Links) -> str:
    """Return the row's patient, or whose study, order or image it is about; blank if unknown."""
    for index, kind in enumerate(kinds):
        if kind is Kind.PATIENT and new[index]:
            return new[index]
    for index, kind in enumerate(kinds):
        if kind in (Kind.STUDY, Kind.ACCESSION, Kind.UID, Kind.IMAGE) and new[index]:
            patient = links.patients.get(new[index])
            if patient:
                return patient
    return ""


def _shifted(day: int | None, patient: str, policy: Policy) -> str:
    if day is None or not patient or policy.dates == "drop":
        return ""
    new = policy.key.shifted(date.fromordinal(day), patient)
    return new.isoformat() if new else ""


def _age(cell: str) -> str:
    match = _AGE.fullmatch(cell)
    return str(min(int(match[1]), OLDEST)) if match else ""
