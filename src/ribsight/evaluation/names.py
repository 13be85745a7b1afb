"""What each figure is called, and at which level it counts."""

_FIGURES = {
    "auroc": ("image", "AUROC"),
    "auroc_delong": ("image", "AUROC, DeLong's interval"),
    "image_ap": ("image", "average precision of images"),
    "patient_auroc": ("patient", "AUROC of patients"),
    "patient_auroc_delong": ("patient", "AUROC of patients, DeLong's interval"),
    "froc_score": ("region", "FROC score"),
    "lesion_ap": ("region", "average precision of regions"),
    "afroc": ("region", "AFROC AUC"),
    "wafroc": ("region", "wAFROC AUC"),
    "afroc1": ("region", "AFROC1 AUC"),
    "wafroc1": ("region", "wAFROC1 AUC"),
    "auroc_and_ap": ("region", "mean of AUROC and average precision of regions"),
    "brier": ("calibration", "Brier score"),
    "ece": ("calibration", "expected calibration error"),
    "ece_corrected": ("calibration", "calibration error, corrected for chance"),
}
_AT_THRESHOLD = {
    "sensitivity": ("image", "sensitivity"),
    "specificity": ("image", "specificity"),
    "ppv": ("image", "positive predictive value"),
    "npv": ("image", "negative predictive value"),
    "lesion_recall": ("region", "share of regions hit"),
    "lesion_precision": ("region", "precision of marks"),
    "lesion_f1": ("region", "F1 score"),
    "lesion_f2": ("region", "F2 score"),
    "false_positives_per_image": ("region", "false positives per image"),
}
ORDER = tuple(_FIGURES)

LESS_IS_BETTER = frozenset({"brier", "ece", "ece_corrected", "false_positives_per_image"})


def level_and_label(key: str) -> tuple[str, str]:
    """Return the level and the words of a figure's key.

    >>> level_and_label("sensitivity_at_0.1")
    ('region', 'sensitivity at 0.1 false positives per image')
    """
    if key in _FIGURES:
        return _FIGURES[key]
    point, _, rest = key.rpartition("/")
    if rest in _AT_THRESHOLD:
        level, label = _AT_THRESHOLD[rest]
        return level, f"{label}, {point}" if point else label
    rate = key.removeprefix("sensitivity_at_")
    return "region", f"sensitivity at {rate} false positives per image"


def less_is_better(key: str) -> bool:
    """Return whether a lower figure is the better one."""
    return key.rpartition("/")[2] in LESS_IS_BETTER
