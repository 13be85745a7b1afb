"""Which rows of the table of diagnoses are about which radiograph, and what they say together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from ribsight.cohort.combining import Linked, Said, combined
from ribsight.cohort.images import ReadImage, find_id
from ribsight.cohort.join_rule import Direction, JoinBy, JoinRule, Moment, Pick, parse_moment
from ribsight.cohort.left_out import LeftOut
from ribsight.errors import RibsightError
from ribsight.findings import DiagnosisState
from ribsight.records import ColumnMapping, DiagnosisRow, DiagnosisTable, read_diagnosis_table
from ribsight.records.diagnosis_table import check_header, diagnosis_row, read_cells

# What no header can hold: a row may name no study and be about nothing.
_NO_KEY = "\0"
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Joined:
    """What was said of each radiograph, rows about none, and radiographs that no row is about."""

    said: Mapping[str, Said]
    unused_rows: tuple[LeftOut, ...]
    without_record: tuple[LeftOut, ...]


def read_records(path: Path, mapping: ColumnMapping, rule: JoinRule) -> DiagnosisTable:
    """Read the table of diagnoses; but for joining by image, several rows may have one key.

    Raises:
        RibsightError: as `read_diagnosis_table` does.
    """
    if rule.by is JoinBy.IMAGE:
        return read_diagnosis_table(path, mapping)
    kept = (*mapping.keep, *((rule.date,) if rule.date else ()))
    keyed = replace(mapping, image=rule.key, keep=tuple(dict.fromkeys(kept)))
    header, records = read_cells(path)
    check_header(path, header, keyed)
    rows = tuple(
        diagnosis_row(
            path, number, _with_key(dict(zip(header, cells, strict=True)), rule.key), keyed
        )
        for number, cells in records
    )
    if not rows:
        raise RibsightError(f"{path} has a header but no row")
    return DiagnosisTable(path, keyed, rows)


def _with_key(cells: dict[str, str], key: str) -> dict[str, str]:
    return {**cells, key: cells[key] or _NO_KEY}


def match_rows(
    table: DiagnosisTable, names: Mapping[str, str], files: Mapping[str, object]
) -> dict[str, DiagnosisRow]:
    """Return the table's row of each id.

    Raises:
        RibsightError: two rows are about one image, or no row is about any.
    """
    matched: dict[str, DiagnosisRow] = {}
    for row in table.rows:
        id_ = find_id(row.image, names)
        if id_ is None:
            continue
        if id_ in matched:
            place = files.get(id_)
            raise RibsightError(
                f"{table.path}: rows {matched[id_].row} and {row.row} are both about "
                f"{place if isinstance(place, Path) else id_}; keep one"
            )
        matched[id_] = row
    if not matched:
        raise RibsightError(
            f"{table.path} is about other images: none of its {len(table.rows)} rows, such as "
            f"'{table.rows[0].image}', names one of the {len(files)} images"
        )
    return matched


def joined_by_image(
    table: DiagnosisTable,
    rows: Mapping[str, DiagnosisRow],
    names: Mapping[str, str],
) -> Joined:
    """Return what the rows of `match_rows` say; an image without a row is not listed."""
    unused = [
        LeftOut(table.path.name, str(row.row), f"no image named {row.image}")
        for row in table.rows
        if find_id(row.image, names) is None
    ]
    said = {
        id_: Said(
            row=row.row,
            states=row.states,
            evidence={finding: table.evidence(row, finding) for finding in row.states},
            acuities=row.acuities,
            sides=row.sides,
            ribs=row.ribs,
            patient=row.patient,
            group=row.group,
            kept=row.kept,
        )
        for id_, row in rows.items()
    }
    return Joined(said, tuple(unused), ())


def join_records(table: DiagnosisTable, read: Mapping[str, ReadImage], rule: JoinRule) -> Joined:
    """Join by study, accession, or patient and time.

    Raises:
        RibsightError: a date that is none, or no row about any radiograph.
    """
    by_key: defaultdict[str, list[Linked]] = defaultdict(list)
    for row in table.rows:
        by_key[row.image].append(Linked(row, _moment(table, row, rule)))
    said: dict[str, Said] = {}
    used: set[int] = set()
    without: list[LeftOut] = []
    for id_, image in read.items():
        linked, reason = _linked(image, by_key, rule)
        used.update(one.row.row for one in linked)
        carried = () if linked else _carried(image, by_key, rule)
        if linked or carried:
            said[id_] = combined(
                table, linked or carried, image.view, rule, is_carried=bool(carried)
            )
        if not linked:
            without.append(LeftOut(image.file, "", reason))
    if not used:
        raise RibsightError(
            f"{table.path} is about other images: none of its {len(table.rows)} rows is about one "
            f"of the {len(read)} images by {rule.by}; {without[0].file}: {without[0].reason}"
        )
    keys = {_key(image, rule) for image in read.values()}
    unused = [
        LeftOut(table.path.name, str(one.row.row), _why_unused(one, key in keys, rule))
        for key, rows in by_key.items()
        for one in rows
        if one.row.row not in used
    ]
    return Joined(said, tuple(sorted(unused, key=lambda one: int(one.row))), tuple(without))


def _moment(table: DiagnosisTable, row: DiagnosisRow, rule: JoinRule) -> Moment | None:
    text = row.kept[rule.date] if rule.date else ""
    if not text:
        return None
    moment = parse_moment(text)
    if moment is None:
        raise RibsightError(
            f"{table.path}, row {row.row}, column '{rule.date}' is no date: write yyyy-mm-dd or "
            "yyyymmdd, with hh:mm or without"
        )
    return moment


def _key(image: ReadImage, rule: JoinRule) -> str | None:
    if rule.by is JoinBy.STUDY:
        return image.study
    if rule.by is JoinBy.PATIENT:
        return image.patient
    accession = image.origin.get("accession")
    return str(accession) if accession else None


def image_moment(image: ReadImage) -> Moment | None:
    """Return when the film was made, as far as its header says."""
    date, time = image.origin.get("study_date"), image.origin.get("study_time")
    if not date:
        return None
    exact = parse_moment(f"{date} {time}") if time else None
    return exact or parse_moment(str(date))


def _linked(
    image: ReadImage, by_key: Mapping[str, Sequence[Linked]], rule: JoinRule
) -> tuple[list[Linked], str]:
    """Return the rows about an image; or none, and why."""
    key = _key(image, rule)
    if key is None:
        return [], f"its header names no {rule.by}"
    rows = by_key.get(key, ())
    if not rows:
        return [], f"no record of its {rule.by}"
    if rule.window is None:
        return list(rows), ""
    taken = image_moment(image)
    if taken is None:
        return [], "its header has no date"
    if rule.window.in_hours and not taken.has_time:
        return [], "its header has no time"
    near = [
        one
        for one in _timed(rows, taken, in_hours=rule.window.in_hours)
        if _is_within(one.after, rule)
    ]
    if not near:
        return [], f"no record of its patient within {rule.window}"
    if rule.pick is Pick.NEAREST:
        least = min(abs(one.after) for one in near if one.after is not None)
        near = [one for one in near if one.after is not None and abs(one.after) == least]
    return near, ""


def _timed(rows: Iterable[Linked], taken: Moment, *, in_hours: bool) -> list[Linked]:
    timed = []
    for one in rows:
        if one.moment is None or (in_hours and not one.moment.has_time):
            continue
        if in_hours:
            after = one.moment.at - taken.at
        else:
            after = _DAY * (one.moment.at.date() - taken.at.date()).days
        timed.append(replace(one, after=after))
    return timed


def _is_within(after: timedelta | None, rule: JoinRule) -> bool:
    if after is None or rule.window is None or abs(after) > rule.window.length:
        return False
    if rule.direction is Direction.AFTER:
        return after >= timedelta(0)
    return rule.direction is Direction.BOTH or after <= timedelta(0)


def _carried(
    image: ReadImage, by_key: Mapping[str, Sequence[Linked]], rule: JoinRule
) -> list[Linked]:
    """Return the positive records so long before the film that a fracture of theirs heals."""
    taken, key = image_moment(image), _key(image, rule)
    if not rule.carry_days or taken is None or key is None:
        return []
    earlier = [
        one
        for one in _timed(by_key.get(key, ()), taken, in_hours=False)
        if one.after is not None and -rule.carry_days * _DAY <= one.after < timedelta(0)
    ]
    return [one for one in earlier if DiagnosisState.POSITIVE in one.row.states.values()]


def _why_unused(one: Linked, has_images: bool, rule: JoinRule) -> str:
    if one.row.image == _NO_KEY:
        return f"names no {rule.by}"
    if not has_images:
        return f"no image of its {rule.by}"
    if one.moment is None or (rule.window and rule.window.in_hours and not one.moment.has_time):
        return "no date" if one.moment is None else "no time"
    return f"no image of its patient within {rule.window}, or a nearer record"
