"""What an evaluation can answer of the reporting checklists, and what its author must."""

from ribsight.evaluation.results import Evaluation, FindingResult


def checklist(evaluation: Evaluation, result: FindingResult) -> list[tuple[str, str]]:
    """Return (item, answer) of CLAIM and TRIPOD+AI, as far as an evaluation knows them.

    Items are named by what they ask; numbers differ between the checklists and their editions.
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
            "Source of the data, and partition",
            f"data with fingerprint {evaluation.cohort_fingerprint[:16]}, split {evaluation.split}",
        ),
        (
            "Level at which partitions are disjoint, and resamples drawn",
            f"{counts.groups} groups (patients, or what the data group by)",
        ),
        (
            "Measures of performance",
            f"the tables of this report, under the protocol {evaluation.protocol.name} beside them",
        ),
        (
            "Statistical uncertainty",
            f"95 % BCa intervals of {evaluation.replicates} resamples of groups, seed "
            f"{evaluation.seed}; DeLong's where named",
        ),
        ("Subgroups", f"by {parts}"),
        ("Flow of images, and those left out", failed),
        (
            "Cases in each partition",
            f"{counts.images} images, {counts.positive} with the finding, {counts.lesions} regions",
        ),
        ("Performance with its precision", "the tables of this report"),
        ("Thresholds, and where they were chosen", points or "none applied"),
        ("Failures", "the gallery of missed regions and false alarms"),
        ("Figures not defined on these data", ", ".join(missing) or "none"),
        (
            "For the author",
            "eligibility, reference standard, readers and their agreement; model and training; "
            "external test; limits, use, registration, protocol, funding; fairness, involvement of "
            "patients, availability of data and code",
        ),
    ]
