"""The words that may stay in a de-identified file: whatever is not here goes.

Defined terms of PS3.3 and PS3.16 and what devices write in their place; no word of these can tell
who a patient is.
"""

from functools import cache
from typing import TypeAlias, cast

from pydicom._uid_dict import UID_dictionary

_Concepts: TypeAlias = dict[str, dict[str, dict[str, tuple[str, list[int]]]]]

IMAGE_TYPE = frozenset({"ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "POST_PROCESSED"})
MODALITY = frozenset({"CR", "DX", "DR", "RG", "OT", "SC", "RF", "XC"})
SEX = frozenset({"M", "F", "O"})
SIDE = frozenset({"R", "L", "U", "B"})
YES_NO = frozenset({"YES", "NO"})
BODY_PARTS = frozenset(
    {"CHEST", "THORAX", "RIB", "RIBS", "CLAVICLE", "STERNUM", "SHOULDER", "SCAPULA", "LUNG",
     "HEART", "SPINE", "CSPINE", "TSPINE", "LSPINE", "SSPINE", "CTSPINE", "TLSPINE", "LSSPINE",
     "COCCYX", "NECK", "HEAD", "SKULL", "JAW", "ABDOMEN", "PELVIS", "HIP", "EXTREMITY", "ARM",
     "ELBOW", "HUMERUS", "FOREARM", "WRIST", "HAND", "FINGER", "LEG", "FEMUR", "THIGH", "KNEE",
     "PATELLA", "ANKLE", "CALCANEUS", "FOOT", "TOE", "WHOLEBODY", "BREAST"}
)  # fmt: skip
VIEWS = frozenset({"AP", "PA", "LL", "RL", "RLD", "LLD", "RLO", "LLO"})
RESCALE_TYPES = frozenset(
    {"OD", "HU", "US", "MGML", "Z_EFF", "LOG_E REL", "LOG_E", "P-VALUES", "P REL"}
)
# What a film without any of the above says: "unspecified".
UNSPECIFIED = "US"
PHOTOMETRIC = frozenset(
    {"MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT",
     "YBR_RCT"}
)  # fmt: skip
LOSSY_METHODS = frozenset({"ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15"})
CONVERSIONS = frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"})
DETECTORS = frozenset({"DIRECT", "SCINTILLATOR", "STORAGE", "FILM"})
POSITIONERS = frozenset({"CARM", "COLUMN", "NONE"})
GRIDS = frozenset({"FIXED", "FOCUSED", "RECIPROCATING", "PARALLEL", "CROSSED", "HF", "IN", "NONE"})
FILTERS = frozenset(
    {"MOLYBDENUM", "ALUMINUM", "COPPER", "RHODIUM", "NIOBIUM", "EUROPIUM", "LEAD", "TIN", "SILVER"}
)

# The first name that occurs in Manufacturer is written in its place, in this spelling.
MANUFACTURERS = (
    "Agfa", "Canon", "Carestream", "Fuji", "GE", "Hologic", "Kodak", "Konica Minolta",
    "Philips", "Samsung", "Shimadzu", "Siemens", "Toshiba", "Varian", "DRTECH", "Vieworks",
    "Rayence", "Swissray", "Del Medical", "Lumisys", "Imaging Dynamics", "iRay", "Mindray",
    "United Imaging",
)  # fmt: skip


def manufacturer(said: str) -> str | None:
    """Return the known maker that a free text names, in our spelling."""
    words = f" {' '.join(said.upper().replace(',', ' ').replace('.', ' ').split())} "
    for name in MANUFACTURERS:
        # Short names only as whole words: `GE` is part of many.
        sought = f" {name.upper()} " if len(name) < 4 else name.upper()
        if sought in words:
            return name
    return None


def body_part(said: str) -> str | None:
    """Return the known body part that a text names: `PORTABLE CHEST` is `CHEST`."""
    parts = said.upper().replace("_", " ").replace("-", " ").split()
    return next((one for one in parts if one in BODY_PARTS), None)


def is_standard_uid(value: str) -> bool:
    """Say whether DICOM itself defines a UID: a class or an encoding, no patient's object."""
    return value in UID_dictionary


@cache
def _standard_codes() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Return scheme, value and meaning by (scheme, value), old SNOMED values too."""
    # Thousands of words that only files with codes need.
    from pydicom.sr._concepts_dict import concepts
    from pydicom.sr._snomed_dict import mapping

    # A value may have several meanings there: that of the standard's own lists is the last.
    listed = sorted(
        (bool(lists), scheme, value, meaning)
        for scheme in ("SCT", "DCM")
        for values in cast("_Concepts", concepts)[scheme].values()
        for value, (meaning, lists) in values.items()
    )
    known = {(scheme, value): (scheme, value, meaning) for _, scheme, value, meaning in listed}
    for old, new in mapping["SRT"].items():
        if ("SCT", new) in known:
            known["SRT", old] = ("SRT", old, known["SCT", new][2])
    return known


def standard_code(scheme: str, value: str) -> tuple[str, str, str] | None:
    """Return scheme, value and meaning of a code of SNOMED or DICOM; None if it is not standard.

    The meaning is the standard's, not the file's, which may say anything.
    """
    scheme = "SRT" if scheme in ("SRT", "SNM3", "99SDM") else scheme
    return _standard_codes().get((scheme, value))
