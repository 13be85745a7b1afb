"""Rows of the hospital's tables: `images.csv`, `reports.csv` and `codes.csv`."""

from ribsight.simulation.paper.codes import CodeRow
from ribsight.simulation.paper.header import Header
from ribsight.simulation.truth import Film, PatientTruth

IMAGE_COLUMNS = ("image_id", "patient_id", "study_id", "accession_number", "study_date", "view")
REPORT_COLUMNS = ("study_id", "patient_id", "accession_number", "study_date", "report")
CODE_COLUMNS = (
    "patient_id",
    "study_id",
    "accession_number",
    "encounter_date",
    "code",
    "coding_system",
)


def image_row(truth: PatientTruth, film: Film, header: Header) -> dict[str, str]:
    """Return the row of one film; `view` is the header's word, empty if it has none."""
    return {
        "image_id": film.radiograph_id,
        "patient_id": truth.person.patient_id,
        "study_id": truth.study_id,
        "accession_number": truth.accession_number,
        "study_date": truth.study_date.isoformat(),
        "view": header.view_position,
    }


def report_row(truth: PatientTruth, report: str) -> dict[str, str]:
    """Return the row of a study's report; the text holds line breaks."""
    return {
        "study_id": truth.study_id,
        "patient_id": truth.person.patient_id,
        "accession_number": truth.accession_number,
        "study_date": truth.study_date.isoformat(),
        "report": report,
    }


def code_row(row: CodeRow) -> dict[str, str]:
    """Return one code as it stands in the table; codes are text ("807.00")."""
    return {
        "patient_id": row.patient_id,
        "study_id": row.study_id,
        "accession_number": row.accession_number,
        "encounter_date": row.encounter_date.isoformat(),
        "code": row.code,
        "coding_system": row.coding_system.value,
    }
