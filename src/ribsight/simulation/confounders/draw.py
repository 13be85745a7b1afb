"""Who carries what: how often each confounder is on a trauma patient's films."""

from dataclasses import dataclass

import numpy as np

from ribsight.simulation.anatomy.build import Build
from ribsight.simulation.truth import CLAVICLE_FRACTURE, RIB_FRACTURE, Confounder, Fracture, Person


@dataclass(frozen=True)
class Rate:
    """A share of patients.

    Attributes:
        erect: of those who can stand.
        supine: of those who lie, awake.
        critical: of those who lie intubated or about to be.
        ages: factor by which it changes, at 30 and at 80 years.
        male, female: factor by sex.

    """

    erect: float
    supine: float
    critical: float
    ages: tuple[float, float] = (1.0, 1.0)
    male: float = 1.0
    female: float = 1.0


# Where no source is named the number is a plausible guess, made for a mixed trauma department.
# Mimics (bone islands, grooves, folds) are more frequent than in life on purpose: a detector meets
# enough of them in a small registry.
RATES: dict[Confounder, Rate] = {
    Confounder.ECG_LEADS: Rate(0.05, 0.55, 0.95, ages=(0.8, 1.1)),
    Confounder.CENTRAL_LINE: Rate(0.005, 0.03, 0.50),
    Confounder.ENDOTRACHEAL_TUBE: Rate(0.0, 0.0, 0.85),
    Confounder.GASTRIC_TUBE: Rate(0.003, 0.02, 0.70),
    Confounder.CHEST_TUBE: Rate(0.005, 0.02, 0.22),
    # 2.6 % of people aged 75 or older, 0.04 % of those under 65, 1.5 times as many men (National
    # Health Interview Survey 1988, Public Health Rep 1995; above 2 % also in Bradshaw et al.,
    # Open Heart 2014). Taken somewhat higher: who has one falls more.
    Confounder.PACEMAKER: Rate(0.02, 0.02, 0.02, ages=(0.02, 1.8), male=1.2, female=0.8),
    Confounder.STERNAL_WIRES: Rate(0.02, 0.02, 0.02, ages=(0.1, 1.8), male=1.4, female=0.6),
    Confounder.SURGICAL_CLIPS: Rate(0.04, 0.04, 0.04, ages=(0.3, 1.7)),
    Confounder.NECKLACE: Rate(0.02, 0.05, 0.02, male=0.6, female=1.6),
    Confounder.BRA_CLIPS: Rate(0.06, 0.18, 0.05, male=0.0),
    Confounder.BUTTONS: Rate(0.03, 0.12, 0.03),
    # Found anywhere in the skeleton, ribs among the preferred sites (Greenspan, Skeletal Radiol
    # 1995); how often in ribs is a guess.
    Confounder.BONE_ISLAND: Rate(0.04, 0.04, 0.04),
    Confounder.NUTRIENT_GROOVE: Rate(0.10, 0.10, 0.10),
    Confounder.COMPANION_SHADOW: Rate(0.35, 0.20, 0.20),
    Confounder.SKIN_FOLD: Rate(0.01, 0.12, 0.15, ages=(0.6, 1.5)),
    Confounder.NIPPLE_SHADOW: Rate(0.10, 0.04, 0.04, male=1.2, female=0.8),
}

CALCIFIED_FROM = 0.05
"""Share of the costal cartilage that must be calcified to be worth a mention."""


def chance_critical(fractures: tuple[Fracture, ...], *, supine: bool) -> float:
    """Return the share of patients who are in intensive care; a guess that grows with fractures."""
    ribs = sum(one.finding == RIB_FRACTURE for one in fractures)
    return 0.10 + 0.03 * min(ribs, 8) if supine else 0.0


def prevalence(
    confounder: Confounder,
    person: Person,
    build: Build,
    *,
    supine: bool,
    fractures: tuple[Fracture, ...],
) -> float:
    """Return the share of such patients who carry a confounder, over all states of severity."""
    critical = chance_critical(fractures, supine=supine)
    awake, severe = (
        _chance(confounder, person, build, supine=supine, critical=state, fractures=fractures)
        for state in (False, True)
    )
    return (1 - critical) * awake + critical * severe


def draw_confounders(
    person: Person,
    build: Build,
    *,
    supine: bool,
    fractures: tuple[Fracture, ...],
    random: np.random.Generator,
) -> tuple[Confounder, ...]:
    """Draw what else is on a patient's films.

    Whoever is in intensive care tends to have tube, lines and electrodes together. A fixed
    fracture brings its plate; calcified cartilage is the build's.

    Args:
        person: age and sex.
        build: how much cartilage is calcified.
        supine: the first film was taken lying.
        fractures: all of the patient's.
        random: one number per confounder is drawn, whatever the others are.

    Returns:
        In the order of `Confounder`.

    """
    critical = random.random() < chance_critical(fractures, supine=supine)
    return tuple(
        one
        for one, number in zip(Confounder, random.random(len(Confounder)), strict=True)
        if number
        < _chance(one, person, build, supine=supine, critical=critical, fractures=fractures)
    )


def _chance(
    confounder: Confounder, person: Person, build: Build, *, supine: bool, critical: bool,
    fractures: tuple[Fracture, ...],
) -> float:  # fmt: skip
    """Return the share of patients in one state of severity who carry a confounder."""
    fixed = {one.finding for one in fractures if one.fixed}
    certain = {
        Confounder.CLAVICLE_PLATE: CLAVICLE_FRACTURE in fixed,
        Confounder.RIB_PLATE: RIB_FRACTURE in fixed,
        Confounder.CALCIFIED_CARTILAGE: build.calcified_cartilage >= CALCIFIED_FROM,
    }
    if confounder in certain:
        return float(certain[confounder])
    rate = RATES[confounder]
    base = rate.critical if critical else rate.supine if supine else rate.erect
    age = float(np.interp(person.age, [30, 80], rate.ages))
    return float(min(base * age * (rate.male if person.sex == "male" else rate.female), 0.98))
