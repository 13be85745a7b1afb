"""The tables of a data card: pure functions of a cohort."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from ribsight.cohort.held_out import parse_date
from ribsight.cohort.proportion import proportion
from ribsight.cohort.tables import Cohort
from ribsight.findings import DiagnosisState, Split, Supervision, read_ribs

_NOT_SAID = "not said"
_AGE_EDGES = (0, 18, 40, 65, 80)
_SHOWN = 12
_PLACE = re.compile(r"^(?P<file>[^,]+), row \d+, column [^:(]+(?:: (?P<rest>.*))?")


@dataclass(frozen=True)
class Table:
    """One table of the card.

    Attributes:
        caption: what it shows.
        header: names of the columns, the first that of the rows.
        rows: cells as text.
        bars: share in [0, 1] of each row for a bar, if it is worth one.
        note: a sentence beneath.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[float, ...] = ()
    note: str = ""


def plain(name: str) -> str:
    """Return a name of the tables as words."""
    return name.replace("_", " ")


def splits_table(cohort: Cohort) -> Table:
    """Return images, patients and groups of each split."""
    parts: list[tuple[str, pl.Expr]] = [(name, pl.col("split") == name) for name in Split]
    parts.append(("in no split", pl.col("split").is_null()))
    rows = []
    for name, chosen in parts:
        part = cohort.radiographs.filter(chosen)
        if len(part):
            patients = part["patient"].drop_nulls().n_unique()
            studies = part["study"].drop_nulls().n_unique() if "study" in part.columns else 0
            dates = _dates(part)
            cells = (len(part), patients, studies, part["group"].n_unique())
            rows.append((name, *map(with_commas, cells), dates))
    header = ("split", "images", "patients", "studies", "groups", "study dates")
    return Table("Splits", header, tuple(rows))


def _dates(part: pl.DataFrame) -> str:
    if "study_date" not in part.columns:
        return _NOT_SAID
    dates = sorted(one for one in map(_readable, part["study_date"]) if one)
    return f"{dates[0]} to {dates[-1]}" if dates else _NOT_SAID


def _readable(text: str | None) -> str:
    day = parse_date(text) if text else None
    return day.isoformat() if day else ""


def prevalence_table(cohort: Cohort, finding: str) -> Table:
    """Return states and the share of positives of a finding, by split and by source."""
    table = cohort.diagnoses.filter(pl.col("finding") == finding).join(
        cohort.radiographs.select("radiograph", "group", "split"), on="radiograph"
    )
    table = table.with_columns(
        source=pl.Series([evidence_source(one) for one in table["evidence"]], dtype=pl.String)
    )
    parts: list[tuple[str, pl.DataFrame]] = [("all", table)]
    parts += [
        (f"split {name}", table.filter(pl.col("split") == name))
        for name in Split
        if name in set(table["split"])
    ]
    sources = table["source"].value_counts(sort=True).rows()[:_SHOWN]
    parts += [(f"source: {name}", table.filter(pl.col("source") == name)) for name, _ in sources]
    rows, bars = [], []
    for name, part in parts:
        states = [with_commas(int((part["state"] == state).sum())) for state in DiagnosisState]
        share, text = _share(part)
        rows.append((name, *states, text))
        bars.append(share)
    return Table(
        f"{plain(finding).capitalize()}: states and share of positives",
        ("radiographs", *DiagnosisState, "positive of known"),
        tuple(rows),
        tuple(bars),
        "Known: positive or negative. 95 % intervals allow for several images of one group. "
        "Source: the files that the state rests on.",
    )


def _share(part: pl.DataFrame) -> tuple[float, str]:
    known = part.filter(pl.col("state").is_in([DiagnosisState.POSITIVE, DiagnosisState.NEGATIVE]))
    if known.is_empty():
        return 0.0, "none known"
    positive = (known["state"] == DiagnosisState.POSITIVE).to_numpy()
    value, low, high = proportion(positive, known["group"].to_list())
    return value, f"{100 * value:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def evidence_source(evidence: str) -> str:
    """Return the kinds of files that an evidence names, without rows.

    >>> evidence_source("diagnoses.csv, row 2, column rib: reports.csv row 7, S; codes.csv row 3")
    'codes.csv + reports.csv'
    >>> evidence_source("a.json, annotation 3, where not in d.csv says unknown")
    'a.json, drawn'
    """
    if evidence.startswith("not in "):
        return "no record"
    if ", where " in evidence:
        return f"{evidence.partition(',')[0]}, drawn"
    if evidence.startswith("carried forward from "):
        return "carried forward"
    found = _PLACE.match(evidence.removeprefix("of its study, not of an "))
    if found is None:
        return evidence.partition(",")[0]
    named = re.findall(r"([^\s;,]+\.(?:csv|tsv|txt)) row", found["rest"] or "")
    return " + ".join(sorted(set(named))) or found["file"]


def strata_table(cohort: Cohort, column: str, caption: str) -> Table | None:
    """Return counts and prevalences by the values of a column; None if nothing is known of it."""
    radiographs = cohort.radiographs
    if column not in radiographs.columns or radiographs[column].null_count() == len(radiographs):
        return None
    labels = _labels(radiographs[column])
    rows = []
    for label, count in _ordered(labels):
        chosen = radiographs.filter(pl.Series([one == label for one in labels]))
        cells = []
        for finding in cohort.findings:
            part = cohort.diagnoses.filter(pl.col("finding") == finding).join(
                chosen.select("radiograph", "group"), on="radiograph"
            )
            cells.append(_share(part)[1])
        share = f"{with_commas(count)} ({100 * count / len(radiographs):.1f} %)"
        rows.append((label, share, *cells))
    header = (column.replace("_", " "), "images", *(plain(one) for one in cohort.findings))
    return Table(caption, header, tuple(rows))


def _labels(values: pl.Series) -> list[str]:
    if values.dtype != pl.Float64:
        return [_NOT_SAID if one in (None, "") else str(one) for one in values]
    names = [f"{a} to {b - 1}" for a, b in pairwise(_AGE_EDGES)]
    names.append(f"{_AGE_EDGES[-1]} or more")
    return [
        _NOT_SAID if one is None else names[int(np.searchsorted(_AGE_EDGES[1:], one, "right"))]
        for one in values
    ]


def _ordered(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Return labels with their counts: ages by age, others by count, what is not said last."""
    counts = Counter(labels)
    by_age = all(one == _NOT_SAID or one[0].isdigit() for one in counts)

    def place(label: str) -> tuple[bool, int, str]:
        number = int(label.split()[0]) if by_age and label != _NOT_SAID else -counts[label]
        return label == _NOT_SAID, number, label

    return [(one, counts[one]) for one in sorted(counts, key=place)[:_SHOWN]]


def supervision_table(cohort: Cohort) -> Table:
    """Return what training may know of each finding, by split."""
    supervision = cohort.supervision()
    splits = cohort.radiographs["split"].fill_null("in no split").to_list()
    kinds = (
        ("drawn", Supervision.REGION),
        ("negative", Supervision.NEGATIVE),
        ("positive without region", Supervision.POSITIVE),
        ("uncertain or unknown", Supervision.NOTHING),
    )
    rows = []
    for index, finding in enumerate(cohort.findings):
        for split in dict.fromkeys([*Split, *splits]):
            chosen = np.array([one == split for one in splits])
            if chosen.any():
                counts = [int((supervision[chosen, index] == kind).sum()) for _, kind in kinds]
                rows.append((f"{plain(finding)}, {split}", *map(with_commas, counts)))
    note = "Drawn: regions that training may see. A drawing decides, whatever the record says."
    header = ("finding, split", *(name for name, _ in kinds))
    return Table("What training may know", header, tuple(rows), note=note)


def details_table(cohort: Cohort) -> Table:
    """Return acuity and side of the positives, and how many name ribs."""
    rows = []
    positive = cohort.diagnoses.filter(pl.col("state") == DiagnosisState.POSITIVE)
    for finding in cohort.findings:
        part = positive.filter(pl.col("finding") == finding)
        for column in ("acuity", "side"):
            counts = Counter(part[column])
            said = ", ".join(f"{name} {counts[name]}" for name in sorted(counts)) or "none"
            rows.append((f"{plain(finding)}, {column}", said))
        named = cohort.named_places.join(part, on=["radiograph", "finding"], how="semi")
        ribs = [one for one in named["ribs"] if one]
        if ribs:
            count = sum(len(read_ribs(one)) for one in ribs)
            said = f"{with_commas(count)} in {with_commas(len(ribs))} of {with_commas(len(part))}"
            rows.append((f"{plain(finding)}, named ribs", said))
    return Table("Positives: age of the fracture, and side", ("finding", "counts"), tuple(rows))


def sizes_table(cohort: Cohort) -> Table:
    """Return quartiles of sizes, spacing and age."""
    names = {
        "width": "width, stored pixels",
        "height": "height, stored pixels",
        "spacing_mm": "pixel spacing, mm",
        "age": "age, years",
        "days_since_first": "days since the patient's first study",
    }
    rows = []
    for column, label in names.items():
        if column not in cohort.radiographs.columns:
            continue
        values = cohort.radiographs[column].drop_nulls().cast(pl.Float64).to_numpy()
        if len(values):
            points = np.percentile(values, [0, 25, 50, 75, 100])
            rows.append((label, with_commas(len(values)), *(f"{one:.4g}" for one in points)))
    header = ("what", "known of", "least", "quarter", "middle", "three quarters", "most")
    return Table("Sizes", header, tuple(rows))


def several_table(cohort: Cohort) -> Table:
    """Return how many images a study has, and how many studies a patient."""
    rows = []
    for what, of in (("study", "patient"), ("radiograph", "study"), ("radiograph", "patient")):
        known = cohort.radiographs.filter(pl.col(of).is_not_null() & pl.col(what).is_not_null())
        if known.is_empty():
            continue
        per = known.group_by(of).agg(pl.col(what).n_unique().alias("n"))["n"]
        counts = Counter(min(one, 5) for one in per)
        named = {"study": "studies", "radiograph": "images"}[what]
        rows.append(
            (f"{named} of a {of}", *(with_commas(counts.get(one, 0)) for one in range(1, 6)))
        )
    header = ("what", "1", "2", "3", "4", "5 or more")
    return Table("Several images and studies", header, tuple(rows))


def provenance_table(cohort: Cohort) -> Table:
    """Return how the cohort was made."""
    rows = tuple((plain(name), str(value)) for name, value in cohort.provenance.items())
    return Table("How it was made", ("setting", "value"), rows)


def with_commas(number: int) -> str:
    """Return 1,234 of 1234."""
    return f"{number:,}"
