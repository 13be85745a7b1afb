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
OWN_SCHEME_NAME = "ribsight local codes"

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
SCORES = {
    "doubtful": Code("score_doubtful", OWN_SCHEME, "Doubtful"),
    "confident": Code("score_confident", OWN_SCHEME, "Confident"),
}
"""Names of a score by its certainty: of what stands beside a box, viewers show these first."""
PROBABILITY = Code("111012", "DCM", "Certainty of Finding")
"""In percent: what a calibrated score is."""
LEVEL = Code("certainty", OWN_SCHEME, "Level of certainty")
LEVELS = {
    "doubtful": Code("doubtful", OWN_SCHEME, "Doubtful"),
    "confident": Code("confident", OWN_SCHEME, "Confident"),
}
DETECTED = Code("260373001", "SCT", "Detected")
NOT_DETECTED = Code("260415000", "SCT", "Not detected")
SUMMARY = Code("111017", "DCM", "CAD Processing and Findings Summary")
WITH_FINDINGS = Code("111242", "DCM", "All algorithms succeeded; with findings")
WITHOUT_FINDINGS = Code("111241", "DCM", "All algorithms succeeded; without findings")
NOT_PROCESSED = Code("111245", "DCM", "No algorithms succeeded; without findings")
EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
ALGORITHM_NAME = Code("111001", "DCM", "Algorithm Name")
ALGORITHM_PARAMETERS = Code("111002", "DCM", "Algorithm Parameters")
ALGORITHM_VERSION = Code("111003", "DCM", "Algorithm Version")
SITE = Code("363698007", "SCT", "Finding Site")
SOURCE = Code("260753009", "SCT", "Source")
ENGLISH = Code("en-US", "RFC5646", "English (United States)")
COMMENT = Code("121106", "DCM", "Comment")
PLAIN_FILM = Code("168537006", "SCT", "Plain radiography")
PLAIN_CHEST = Code("399208008", "SCT", "Plain chest X-ray")

NAME_OF_DEVICE = "ribsight regions"
"""The observer of regions whose reader is not known."""
