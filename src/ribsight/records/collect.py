"""A user's tables -> compact tables of facts: images, codes and report readings.

Rows are read one at a time and written in parts, so memory does not grow with the files.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ribsight.errors import RibsightError
from ribsight.findings import ribs_text
from ribsight.records.codes import (
    CodeCertainty,
    CodeMeaning,
    CodingSystem,
    coding_system,
    read_code,
)
from ribsight.records.labeller import is_tomography, label_report
from ribsight.records.lexicon import Lexicon
from ribsight.records.mention import Mention
from ribsight.records.policy import FusionPolicy, ReportSignal
from ribsight.records.reading import ReportReading, read_mentions
from ribsight.records.rows import Row, TableFormat, day_of, masked, read_rows

PART = 100_000
"""Rows held in memory at a time."""
_KEYS: dict[str, Any] = {
    "row": pl.Int64,
    "accession": pl.String,
    "study": pl.String,
    "patient": pl.String,
    "day": pl.Int32,
}
IMAGES = pl.Schema({**_KEYS, "image": pl.String, "view": pl.String})
CODES = pl.Schema({**_KEYS, "code": pl.Int32})
_MENTION_COLUMNS: dict[str, Any] = {
    "row": pl.Int64, "site": pl.String, "kind": pl.String, "state": pl.String,
    "likely": pl.Boolean, "acuity": pl.String, "side": pl.String, "ribs": pl.List(pl.Int8),
    "count": pl.Int32, "multiple": pl.Boolean, "displacement": pl.String,
    "seen_before": pl.Boolean, "section": pl.String, "start": pl.Int32, "end": pl.Int32,
    "rule": pl.String,
}  # fmt: skip
MENTIONS = pl.Schema(_MENTION_COLUMNS)
SECTIONS = ("report", "findings", "impression")
_LONGEST_CODE = 20
_SEVERAL = re.compile(r"[;|,]")
_KEY_COLUMNS = ("study_id", "patient_id", "accession_number")


@dataclass(frozen=True)
class CodeBook:
    """Every distinct code of a file.

    Attributes:
        meanings: what each says; `CODES.code` is its place here.
        written: how it was written the first time; masked if it is no code.
        counts: rows of each.
        first_rows: the first row of each.
    """

    meanings: list[CodeMeaning] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    first_rows: list[int] = field(default_factory=list)


class PartWriter:
    """Writes rows as Parquet files of `PART` rows."""

    def __init__(self, folder: Path, name: str, schema: pl.Schema) -> None:
        self._folder, self._name, self._schema = folder, name, schema
        self._rows: list[tuple[object, ...]] = []
        self._parts = 0

    def add(self, row: tuple[object, ...]) -> None:
        """Add one row, in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) >= PART:
            self._flush()

    def close(self) -> Path:
        """Write what is left; return a pattern that matches all parts."""
        if self._rows or not self._parts:
            self._flush()
        return self._folder / f"{self._name}-*.parquet"

    def _flush(self) -> None:
        table = pl.DataFrame(self._rows, schema=self._schema, orient="row")
        table.write_parquet(self._folder / f"{self._name}-{self._parts:05}.parquet")
        self._rows, self._parts = [], self._parts + 1


def _keys(row: Row, path: Path, date_column: str, form: TableFormat) -> tuple[object, ...]:
    cells = row.cells
    day = day_of(cells[date_column], path, row.number, date_column, form)
    accession, study = cells["accession_number"] or None, cells["study_id"] or None
    return row.number, accession, study, cells["patient_id"] or None, day


def collect_images(path: Path, form: TableFormat, folder: Path) -> Path:
    """Write the table of images.

    Raises:
        RibsightError: as `read_rows` and `day_of` do, or a row without an image.
    """
    writer = PartWriter(folder, "images", IMAGES)
    optional = (*_KEY_COLUMNS, "study_date", "view")
    for row in read_rows(path, "images", ("image_id",), optional, form):
        if not row.cells["image_id"]:
            raise RibsightError(f"{path}, row {row.number} names no image in column 'image_id'")
        keys = _keys(row, path, "study_date", form)
        writer.add((*keys, row.cells["image_id"], row.cells["view"]))
    return writer.close()


def collect_codes(
    path: Path, system: CodingSystem | None, form: TableFormat, folder: Path
) -> tuple[Path, CodeBook]:
    """Write the table of codes, one row for each code of a cell, and return what each means.

    Raises:
        RibsightError: as `read_rows` and `day_of` do, or a row whose coding system is not known.
    """
    writer = PartWriter(folder, "codes", CODES)
    book = CodeBook()
    places: dict[tuple[str, str], int] = {}
    optional = (*_KEY_COLUMNS, "encounter_date", "coding_system")
    for row in read_rows(path, "codes", ("code",), optional, form):
        keys = _keys(row, path, "encounter_date", form)
        named = row.cells["coding_system"]
        for code in _SEVERAL.split(row.cells["code"]):
            place = places.get((code, named))
            if place is None:
                meaning = read_code(code, _system(named, system, path, row.number))
                place = _remember(book, meaning, code.strip(), row.number)
                places[code, named] = place
            book.counts[place] += 1
            writer.add((*keys, place))
    return writer.close(), book


def _system(named: str, declared: CodingSystem | None, path: Path, row: int) -> CodingSystem:
    if not named:
        if declared is None:
            raise RibsightError(
                f"{path}, row {row} names no coding system: give --coding-system, one of "
                f"{', '.join(CodingSystem)}"
            )
        return declared
    if len(named) > _LONGEST_CODE:
        raise RibsightError(
            f"{path}, row {row}, column 'coding_system' is of the form {masked(named)}; it is one "
            f"of {', '.join(CodingSystem)}"
        )
    try:
        return coding_system(named)
    except RibsightError as error:
        raise RibsightError(f"{path}, row {row}, column 'coding_system': {error}") from None


def _remember(book: CodeBook, meaning: CodeMeaning, written: str, row: int) -> int:
    is_code = meaning.certainty is not CodeCertainty.UNKNOWN or len(written) <= _LONGEST_CODE // 2
    book.meanings.append(meaning)
    book.written.append(written if is_code else masked(written))
    book.first_rows.append(row)
    return len(book.meanings) - 1


def collect_reports(
    path: Path, lexicon: Lexicon, policy: FusionPolicy, form: TableFormat, folder: Path
) -> tuple[Path, Path]:
    """Label the reports; write a row of readings for each, and their mentions.

    A reading is `signal|acuity|side|ribs|contradicts itself|evidence`, empty where the report does
    not mention the finding.

    Raises:
        RibsightError: as `read_rows` and `day_of` do, or no column with text.
    """
    readings = PartWriter(folder, "reports", reports_schema(policy))
    mentions = PartWriter(folder, "mentions", MENTIONS)
    for row, texts in read_reports(path, form):
        keys = _keys(row, path, "study_date", form)
        found = label_texts(texts, lexicon)
        for one in found:
            mentions.add(_mention_row(row.number, one))
        is_ct = any(is_tomography(text, lexicon) for text in texts.values())
        said = [
            _packed(read_mentions(found, sites, policy), path, row.number)
            for sites in policy.findings.values()
        ]
        readings.add((*keys, is_ct, *said))
    return readings.close(), mentions.close()


def read_reports(path: Path, form: TableFormat) -> Iterator[tuple[Row, dict[str, str]]]:
    """Yield each row with its texts by section; `report` is a whole report.

    Raises:
        RibsightError: as `read_rows` does, or no column with text.
    """
    is_first = True
    optional = (*_KEY_COLUMNS, "study_date", *SECTIONS)
    for row in read_rows(path, "reports", (), optional, form):
        if is_first and not any(row.cells[one] for one in SECTIONS):
            _check_text_column(path, form)
        is_first = False
        yield row, {one: row.cells[one] for one in SECTIONS if row.cells[one]}


def _check_text_column(path: Path, form: TableFormat) -> None:
    for name in SECTIONS:
        try:
            next(read_rows(path, "reports", (name,), (), form))
        except RibsightError:
            continue
        return
    raise RibsightError(
        f"{path} has no column 'report', 'findings' or 'impression': name yours with "
        "--column reports.report=YOURS"
    )


def label_texts(texts: Mapping[str, str], lexicon: Lexicon) -> list[Mention]:
    """Label the sections of one report; the section of a whole report's mention is its own."""
    found: list[Mention] = []
    for section, text in texts.items():
        name = "" if section == "report" else section
        found += label_report(text, lexicon, section=name)
    return found


def reports_schema(policy: FusionPolicy) -> pl.Schema:
    """Return the schema of the table of readings."""
    return pl.Schema({**_KEYS, "ct": pl.Boolean, **dict.fromkeys(policy.findings, pl.String)})


def _packed(reading: ReportReading, path: Path, row: int) -> str:
    if reading.signal is ReportSignal.SILENT or reading.decisive is None:
        return ""
    evidence = reading.decisive.evidence
    where = f"{evidence.section} " if evidence.section else ""
    place = f"{path.name} row {row}, {where}characters {evidence.start}-{evidence.end}"
    contradicts = "1" if reading.contradicts_itself else ""
    said = f"{reading.signal}|{reading.acuity}|{reading.side}|{ribs_text(reading.ribs)}"
    return f"{said}|{contradicts}|{place}: {evidence.rule}"


def _mention_row(row: int, mention: Mention) -> tuple[object, ...]:
    evidence = mention.evidence
    return (
        row, mention.site, mention.kind, mention.state, mention.is_likely, mention.acuity,
        mention.side, list(mention.ribs), mention.count, mention.is_multiple,
        mention.displacement, mention.is_seen_before, evidence.section, evidence.start,
        evidence.end, evidence.rule,
    )  # fmt: skip


Progress = Callable[[str], None]
"""Told the name of each step as it begins."""


def paths_of(pattern: Path) -> list[Path]:
    """Return the parts that a pattern matches, in order."""
    return sorted(pattern.parent.glob(pattern.name))
