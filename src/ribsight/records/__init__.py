"""What was written about a radiograph -> diagnoses. No torch, nothing of the rooms above."""

from ribsight.records.codes import (
    CodeCertainty,
    CodeMeaning,
    CodingSystem,
    coding_system,
    read_code,
)
from ribsight.records.diagnosis_table import (
    ColumnMapping,
    DiagnosisRow,
    DiagnosisTable,
    read_diagnosis_table,
)
from ribsight.records.fusion import CodeFact, Contradiction, Diagnosis, ReportFact, fuse
from ribsight.records.labeller import is_tomography, label_report
from ribsight.records.lexicon import Lexicon, read_lexicon
from ribsight.records.mention import Displacement, Evidence, Mention, MentionKind, MentionState
from ribsight.records.policy import CodeSignal, FusionPolicy, ReportSignal, read_policy
from ribsight.records.reading import ReportReading, read_mentions

__all__ = [
    "CodeCertainty",
    "CodeFact",
    "CodeMeaning",
    "CodeSignal",
    "CodingSystem",
    "ColumnMapping",
    "Contradiction",
    "Diagnosis",
    "DiagnosisRow",
    "DiagnosisTable",
    "Displacement",
    "Evidence",
    "FusionPolicy",
    "Lexicon",
    "Mention",
    "MentionKind",
    "MentionState",
    "ReportFact",
    "ReportReading",
    "ReportSignal",
    "coding_system",
    "fuse",
    "is_tomography",
    "label_report",
    "read_code",
    "read_diagnosis_table",
    "read_lexicon",
    "read_mentions",
    "read_policy",
]
