"""The model card: what a model is, what it learned from, how good it is, and what it is not."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ribsight.cohort.card_tables import (
    Table,
    plain,
    prevalence_table,
    splits_table,
    strata_table,
    supervision_table,
)
from ribsight.cohort.tables import Cohort
from ribsight.deployment.export.card_figures import Figures, figures_section, read_figures
from ribsight.deployment.export.notices import NO_DEVICE, PATENT, patent_sentence
from ribsight.deployment.export.parity_report import ParityReport
from ribsight.detector.model_file import ModelDescription
from ribsight.errors import RibsightError
from ribsight.files import write_text

FILE = "model_card.md"
_STRATA = {
    "view": "Views",
    "kind": "Kinds of image",
    "manufacturer": "Manufacturers",
    "sex": "Sex",
    "age": "Ages in years",
}
_FEW = 100


def write_model_card(
    folder: Path,
    description: ModelDescription,
    report: ParityReport,
    cohort: Cohort | None,
    evaluation: Path | None,
    *,
    required: bool,
) -> None:
    """Write `model_card.md` into an exported model's folder.

    Args:
        folder: which holds the thresholds that came along, if any.
        description: of the exported model.
        report: of its comparison with the original.
        cohort: that was given, usually the one it was trained on.
        evaluation: `evaluation.json` of the original.
        required: whether an evaluation that is another model's is an error, or left out.

    Raises:
        RibsightError: the evaluation is damaged, or another model's though it is required.
    """
    assert description.exported is not None
    source = description.exported.source_sha256
    figures = read_figures(evaluation, source, required=required)
    sections = [
        ("What it is", _what(description)),
        ("What it is not", [NO_DEVICE]),
        ("What it learned from", _data(description, cohort)),
        ("How good it is", figures_section(figures, description)),
        ("Thresholds", _thresholds(folder, description)),
        ("As exported", _bullets(one.strip() for one in report.sentences())),
        ("Limits", _bullets(_limits(description, figures, cohort))),
        ("Patent", [PATENT, "", patent_sentence(_method(description))]),
    ]
    lines = [f"# Model card: {description.name}"]
    for title, body in sections:
        lines += ["", f"## {title}", "", *body]
    write_text(folder / FILE, "\n".join(lines) + "\n")


def markdown_table(table: Table) -> list[str]:
    """Return a table of the data card as Markdown."""
    lines = [
        f"**{table.caption}**",
        "",
        "| " + " | ".join(table.header) + " |",
        "|" + " --- |" * len(table.header),
        *("| " + " | ".join(_cell(one) for one in row) + " |" for row in table.rows),
    ]
    return [*lines, "", table.note] if table.note else lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _method(description: ModelDescription) -> str:
    return str(description.training.get("method", "not said"))


def _what(description: ModelDescription) -> list[str]:
    exported = description.exported
    assert exported is not None
    images, network = description.images, description.network
    rows = {
        "finds": ", ".join(plain(one) for one in description.findings),
        "on": "single chest and rib radiographs from the front; it gives, per finding, a map of "
        "probabilities, an image score and marks with boxes",
        "network": f"{network.backbone} with a feature pyramid of {network.pyramid_channels} "
        f"channels, {images.size} x {images.size} pixels, maps at a quarter of that",
        "pixel pipeline": f"`{description.preprocessing}`",
        "trained": ", ".join(f"{plain(k)} {v}" for k, v in description.training.items()),
        "format": f"{exported.format}, {exported.precision}",
        "identity": f"`{description.weights_sha256}`",
        "exported from": f"`{exported.source_sha256}`",
        "made by": f"ribsight {description.ribsight}",
    }
    return ["| | |", "| --- | --- |", *(f"| {k} | {_cell(v)} |" for k, v in rows.items())]


def _data(description: ModelDescription, cohort: Cohort | None) -> list[str]:
    fingerprint = description.cohort_sha256 or "not said"
    lines = [f"Cohort `{fingerprint}`."]
    if cohort is None:
        return [*lines, "", "It was not at hand when this card was written."]
    if cohort.fingerprint() != description.cohort_sha256:
        lines = [
            f"Trained on cohort `{fingerprint}`. **The tables below are of another one**, "
            f"`{cohort.fingerprint()}`, which was given when this card was written: other images, "
            "diagnoses, regions or splits."
        ]
    strata = [strata_table(cohort, column, caption) for column, caption in _STRATA.items()]
    tables = [
        splits_table(cohort),
        *(prevalence_table(cohort, one) for one in cohort.findings),
        supervision_table(cohort),
        *(one for one in strata if one is not None),
    ]
    for table in tables:
        lines += ["", *markdown_table(table)]
    return lines


def _thresholds(folder: Path, description: ModelDescription) -> list[str]:
    path = folder / "operating_points.json"
    if not path.is_file():
        return [_no_thresholds(description)]
    try:
        points: Sequence[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["points"]
        lines = [
            "A score at or above the threshold calls an image positive, and shows a mark.",
            "",
            "| finding | level | aim | threshold | chosen on | there |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {one['finding']} | {one.get('level') or ''} | {one['aim']} | "
            f"{one['threshold']:.4g} | {one['chosen_on']} | {_achieved(one['achieved'])} |"
            for one in points
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RibsightError(f"{path} is no file of operating points: {error!r}") from error
    return lines


def _no_thresholds(description: ModelDescription) -> str:
    exported = description.exported
    assert exported is not None
    if exported.precision == "int8":
        return (
            "None yet. A quantised model gives other scores than the original, so thresholds and "
            "calibration of the original do not hold for it: `ribsight calibrate` chooses its own "
            "on the validation split."
        )
    return "None: `ribsight calibrate` chooses them on the validation split."


def _achieved(figures: dict[str, float | None]) -> str:
    keys = ("sensitivity", "specificity", "lesion_recall", "false_positives_per_image")
    words = [
        f"{plain(key).replace('lesion recall', 'regions hit')} {figures[key]:.3f}"
        for key in keys
        if figures.get(key) is not None
    ]
    return ", ".join(words)


def _limits(
    description: ModelDescription, figures: Figures, cohort: Cohort | None
) -> Iterable[str]:
    found = ", ".join(plain(one) for one in description.findings)
    yield (
        f"It looks for {found} only. That it marks nothing says nothing about anything else, and "
        "does not rule out what it looks for."
    )
    yield (
        "It sees one image at a time: no earlier image, no other view, no report. Laterals and "
        "other parts of the body are refused by their header, not by the network."
    )
    if not figures.findings:
        yield "No measurement of this model was at hand: nothing is known of how good it is."
    else:
        yield (
            f"It was measured on the split '{figures.split}' of one cohort. Films of another "
            "hospital, device or population may give other figures."
        )
    few = [one.name for one in figures.findings if one.positive < _FEW]
    if few:
        yield f"Fewer than {_FEW} positive images stand behind the figures of {', '.join(few)}."
    unseen = [one for one in description.findings if one not in {f.name for f in figures.findings}]
    if figures.findings and unseen:
        yield f"Not measured: {', '.join(unseen)}."
    if cohort is not None:
        missing = [one for one in _STRATA if strata_table(cohort, one, "") is None]
        if missing:
            yield f"The cohort does not say, so nothing is known by: {', '.join(missing)}."
    yield (
        "Diagnoses come from records, which are sometimes wrong; regions from readers, who "
        "sometimes disagree."
    )


def _bullets(sentences: Iterable[str]) -> list[str]:
    return [f"- {one}" for one in sentences]
