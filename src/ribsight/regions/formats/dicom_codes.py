"""Codes of findings and sites in structured reports."""

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept: value, scheme, meaning."""

    value: str
    scheme: str
    meaning: str


FRACTURE = Code("72704001", "SCT", "Fracture")
RIB = Code("113197003", "SCT", "Rib")
CLAVICLE = Code("51299004", "SCT", "Clavicle")
OWN_SCHEME = "99RIBSIGHT"

WRITTEN: dict[str, tuple[Code, Code]] = {
    "rib_fracture": (FRACTURE, RIB),
    "clavicle_fracture": (FRACTURE, CLAVICLE),
}
"""Finding and site of a category; every other category gets a code of `OWN_SCHEME`."""

FINDING_OF = {
    ("72704001", "113197003"): "rib_fracture",
    ("72704001", "51299004"): "clavicle_fracture",
    ("33737001", ""): "rib_fracture",
    ("58150001", ""): "clavicle_fracture",
}
"""Category of the SNOMED CT codes of a finding and its site; the last two name the site too."""

SIDES = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "both": Code("51440002", "SCT", "Right and left"),
}
SIDE_OF = {
    "7771000": "left", "24028007": "right", "51440002": "both",
    "G-A101": "left", "G-A100": "right", "G-A102": "both",
}  # fmt: skip

CONTEXT = Code("408729009", "SCT", "Finding context")
ABSENT = Code("410516002", "SCT", "Known absent")
ANY_FINDING = Code("any_finding", OWN_SCHEME, "Any finding")
SCORE = Code("score", OWN_SCHEME, "Score")
PLAIN_CHEST = Code("399208008", "SCT", "Plain chest X-ray")

NAME_OF_DEVICE = "ribsight regions"
"""The observer of regions whose reader is not known."""
