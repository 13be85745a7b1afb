"""What is true of a simulated patient: everything that records and drawings only hint at."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from ribsight.findings import Acuity, Side

RIB_FRACTURE = "rib_fracture"
CLAVICLE_FRACTURE = "clavicle_fracture"
FINDINGS = (RIB_FRACTURE, CLAVICLE_FRACTURE)

Sex = Literal["female", "male"]
Point = tuple[float, float]
"""(x, y) in stored pixels; origin at the top-left corner of the top-left pixel."""


class Displacement(StrEnum):
    """How far the ends of a broken bone have moved."""

    NON_DISPLACED = "non_displaced"
    BUCKLE = "buckle"
    DISPLACED = "displaced"
    SEVERELY_DISPLACED = "severely_displaced"


class View(StrEnum):
    """How the patient stood in the beam."""

    PA_ERECT = "pa_erect"
    AP_SUPINE = "ap_supine"
    OBLIQUE_LEFT = "oblique_left"
    """Rib series: anterior oblique, the left side away from the detector."""
    OBLIQUE_RIGHT = "oblique_right"
    LATERAL = "lateral"


class Confounder(StrEnum):
    """What else is on a film and costs a detector its precision."""

    ECG_LEADS = "ecg_leads"
    CENTRAL_LINE = "central_line"
    ENDOTRACHEAL_TUBE = "endotracheal_tube"
    GASTRIC_TUBE = "gastric_tube"
    CHEST_TUBE = "chest_tube"
    PACEMAKER = "pacemaker"
    STERNAL_WIRES = "sternal_wires"
    SURGICAL_CLIPS = "surgical_clips"
    CLAVICLE_PLATE = "clavicle_plate"
    RIB_PLATE = "rib_plate"
    NECKLACE = "necklace"
    BRA_CLIPS = "bra_clips"
    BUTTONS = "buttons"
    CALCIFIED_CARTILAGE = "calcified_cartilage"
    BONE_ISLAND = "bone_island"
    NUTRIENT_GROOVE = "nutrient_groove"
    """A vessel's canal in the cortex: a thin dark line that is no fracture."""
    COMPANION_SHADOW = "companion_shadow"
    """Skin seen edge-on above a clavicle."""
    SKIN_FOLD = "skin_fold"
    NIPPLE_SHADOW = "nipple_shadow"


@dataclass(frozen=True)
class Fracture:
    """One break of one bone, on film or not.

    Attributes:
        name: unique within the patient ("f1").
        finding: `RIB_FRACTURE` or `CLAVICLE_FRACTURE`.
        side: the patient's side, left or right.
        rib: 1 to 12, None for a clavicle.
        place: "anterior", "lateral", "posterior" of a rib; "medial", "middle", "lateral" third
            of a clavicle.
        position: share of the bone's length, from the spine (rib) or the sternum (clavicle).
        displacement: how far the ends have moved.
        acuity: acute, healing (callus forming) or old (healed, with callus or deformity).
        fixed: held by a surgical plate.

    """

    name: str
    finding: str
    side: Side
    rib: int | None
    place: str
    position: float
    displacement: Displacement
    acuity: Acuity
    fixed: bool = False

    @property
    def bone(self) -> str:
        """Name of the bone: "clavicle_left", "rib_right_7"."""
        if self.rib is None:
            return f"clavicle_{self.side.value}"
        return f"rib_{self.side.value}_{self.rib}"


@dataclass(frozen=True)
class Person:
    """Who was simulated.

    Attributes:
        patient_id: unique in the registry, a function of (seed, number) alone.
        sex: female or male.
        age: years at the study.
        height: mm.
        weight: kg.

    """

    patient_id: str
    sex: Sex
    age: int
    height: float
    weight: float


@dataclass(frozen=True)
class FractureOnFilm:
    """A fracture as one film shows it.

    Attributes:
        fracture: its name.
        outline: polygon that holds everything the break changed on the film, before any reader.
        contrast_to_noise: root mean square, over the outline's changed pixels, of the difference
            between the film with and without the break, divided by the noise there.
        visible: the contrast-to-noise ratio reaches what readers find (Rose criterion).

    """

    fracture: str
    outline: tuple[Point, ...]
    contrast_to_noise: float
    visible: bool


@dataclass(frozen=True)
class Film:
    """One radiograph.

    Attributes:
        radiograph_id: unique in the registry; the file's name without ending.
        view: how the patient stood.
        height, width: stored pixels.
        pixel_spacing: mm at the detector.
        fractures: those inside the field, visible or not.

    """

    radiograph_id: str
    view: View
    height: int
    width: int
    pixel_spacing: float
    fractures: tuple[FractureOnFilm, ...]


@dataclass(frozen=True)
class PatientTruth:
    """Everything that is true of one simulated patient at the time of the study.

    Attributes:
        person: who.
        study_date: day of the radiographs.
        study_id: unique in the registry.
        accession_number: unique in the registry.
        fractures: all of them, also those no film shows.
        confounders: what else is on the films.
        films: in the order they were taken.

    """

    person: Person
    study_date: date
    study_id: str
    accession_number: str
    fractures: tuple[Fracture, ...]
    confounders: tuple[Confounder, ...]
    films: tuple[Film, ...]
