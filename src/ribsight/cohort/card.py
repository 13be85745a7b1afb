"""The data card: one self-contained HTML page that says what a cohort holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ribsight.cohort.card_notes import (
    agreement_table,
    audit_table,
    left_out_table,
    near_duplicates_table,
    warnings_table,
)
from ribsight.cohort.card_pictures import COLOURS, card_pictures
from ribsight.cohort.card_tables import (
    Table,
    details_table,
    plain,
    prevalence_table,
    provenance_table,
    several_table,
    sizes_table,
    splits_table,
    strata_table,
    supervision_table,
)
from ribsight.cohort.check import check_cohort
from ribsight.cohort.left_out import LeftOut
from ribsight.cohort.readings import compare_readings, recorded_agreement
from ribsight.cohort.tables import Cohort
from ribsight.files import write_text
from ribsight.records import DiagnosisTable

_STRATA = {
    "view": "Views",
    "kind": "Kinds of image",
    "manufacturer": "Manufacturers",
    "model": "Models",
    "institution": "Institutions",
    "sex": "Sex",
    "age": "Ages in years",
}


def write_card(
    cohort: Cohort,
    path: Path,
    *,
    left_out: Sequence[LeftOut] = (),
    readings: DiagnosisTable | None = None,
    noise: Mapping[str, Any] | None = None,
    images: int = 8,
    seed: int = 0,
) -> None:
    """Write the page in one step. It needs no network and no other file.

    Args:
        cohort: what it is about.
        path: of the page.
        left_out: what was given and is not in the cohort.
        readings: an expert's, to compare the records with; without, what was noted when readings
            were applied.
        noise: figures of a checked audit.
        images: how many radiographs are shown; with 0, none is named either.
        seed: which.

    Raises:
        RibsightError: `path` cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ribsight.cohort"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    problems = check_cohort(cohort)
    page = environment.get_template("data_card.html.j2").render(
        radiographs=len(cohort.ids),
        patients=cohort.radiographs["patient"].drop_nulls().n_unique(),
        findings=[plain(one) for one in cohort.findings],
        fingerprint=cohort.fingerprint(),
        problems=sorted(Counter((one.severity, one.kind) for one in problems).items()),
        sections=_sections(cohort, left_out, _noise_tables(cohort, readings, noise)),
        pictures=card_pictures(cohort, images, seed) if images else [],
        colours=[
            (plain(finding), COLOURS[index % len(COLOURS)])
            for index, finding in enumerate(cohort.findings)
        ],
        seed=seed,
    )
    write_text(path, page)


def _sections(
    cohort: Cohort, left_out: Sequence[LeftOut], noise: Sequence[Table | None]
) -> list[tuple[str, list[Table]]]:
    strata = [strata_table(cohort, column, caption) for column, caption in _STRATA.items()]
    sections: list[tuple[str, list[Table | None]]] = [
        ("Splits", [splits_table(cohort)]),
        ("Findings", [prevalence_table(cohort, one) for one in cohort.findings]),
        ("Supervision", [supervision_table(cohort), details_table(cohort)]),
        ("Label noise", list(noise)),
        ("Where and of whom", strata),
        ("Images", [sizes_table(cohort), several_table(cohort), warnings_table(cohort)]),
        ("Copies and what was left out", [near_duplicates_table(cohort), left_out_table(left_out)]),
        ("Provenance", [provenance_table(cohort)]),
    ]
    return [(title, [one for one in tables if one is not None]) for title, tables in sections]


def _noise_tables(
    cohort: Cohort, readings: DiagnosisTable | None, noise: Mapping[str, Any] | None
) -> list[Table | None]:
    agreement = compare_readings(cohort, readings) if readings else recorded_agreement(cohort)
    return [agreement_table(agreement), audit_table(noise) if noise else None]
