"""Diagnosis codes of a patient, right ones and the wrong ones real coding has."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from ribsight.findings import Acuity, Side
from ribsight.simulation.paper import code_tables as tables
from ribsight.simulation.paper.chance import chance, draw, pick
from ribsight.simulation.paper.code_tables import CodingSystem, Phase
from ribsight.simulation.paper.mentions import is_flail, visible_fractures
from ribsight.simulation.paper.settings import RecordSettings
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Displacement,
    Fracture,
    PatientTruth,
)

_OTHER_SIDE = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
_UNMOVED = (Displacement.NON_DISPLACED, Displacement.BUCKLE)
_LATE_DAYS = 60


@dataclass(frozen=True)
class CodeRow:
    """One row of the hospital's table of codes.

    Attributes:
        encounter_date: the day the code was given for; often the study's, sometimes weeks later.
        code: as the hospital spells it, with or without the dot.

    """

    patient_id: str
    study_id: str
    accession_number: str
    encounter_date: date
    code: str
    coding_system: CodingSystem


@dataclass(frozen=True)
class _Coded:
    """Fractures of one bone and side as the coder understood them."""

    side: Side
    phase: Phase
    fractures: tuple[Fracture, ...]


def write_codes(
    truth: PatientTruth,
    random: np.random.Generator,
    settings: RecordSettings | None = None,
    system: CodingSystem = CodingSystem.ICD_10_CM,
) -> tuple[CodeRow, ...]:
    """Return the codes of a patient: fractures first, then what else was coded.

    Without errors (`RecordSettings.without_errors`) the fracture codes are those of the fractures
    that a film shows.
    """
    settings = settings or RecordSettings()
    coded = _coded_fractures(truth, random, settings)
    codes = _rib_codes(coded, random, settings, system)
    codes += _clavicle_codes(coded, random, settings, system)
    ruled_out = chance(random, settings.code_rule_out)
    if not truth.fractures and ruled_out:
        codes.append(_ruled_out(random, system))
    late = int(random.integers(2, _LATE_DAYS)) if chance(random, settings.code_late) else 0
    dated = [(code, late) for code in codes]
    dated += [(code, 0) for code in _other_codes(truth, random, settings, system)]
    undotted = chance(random, settings.code_undotted)
    lower = chance(random, settings.code_lower_case)
    return tuple(
        CodeRow(
            patient_id=truth.person.patient_id,
            study_id=truth.study_id,
            accession_number=truth.accession_number,
            encounter_date=truth.study_date + timedelta(days=days),
            code=_spelt(code, undotted=undotted, lower=lower),
            coding_system=system,
        )
        for code, days in dict.fromkeys(dated)
    )


def _coded_fractures(
    truth: PatientTruth, random: np.random.Generator, settings: RecordSettings
) -> list[_Coded]:
    visible = {one.name for one in visible_fractures(truth)}
    found_by_ct = chance(random, settings.code_invisible)
    groups: dict[tuple[str, Side, Acuity], list[Fracture]] = defaultdict(list)
    for fracture in truth.fractures:
        # CT finds all of a patient's acute fractures or was not done.
        if fracture.name in visible or (found_by_ct and fracture.acuity is not Acuity.OLD):
            groups[fracture.finding, fracture.side, fracture.acuity].append(fracture)
    coded = []
    for (_, side, acuity), fractures in groups.items():
        phase = _phase(acuity, random, settings)
        missing = chance(random, settings.code_missing)
        if chance(random, settings.code_wrong_side):
            side = _OTHER_SIDE[side]
        if chance(random, settings.code_unspecified_side):
            side = Side.UNKNOWN
        if phase is not None and not missing:
            coded.append(_Coded(side, phase, tuple(fractures)))
    return coded


def _phase(acuity: Acuity, random: np.random.Generator, settings: RecordSettings) -> Phase | None:
    if acuity is Acuity.HEALING:
        early = chance(random, settings.code_healing_as_acute)
        return Phase.INITIAL if early else Phase.SUBSEQUENT
    if acuity is Acuity.OLD:
        return Phase.INITIAL if chance(random, settings.code_old_as_acute) else None
    return Phase.INITIAL


def _rib_codes(
    coded: list[_Coded],
    random: np.random.Generator,
    settings: RecordSettings,
    system: CodingSystem,
) -> list[str]:
    codes = []
    for phase in Phase:
        sides: dict[Side, set[tuple[Side, int | None]]] = defaultdict(set)
        fractures: list[Fracture] = []
        for one in coded:
            if one.phase is phase and one.fractures[0].finding == RIB_FRACTURE:
                sides[one.side] |= {(each.side, each.rib) for each in one.fractures}
                fractures += one.fractures
        if not sides:
            continue
        if phase is Phase.INITIAL and is_flail(fractures):
            # Flail chest excludes the codes of its ribs.
            codes.append(tables.FLAIL[system])
        elif system is CodingSystem.ICD_9_CM:
            unsaid = chance(random, settings.code_unspecified_part)
            count = sum(len(ribs) for ribs in sides.values())
            codes.append(tables.rib_code_9(None if unsaid else count, phase))
        elif sides.keys() >= {Side.LEFT, Side.RIGHT}:
            codes.append(tables.rib_code_10(Side.BOTH, many=True, phase=phase))
        else:
            codes += [
                tables.rib_code_10(side, many=len(ribs) > 1, phase=phase)
                for side, ribs in sides.items()
            ]
    return codes


def _clavicle_codes(
    coded: list[_Coded],
    random: np.random.Generator,
    settings: RecordSettings,
    system: CodingSystem,
) -> list[str]:
    codes = []
    for group in coded:
        if group.fractures[0].finding != CLAVICLE_FRACTURE:
            continue
        for fracture in group.fractures:
            unspecified = chance(random, settings.code_unspecified_part)
            open_ = chance(random, settings.code_open)
            place = None if unspecified else fracture.place
            phase = group.phase
            if open_ and phase is Phase.INITIAL:
                phase = Phase.INITIAL_OPEN
            if system is CodingSystem.ICD_9_CM:
                codes.append(tables.clavicle_code_9(place, phase))
            else:
                codes.append(
                    tables.clavicle_code_10(
                        group.side,
                        place,
                        phase,
                        displaced=fracture.displacement not in _UNMOVED,
                        backward=chance(random, 0.1),
                    )
                )
    return codes


def _ruled_out(random: np.random.Generator, system: CodingSystem) -> str:
    side = pick(random, (Side.LEFT, Side.RIGHT))
    clavicle = chance(random, 0.2)
    if system is CodingSystem.ICD_9_CM:
        if clavicle:
            return tables.clavicle_code_9(None, Phase.INITIAL)
        return tables.rib_code_9(None, Phase.INITIAL)
    if clavicle:
        return tables.clavicle_code_10(side, None, Phase.INITIAL, displaced=False)
    return tables.rib_code_10(side, many=False, phase=Phase.INITIAL)


def _other_codes(
    truth: PatientTruth,
    random: np.random.Generator,
    settings: RecordSettings,
    system: CodingSystem,
) -> list[str]:
    codes = []
    old = [one for one in truth.fractures if one.acuity is Acuity.OLD]
    if old and chance(random, settings.code_old_as_history):
        if chance(random, 0.75):
            codes.append(tables.HISTORY[system])
        else:
            codes.append(_sequela(old[0], system))
    injured = any(one.acuity is not Acuity.OLD for one in truth.fractures)
    if chance(random, 0.9 if injured else 0.5):
        codes.append(draw(random, tables.ACCIDENTS[system]))
        codes.append(draw(random, tables.INJURIES[system]))
    if chance(random, settings.code_elsewhere):
        codes.append(draw(random, tables.ELSEWHERE[system]))
    count = int(random.poisson(settings.code_others))
    codes += [draw(random, tables.OTHERS[system]) for _ in range(count)]
    return codes


def _sequela(fracture: Fracture, system: CodingSystem) -> str:
    rib = fracture.finding == RIB_FRACTURE
    if system is CodingSystem.ICD_9_CM:
        return tables.LATE_EFFECT_9["rib" if rib else "clavicle"]
    if rib:
        return tables.rib_code_10(fracture.side, many=False, phase=Phase.SEQUELA)
    return tables.clavicle_code_10(fracture.side, None, Phase.SEQUELA, displaced=False)


def _spelt(code: str, *, undotted: bool, lower: bool) -> str:
    if undotted:
        code = code.replace(".", "")
    return code.lower() if lower else code
