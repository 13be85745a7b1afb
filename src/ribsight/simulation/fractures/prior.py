"""Who has which fractures: shares from CT series and from classifications of clavicle fractures.

Ribs: the joint shares of place and displacement, and the shares of the rib numbers, are those of
the 470 rib fractures of 51 CT scans in RibFrac's published characteristics (Jin et al.,
EBioMedicine 2020). Those patients were chosen for having many; the number per patient follows
registries of blunt chest trauma instead (Sirmali et al., Eur J Cardiothorac Surg 2003: about half
have one or two). Clavicles: Robinson, J Bone Joint Surg Br 1998 (1,000 fractures).
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from ribsight.findings import Acuity, Side
from ribsight.settings import Settings
from ribsight.simulation.truth import (
    CLAVICLE_FRACTURE,
    RIB_FRACTURE,
    Displacement,
    Fracture,
    Person,
)

Share = Annotated[float, Field(ge=0, le=1)]

_RIB_COUNTS = np.array([8, 42, 62, 63, 65, 68, 46, 43, 35, 22, 11, 5], dtype=np.float64)
_PLACES = ("anterior", "lateral", "posterior")
_DISPLACEMENTS = tuple(Displacement)
# Rows: places; columns: non-displaced, buckle, displaced, severely displaced.
_RIB_JOINT = np.array([[71, 98, 31, 9], [68, 29, 34, 7], [76, 10, 24, 13]], dtype=np.float64)
_RIB_RANGES = {"anterior": (0.68, 0.96), "lateral": (0.36, 0.68), "posterior": (0.07, 0.36)}

_THIRDS = ("medial", "middle", "lateral")
_THIRD_SHARES = np.array([0.03, 0.76, 0.21])
_THIRD_RANGES = {"medial": (0.10, 0.33), "middle": (0.36, 0.66), "lateral": (0.70, 0.92)}
_CLAVICLE_DISPLACEMENTS = np.array([0.27, 0.0, 0.46, 0.27])
# Ribs broken at once: 1, 2, 3, ...
_RIBS_AT_ONCE = np.array([0.33, 0.20, 0.15, 0.11, 0.08, 0.05, 0.04, 0.04])


class FractureSettings(Settings):
    """How often what breaks.

    Attributes:
        prevalence: share of patients with an acute or healing fracture.
        clavicle_share: of these, share whose clavicle is broken.
        both_share: of those, share with broken ribs as well.
        healing_share: share of fractured patients who come weeks later, callus forming.
        old_share: share of all patients with healed fractures, at 70 years; less when younger.
        segmental_share: share of rib fractures with a second break of the same rib.
        bilateral_share: share of patients with broken ribs on both sides.
        fixed_share: share of displaced clavicle fractures already plated.

    """

    prevalence: Share = 0.10
    clavicle_share: Share = 0.30
    both_share: Share = 0.15
    healing_share: Share = 0.12
    old_share: Share = 0.12
    segmental_share: Share = 0.07
    bilateral_share: Share = 0.10
    fixed_share: Share = 0.04


def draw_fractures(
    person: Person, settings: FractureSettings, random: np.random.Generator
) -> tuple[Fracture, ...]:
    """Draw all fractures of one person, fresh ones first."""
    found: list[_Draft] = []
    if random.random() < settings.prevalence:
        acuity = Acuity.HEALING if random.random() < settings.healing_share else Acuity.ACUTE
        clavicle = random.random() < settings.clavicle_share
        if clavicle:
            found += _clavicle(acuity, settings, random)
        if not clavicle or random.random() < settings.both_share:
            found += _ribs(acuity, settings, random)
    old_share = settings.old_share * np.clip((person.age - 15) / 55, 0.1, 1.4)
    if random.random() < old_share:
        if random.random() < 0.15:
            found += _clavicle(Acuity.OLD, settings, random)
        else:
            found += _ribs(Acuity.OLD, settings, random)
    return tuple(one.named(f"f{number}") for number, one in enumerate(_apart(found), 1))


class _Draft:
    """A fracture that has no name yet."""

    def __init__(
        self,
        finding: str,
        side: Side,
        rib: int | None,
        place: str,
        position: float,
        displacement: Displacement,
        acuity: Acuity,
        *,
        fixed: bool = False,
    ):
        self.rib, self.side, self.position = rib, side, position
        self.displacement, self.acuity = displacement, acuity
        self._finding, self._place, self._fixed = finding, place, fixed

    def named(self, name: str) -> Fracture:
        return Fracture(
            name, self._finding, self.side, self.rib, self._place, self.position,
            self.displacement, self.acuity, self._fixed,
        )  # fmt: skip


def _ribs(acuity: Acuity, settings: FractureSettings, random: np.random.Generator) -> list[_Draft]:
    sides = [Side.LEFT, Side.RIGHT]
    first = sides[int(random.random() < 0.47)]
    chosen = [first]
    if random.random() < settings.bilateral_share:
        chosen.append(sides[1 - sides.index(first)])
    drafts = []
    for side in chosen:
        count = 1 + int(random.choice(len(_RIBS_AT_ONCE), p=_RIBS_AT_ONCE / _RIBS_AT_ONCE.sum()))
        start = 1 + int(random.choice(12, p=_RIB_COUNTS / _RIB_COUNTS.sum()))
        low = int(np.clip(start - count // 2, 1, 13 - count))
        # One blow breaks neighbours at about the same place.
        cell = int(random.choice(12, p=_RIB_JOINT.ravel() / _RIB_JOINT.sum()))
        centre = random.uniform(*_RIB_RANGES[_PLACES[cell // 4]])
        for rib in range(low, low + count):
            drafts += _one_rib(rib, side, centre, count > 1, acuity, settings, random)
    return drafts


def _one_rib(
    rib: int,
    side: Side,
    blow: float,
    grouped: bool,
    acuity: Acuity,
    settings: FractureSettings,
    random: np.random.Generator,
) -> list[_Draft]:
    near = grouped and random.random() < 0.7
    if near:
        position = float(np.clip(blow + random.normal(0, 0.05), 0.06, 0.96))
        row = _place_of(position)
    else:
        row = int(random.choice(3, p=_RIB_JOINT.sum(axis=1) / _RIB_JOINT.sum()))
        position = float(random.uniform(*_RIB_RANGES[_PLACES[row]]))
    shares = _RIB_JOINT[row] / _RIB_JOINT[row].sum()
    drafts = [_rib_draft(rib, side, position, shares, acuity, random)]
    if random.random() < settings.segmental_share:
        other = position + (0.2 if position < 0.6 else -0.2) * random.uniform(0.8, 1.4)
        row = _place_of(other)
        shares = _RIB_JOINT[row] / _RIB_JOINT[row].sum()
        drafts.append(_rib_draft(rib, side, other, shares, acuity, random))
    return drafts


def _rib_draft(
    rib: int,
    side: Side,
    position: float,
    shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    acuity: Acuity,
    random: np.random.Generator,
) -> _Draft:
    displacement = _DISPLACEMENTS[int(random.choice(4, p=shares))]
    place = _PLACES[_place_of(position)]
    return _Draft(RIB_FRACTURE, side, rib, place, position, displacement, acuity)


def _place_of(position: float) -> int:
    return 0 if position >= 0.68 else 1 if position >= 0.36 else 2


def _clavicle(
    acuity: Acuity, settings: FractureSettings, random: np.random.Generator
) -> list[_Draft]:
    side = Side.LEFT if random.random() < 0.53 else Side.RIGHT
    third = _THIRDS[int(random.choice(3, p=_THIRD_SHARES))]
    displacement = _DISPLACEMENTS[int(random.choice(4, p=_CLAVICLE_DISPLACEMENTS))]
    moved = displacement in (Displacement.DISPLACED, Displacement.SEVERELY_DISPLACED)
    return [
        _Draft(
            CLAVICLE_FRACTURE, side, None, third, float(random.uniform(*_THIRD_RANGES[third])),
            displacement, acuity, fixed=bool(moved and random.random() < settings.fixed_share),
        )
    ]  # fmt: skip


def _apart(drafts: list[_Draft]) -> list[_Draft]:
    """Drop later fractures that would lie within a tenth of a bone of an earlier one."""
    kept: list[_Draft] = []
    for one in drafts:
        same = [k for k in kept if (k.side, k.rib) == (one.side, one.rib)]
        if all(abs(k.position - one.position) > 0.1 for k in same):
            kept.append(one)
    return kept
