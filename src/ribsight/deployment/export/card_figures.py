"""The figures of a model card, out of `evaluation.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ribsight.detector.model_file import ModelDescription
from ribsight.documents import read_document, reading
from ribsight.errors import RibsightError
from ribsight.evaluation.documents import SCHEMA

_SHOWN = (
    "auroc",
    "patient_auroc",
    "froc_score",
    "wafroc",
    "brier",
    "ece_corrected",
)


@dataclass(frozen=True)
class FindingFigures:
    """One finding of an evaluation, as its document has it."""

    name: str
    document: Mapping[str, Any]

    @property
    def positive(self) -> int:
        """Return how many images with the finding stand behind the figures."""
        return int(self.document["counts"]["positive"])


@dataclass(frozen=True)
class Figures:
    """An evaluation of the original model; without findings if there is none.

    Attributes:
        split: of the cohort.
        findings: measured.
        protocol: of the FROC, as a sentence.
        note: why there is no figure.
    """

    split: str = ""
    findings: tuple[FindingFigures, ...] = ()
    protocol: str = ""
    note: str = "It has not been measured: `ribsight evaluate` does it."


def read_figures(path: Path | None, model_sha256: str, *, required: bool) -> Figures:
    """Read the evaluation of a model.

    Raises:
        RibsightError: the file cannot be read; or is another model's, and is `required`.
    """
    if path is None:
        return Figures()
    with reading(path, "evaluation of ribsight"):
        document = read_document(path, SCHEMA)
        found = str(document["model"]["sha256"])
        split = str(document["cohort"]["split"])
        findings = tuple(FindingFigures(*one) for one in document["findings"].items())
        sentences = {str(one.document["froc_score"]["protocol"]) for one in findings}
        counts = [one.positive for one in findings]
    if found == model_sha256:
        return Figures(split, findings if counts else (), " ".join(sorted(sentences)))
    if required:
        raise RibsightError(
            f"{path} measures model {found[:12]}, not {model_sha256[:12]}: evaluate this one"
        )
    return Figures(
        note=f"The evaluation beside the run is of another model (`{found[:12]}`) and is left out."
    )


def figures_section(figures: Figures, description: ModelDescription) -> list[str]:
    """Return the section of the card."""
    if not figures.findings:
        return [figures.note]
    lines = [f"On the split '{figures.split}', with 95 % intervals over patients."]
    exported = description.exported
    if exported is not None and exported.precision == "int8":
        lines += [
            "",
            "**These are figures of the original model**; what quantising loses stands under "
            "'As exported'.",
        ]
    for one in figures.findings:
        lines += ["", f"**{one.name}**: {_counts(one.document['counts'])}", ""]
        lines += ["| figure | value | 95 % interval |", "| --- | --- | --- |"]
        lines += [
            f"| {row['label']} | {_value(row['figure'])} | {_interval(row['figure'])} |"
            for row in one.document["figures"]
            if row["key"] in _SHOWN
        ]
        lines += _strata(one.document.get("strata") or [])
    return [*lines, "", figures.protocol]


def _counts(counts: Mapping[str, Any]) -> str:
    return (
        f"{counts['images']} images of {counts['groups']} patients or groups, "
        f"{counts['positive']} positive, {counts['lesions']} regions"
    )


def _strata(strata: list[Mapping[str, Any]]) -> list[str]:
    if not strata:
        return []
    keys = list(dict.fromkeys(row["label"] for one in strata for row in one["figures"]))
    lines = [
        "",
        "| by | part | images | positive | regions | " + " | ".join(keys) + " |",
        "|" + " --- |" * (5 + len(keys)),
    ]
    for one in strata:
        by_label = {row["label"]: row["figure"] for row in one["figures"]}
        cells = [
            f"{_value(by_label[key])} ({_interval(by_label[key])})" if key in by_label else ""
            for key in keys
        ]
        row = (one["column"], one["label"], one["images"], one["positive"], one["lesions"], *cells)
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return lines


def _value(figure: Mapping[str, Any]) -> str:
    return "not defined" if figure["value"] is None else f"{figure['value']:.3f}"


def _interval(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None or figure["high"] is None:
        return "none"
    return f"{figure['low']:.3f} to {figure['high']:.3f}"
