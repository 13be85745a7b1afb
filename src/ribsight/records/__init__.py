"""What was written about a radiograph -> diagnoses. No torch, nothing of the rooms above."""

from ribsight.records.diagnosis_table import (
    ColumnMapping,
    DiagnosisRow,
    DiagnosisTable,
    read_diagnosis_table,
)

__all__ = ["ColumnMapping", "DiagnosisRow", "DiagnosisTable", "read_diagnosis_table"]
