"""The files of a folder of labels: diagnoses, contradictions, codes."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from ribsight.files import atomic_path, write_text
from ribsight.findings import DiagnosisState, ribs_text
from ribsight.records.codes import CodeCertainty
from ribsight.records.collect import CodeBook
from ribsight.records.fusion import Diagnosis
from ribsight.records.policy import CodeSignal, FusionPolicy, ReportSignal
from ribsight.records.summary import Summary

DETAILS = ("acuity", "side", "ribs", "evidence")
_EVIDENCE_SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image with its diagnoses by finding, and the rows of its reports.

    `unit` is shared by the images of one study.
    """

    image: str
    unit: str
    patient: str
    study: str
    year: str
    diagnoses: Mapping[str, Diagnosis]
    report_rows: tuple[int, ...]


class Listener(Protocol):
    """Is given every labelled image; the audit's sample is one."""

    def hear(self, image: LabelledImage) -> None:
        """Take note of an image."""


def columns(policy: FusionPolicy) -> dict[str, object]:
    """Return the settings with which `ribsight cohort build` reads `diagnoses.csv`."""
    return {
        "image": "image",
        "patient": "patient",
        "keep": ["study"],
        "findings": {one: one for one in policy.findings},
    }


def write_diagnoses(
    labelled: Iterable[LabelledImage],
    policy: FusionPolicy,
    out: Path,
    summary: Summary,
    listener: Listener | None,
) -> None:
    """Write `diagnoses.csv` and `contradictions.csv`, and count what is in them.

    Raises:
        RibsightError: the folder cannot be written to.
    """
    findings = list(policy.findings)
    header = ["image", "patient", "study"]
    for one in findings:
        header += [one, *(f"{one}_{detail}" for detail in DETAILS)]
    with (
        atomic_path(out / "diagnoses.csv") as path,
        atomic_path(out / "contradictions.csv") as others,
        path.open("w", encoding="utf-8", newline="") as stream,
        others.open("w", encoding="utf-8", newline="") as second,
    ):
        writer = _writer(stream, header)
        contradictions = _writer(
            second, ["image", "finding", "contradiction", "state", "report", "code", "evidence"]
        )
        for image in labelled:
            cells = [image.image, image.patient, image.study]
            for finding in findings:
                diagnosis = image.diagnoses[finding]
                evidence = _EVIDENCE_SEPARATOR.join(diagnosis.evidence)
                cells += [diagnosis.state, diagnosis.acuity, diagnosis.side]
                cells += [ribs_text(diagnosis.ribs), evidence]
                for kind in diagnosis.contradictions:
                    contradictions.writerow(
                        [image.image, finding, kind, diagnosis.state, diagnosis.report,
                         diagnosis.code, evidence]
                    )  # fmt: skip
                _count(summary, image, finding, diagnosis)
            writer.writerow(cells)
            if listener is not None:
                listener.hear(image)


def _writer(stream: TextIO, header: list[str]) -> Any:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    return writer


def _count(summary: Summary, image: LabelledImage, finding: str, diagnosis: Diagnosis) -> None:
    state = str(diagnosis.state)
    summary.states[finding, state] += 1
    summary.years[image.year, finding, state] += 1
    summary.sources[finding, diagnosis.report, diagnosis.code, state] += 1
    if diagnosis.state is DiagnosisState.POSITIVE:
        summary.acuities[finding, diagnosis.acuity] += 1
    for kind in diagnosis.contradictions:
        summary.contradictions[finding, kind] += 1
    if diagnosis.state is DiagnosisState.UNKNOWN:
        return
    if diagnosis.code is not CodeSignal.NONE:
        code = diagnosis.evidence[-1].rpartition(", ")[2]
        summary.codes[finding, code] += 1
    if diagnosis.report not in (ReportSignal.NONE, ReportSignal.SILENT):
        rule = diagnosis.evidence[0].partition(": ")[2]
        summary.phrases[finding, rule] += 1


def write_codes(book: CodeBook, path: Path) -> None:
    """Write every distinct code with what it means, those that do not exist first."""
    text = io.StringIO(newline="")
    writer = _writer(
        text, ["written", "code", "system", "certainty", "sites", "acuity", "side", "rows",
               "first_row", "title", "source"],
    )  # fmt: skip
    order = list(CodeCertainty)
    for place in sorted(
        range(len(book.meanings)),
        key=lambda one: (
            -order.index(book.meanings[one].certainty), -book.counts[one], book.written[one],
        ),
    ):  # fmt: skip
        meaning = book.meanings[place]
        is_known = meaning.certainty is not CodeCertainty.UNKNOWN
        writer.writerow(
            [book.written[place], meaning.code if is_known else "", meaning.system,
             meaning.certainty, " ".join(meaning.sites), meaning.acuity, meaning.side,
             book.counts[place], book.first_rows[place], meaning.title, meaning.source]
        )  # fmt: skip
    write_text(path, text.getvalue())
