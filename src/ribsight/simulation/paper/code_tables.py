"""Diagnosis codes the simulated hospital uses, and how fracture codes are put together.

ICD-10-CM 2024 and ICD-9-CM v32; every code that can come out of here exists in those releases.
WHO ICD-10 and ICD-10-GM give some of the same strings other meanings.
"""

from enum import StrEnum
from itertools import product

from ribsight.findings import Side

Codes = tuple[tuple[str, float], ...]


class CodingSystem(StrEnum):
    """Which classification a hospital codes in."""

    ICD_9_CM = "ICD-9-CM"
    ICD_10_CM = "ICD-10-CM"


class Phase(StrEnum):
    """The encounter a fracture is coded for: the seventh character of ICD-10-CM."""

    INITIAL = "A"
    INITIAL_OPEN = "B"
    SUBSEQUENT = "D"
    SEQUELA = "S"


_SIDES = (Side.RIGHT, Side.LEFT, Side.UNKNOWN)
_ONE_RIB = {Side.RIGHT: "1", Side.LEFT: "2", Side.UNKNOWN: "9"}
_MANY_RIBS = {Side.RIGHT: "1", Side.LEFT: "2", Side.BOTH: "3", Side.UNKNOWN: "9"}
# Third of the clavicle -> fifth character; first sixth character of the displaced block (sternal
# end: 1 to 3 forward, 4 to 6 backward) and of the nondisplaced one, for right, left, unspecified.
_PARTS = {"medial": ("1", 1, 7), "middle": ("2", 1, 4), "lateral": ("3", 1, 4)}
_NO_PART = {Side.RIGHT: "1", Side.LEFT: "2", Side.UNKNOWN: "9"}
_PARTS_9 = {"medial": "1", "middle": "2", "lateral": "3", None: "0"}
_EIGHT_RIBS = 8
AFTERCARE_9 = "V54.19"

HISTORY = {CodingSystem.ICD_10_CM: "Z87.81", CodingSystem.ICD_9_CM: "V15.51"}
LATE_EFFECT_9 = {"rib": "905.1", "clavicle": "905.2"}
FLAIL = {CodingSystem.ICD_10_CM: "S22.5XXA", CodingSystem.ICD_9_CM: "807.4"}

ACCIDENTS: dict[CodingSystem, Codes] = {
    CodingSystem.ICD_10_CM: (
        ("W19.XXXA", 3),  # fall
        ("W01.0XXA", 2),  # slipping
        ("W10.9XXA", 2),  # stairs
        ("W11.XXXA", 1),  # ladder
        ("V43.52XA", 3),  # car driver
        ("V03.10XA", 1),  # pedestrian
        ("Y04.0XXA", 1),  # unarmed fight
    ),
    CodingSystem.ICD_9_CM: (
        ("E888.9", 3),
        ("E885.9", 2),
        ("E880.9", 2),
        ("E881.0", 1),
        ("E812.0", 3),
        ("E814.7", 1),
        ("E960.0", 1),
    ),
}
INJURIES: dict[CodingSystem, Codes] = {
    CodingSystem.ICD_10_CM: (
        ("S20.211A", 1),  # contusion of the front wall of the thorax, right
        ("S20.212A", 1),
        ("S20.219A", 2),
        ("R07.81", 3),  # pleurodynia
        ("R07.89", 2),
        ("S27.0XXA", 1),  # traumatic pneumothorax
        ("S27.321A", 0.5),  # contusion of one lung
        ("S40.012A", 0.5),  # contusion of the left shoulder
        ("Z04.1", 1),  # observation after a transport accident
        ("Z04.3", 1),
    ),
    CodingSystem.ICD_9_CM: (
        ("922.1", 4),  # contusion of the chest wall
        ("786.52", 3),  # painful respiration
        ("786.59", 2),
        ("860.0", 1),
        ("861.21", 0.5),
        ("923.00", 0.5),
        ("V71.4", 1),
    ),
}
OTHERS: dict[CodingSystem, Codes] = {
    CodingSystem.ICD_10_CM: (
        ("I10", 4),
        ("E11.9", 2),
        ("J44.9", 1.5),
        ("F17.210", 1.5),
        ("R06.02", 2),
        ("R05.9", 1),
        ("J18.9", 1),
        ("Z79.01", 1),
        ("Z87.891", 2),
        ("M54.6", 1),
        ("M81.0", 1),
        ("K21.9", 1),
        ("Z47.89", 0.3),  # orthopaedic aftercare of anything
    ),
    CodingSystem.ICD_9_CM: (
        ("401.9", 4),
        ("250.00", 2),
        ("496", 1.5),
        ("305.1", 1.5),
        ("786.05", 2),
        ("786.2", 1),
        ("486", 1),
        ("V58.61", 1),
        ("V15.82", 2),
        ("724.1", 1),
        ("733.00", 1),
        ("530.81", 1),
        ("V54.89", 0.3),
    ),
}
ELSEWHERE: dict[CodingSystem, Codes] = {
    CodingSystem.ICD_10_CM: (
        ("S32.010A", 1),  # first lumbar vertebra
        ("S22.060A", 1),  # seventh or eighth thoracic vertebra
        ("S22.20XA", 1),  # sternum
        ("S52.501A", 1),  # right radius
        ("S72.001A", 1),  # right femur
        ("S42.202A", 1),  # left humerus
        ("S42.101A", 1),  # right scapula
    ),
    CodingSystem.ICD_9_CM: (
        ("805.4", 1),
        ("805.2", 1),
        ("807.2", 1),
        ("813.42", 1),
        ("820.8", 1),
        ("812.00", 1),
        ("811.00", 1),
    ),
}


def rib_code_10(side: Side, *, many: bool, phase: Phase) -> str:
    """Return the ICD-10-CM code of one broken rib or of several; `BOTH` sides are several."""
    if many or side is Side.BOTH:
        return f"S22.4{_MANY_RIBS[side]}X{phase.value}"
    return f"S22.3{_ONE_RIB[side]}X{phase.value}"


def rib_code_9(count: int | None, phase: Phase) -> str:
    """Return the ICD-9-CM code of `count` broken ribs (None: not said)."""
    if phase is Phase.SUBSEQUENT:
        return AFTERCARE_9
    if phase is Phase.SEQUELA:
        return LATE_EFFECT_9["rib"]
    digit = 0 if count is None else min(count, _EIGHT_RIBS)
    return f"807.{'1' if phase is Phase.INITIAL_OPEN else '0'}{digit}"


def clavicle_code_10(
    side: Side, place: str | None, phase: Phase, *, displaced: bool, backward: bool = False
) -> str:
    """Return the ICD-10-CM code of a broken clavicle; without `place` its part is unspecified."""
    if place is None:
        return f"S42.00{_NO_PART[side]}{phase.value}"
    part, moved, unmoved = _PARTS[place]
    if backward and place == "medial":
        moved += len(_SIDES)
    sixth = (moved if displaced else unmoved) + _SIDES.index(side)
    return f"S42.0{part}{sixth}{phase.value}"


def clavicle_code_9(place: str | None, phase: Phase) -> str:
    """Return the ICD-9-CM code of a broken clavicle; without `place` its part is unspecified."""
    if phase is Phase.SUBSEQUENT:
        return AFTERCARE_9
    if phase is Phase.SEQUELA:
        return LATE_EFFECT_9["clavicle"]
    return f"810.{'1' if phase is Phase.INITIAL_OPEN else '0'}{_PARTS_9[place]}"


def fracture_codes(system: CodingSystem) -> frozenset[str]:
    """Return every rib and clavicle fracture code that can be written, dotted upper case."""
    codes = {FLAIL[system]}
    for phase in Phase:
        if system is CodingSystem.ICD_9_CM:
            codes |= {rib_code_9(count, phase) for count in (None, *range(1, _EIGHT_RIBS + 1))}
            codes |= {clavicle_code_9(place, phase) for place in _PARTS_9}
            continue
        codes |= {rib_code_10(side, many=False, phase=phase) for side in _SIDES}
        codes |= {rib_code_10(side, many=True, phase=phase) for side in _MANY_RIBS}
        codes |= {clavicle_code_10(side, None, phase, displaced=True) for side in _SIDES}
        codes |= {
            clavicle_code_10(side, place, phase, displaced=displaced, backward=backward)
            for side, place, displaced, backward in product(
                _SIDES, _PARTS, (False, True), (False, True)
            )
        }
    return frozenset(codes)


def other_codes(system: CodingSystem) -> frozenset[str]:
    """Return every code that can be written and is no rib or clavicle fracture."""
    tables = (ACCIDENTS, INJURIES, OTHERS, ELSEWHERE)
    return frozenset({code for table in tables for code, _ in table[system]} | {HISTORY[system]})
