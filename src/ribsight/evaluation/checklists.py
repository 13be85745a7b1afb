"""What an evaluation can answer of the reporting checklists, and what its author must."""

from ribsight.evaluation.results import Evaluation, FindingResult


def checklist(evaluation: Evaluation, result: FindingResult) -> list[tuple[str, str]]:
    """Return (item, answer) of CLAIM and TRIPOD+AI, as far as an evaluation knows them.

    Mongan, Moy and Kahn, Radiology: Artificial Intelligence 2 (2020); Collins et al., BMJ 385
    (2024).
    """
    counts = result.counts
    missing = [one.label for one in result.figures if one.figure.value is None]
    failed = (
        f"{counts.left_out_unknown} images of uncertain or unknown diagnosis are in no figure; "
        f"{counts.left_out_of_froc} positive images without a drawn region are not in the FROC"
    )
    parts = ", ".join(dict.fromkeys(one.column for one in result.strata)) or "none"
    points = "; ".join(f"{one.aim}, chosen on {one.chosen_on}" for one in result.operating_points)
    return [
        (
            "CLAIM 7, 20; TRIPOD+AI 5: source of the data and partition",
            f"data with fingerprint {evaluation.cohort_fingerprint[:16]}, split {evaluation.split}",
        ),
        (
            "CLAIM 21: level at which partitions and resamples are disjoint",
            f"{counts.groups} groups (patients, or what the data group by)",
        ),
        (
            "CLAIM 28; TRIPOD+AI 12e: measures of performance",
            f"the tables of this report, under the protocol {evaluation.protocol.name} beside them",
        ),
        (
            "CLAIM 29: uncertainty",
            f"95 % BCa intervals of {evaluation.replicates} resamples of groups, seed "
            f"{evaluation.seed}; DeLong's where named",
        ),
        ("CLAIM 30; TRIPOD+AI 14, 23a: subgroups", f"by {parts}"),
        ("CLAIM 33; TRIPOD+AI 20a: flow of images", failed),
        (
            "CLAIM 34; TRIPOD+AI 20b: cases",
            f"{counts.images} images, {counts.positive} with the finding, {counts.lesions} regions",
        ),
        ("CLAIM 35, 36; TRIPOD+AI 23a: performance with precision", "the tables of this report"),
        ("TRIPOD+AI 12c, 22: thresholds", points or "none applied"),
        ("CLAIM 37: failures", "the gallery of missed regions and false alarms"),
        ("Figures not defined on these data", ", ".join(missing) or "none"),
        (
            "For the author",
            "CLAIM 10-18 (eligibility, reference standard, readers and their agreement), 22-27 "
            "(model and training), 32 (external test), 38-42; TRIPOD+AI 1-4, 6-11, 18, 24-27",
        ),
    ]
