"""The variety of real headers: machines with their habits, and one file's draw from them.

Shares and joint distribution were measured on the headers of 7,469 chest images of Open-i (Indiana
University, several hospitals). They cluster by machine: whoever writes MONOCHROME1 with a LUT also
writes PixelSpacing and leaves BurnedInAnnotation out. So a machine is drawn first and the rest
follows from it. What follows the standard and not the collection: files of the DX class say
modality DX (most of Open-i say CR), and attributes of type 2 are empty instead of absent.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from ribsight.simulation.paper.chance import chance, draw
from ribsight.simulation.paper.machines import MACHINES, Machine, Range, Spacing, Voi
from ribsight.simulation.truth import View

# Not in Open-i, whose files never name a VOI LUT function and never rescale by anything but
# slope 1: other hospitals' files do, and a reader that ignores them must be found out.
_FUNCTIONS = ((None, 0.93), ("LINEAR", 0.04), ("SIGMOID", 0.02), ("LINEAR_EXACT", 0.01))
_UNUSUAL_RESCALE = 0.02
# Rib series are not in Open-i; the words are those technologists use.
_OBLIQUE_WORDS = {
    View.OBLIQUE_LEFT: (("RAO", 0.6), ("OBLIQUE", 0.4)),
    View.OBLIQUE_RIGHT: (("LAO", 0.6), ("OBLIQUE", 0.4)),
}
_FRONTAL_WORDS = {View.PA_ERECT: "PA", View.AP_SUPINE: "AP"}
# PixelSpacing / ImagerPixelSpacing of the three makes that write both and mean different planes.
_SPACING_RATIOS = (1.007, 1.0063, 1.0068, 0.994)


class VoiFunction(StrEnum):
    """How window centre and width are meant (PS3.3 C.11.2.1.2); LINEAR when a file is silent."""

    LINEAR = "LINEAR"
    LINEAR_EXACT = "LINEAR_EXACT"
    SIGMOID = "SIGMOID"


@dataclass(frozen=True)
class Rescale:
    """Modality value = slope * stored value + intercept."""

    slope: float
    intercept: float
    kind: str | None


@dataclass(frozen=True)
class Header:
    """Everything about one file that is the machine's habit and not the patient's.

    Attributes:
        machine: name of its habits in `MACHINES`.
        manufacturer, model: invented.
        digital: of the Digital X-Ray class (for presentation), else Computed Radiography.
        photometric: MONOCHROME1 stores bone dark.
        presentation_lut_shape: IDENTITY, INVERSE or None (absent). INVERSE only restates
            MONOCHROME1: the picture is inverted once.
        bits_stored: of 16.
        voi: what tells black and white: a window, three, a LUT, both, or nothing.
        voi_function: None when the file is silent.
        low, high: stored values that are shown darkest and brightest (before polarity).
        lut_contrast: of the VOI LUT's S-curve, from 0 (a line) to below 1.
        lut_explanation: None when absent.
        rescale: None when absent.
        view_position: the vendor's word; empty when the file does not say.
        patient_orientation: directions of row and column; None when the file does not say.
        spacing: which of the two spacings are written.
        spacing_ratio: PixelSpacing / ImagerPixelSpacing when they differ.
        burned_in_annotation: NO, or None (absent).
        body_part: empty when the file does not say.
        private_creator: owner of a private block, or None.
        image_type: values of Image Type.
        character_set: of the text, or None (plain ASCII).
        lossy: Lossy Image Compression 00 is stated.
        sign: Pixel Intensity Relationship Sign, DX only.
        flipped: Field of View Horizontal Flip says YES: about the detector, not the stored pixels.
        tube_voltage: kV, None when absent.

    """

    machine: str
    manufacturer: str
    model: str
    digital: bool
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    presentation_lut_shape: str | None
    bits_stored: int
    voi: Voi
    voi_function: VoiFunction | None
    low: int
    high: int
    lut_contrast: float
    lut_explanation: str | None
    rescale: Rescale | None
    view_position: str
    patient_orientation: tuple[str, str] | None
    spacing: Spacing
    spacing_ratio: float
    burned_in_annotation: str | None
    body_part: str
    private_creator: str | None
    image_type: tuple[str, ...]
    character_set: str | None
    lossy: bool
    sign: int
    flipped: bool
    tube_voltage: float | None

    @property
    def modality(self) -> Literal["CR", "DX"]:
        """As the class of the file demands."""
        return "DX" if self.digital else "CR"

    @property
    def top(self) -> int:
        """Largest value that can be stored."""
        return (1 << self.bits_stored) - 1


def draw_machine(random: np.random.Generator) -> Machine:
    """Draw a machine by its share of the images: one a study, for its films are taken together."""
    shares = np.array([machine.images for machine in MACHINES], dtype=np.float64)
    return MACHINES[int(random.choice(len(MACHINES), p=shares / shares.sum()))]


def draw_header(random: np.random.Generator, view: View, machine: Machine | None = None) -> Header:
    """Draw the header of one file of `view`, by `machine` or, without one, by any machine."""
    machine = machine or draw_machine(random)
    low, high = _shown_range(random, machine)
    function = None
    if machine.voi is Voi.WINDOW:
        name = draw(random, _FUNCTIONS)
        function = None if name is None else VoiFunction(name)
    return Header(
        machine=machine.name,
        manufacturer=machine.manufacturer,
        model=machine.model,
        digital=machine.digital,
        photometric=machine.photometric,
        presentation_lut_shape=machine.presentation_lut_shape,
        bits_stored=machine.bits_stored,
        voi=machine.voi,
        voi_function=function,
        low=low,
        high=high,
        lut_contrast=float(random.uniform(0.2, 0.8)),
        lut_explanation=draw(random, machine.lut_explanations),
        rescale=_rescale(random, machine),
        view_position=_view_position(random, machine, view),
        patient_orientation=_orientation(machine, view),
        spacing=machine.spacing,
        spacing_ratio=float(random.choice(_SPACING_RATIOS)),
        burned_in_annotation=machine.burned_in_annotation,
        body_part=draw(random, machine.body_parts),
        private_creator=machine.private_creator,
        image_type=machine.image_type,
        character_set=machine.character_set,
        lossy=machine.lossy,
        sign=machine.sign,
        flipped=machine.flipped,
        tube_voltage=draw(random, machine.tube_voltages),
    )


def _shown_range(random: np.random.Generator, machine: Machine) -> tuple[int, int]:
    top = (1 << machine.bits_stored) - 1
    if machine.shown is Range.FULL:
        return 0, top
    if machine.shown is Range.MIDDLE:
        return (top + 1) // 4, (top + 1) * 3 // 4 - 1
    # Centre and width of 2,503 windows and 2,878 LUTs of 12 bits have these means and deviations,
    # as shares of the range; both are kept inside it so that every grey can be stored.
    mean, spread = (0.60, 0.08) if machine.voi is Voi.LUT else (0.40, 0.06)
    centre = top * np.clip(random.normal(mean, spread), 0.25, 0.75)
    half = top * np.clip(random.normal(0.29, 0.06), 0.10, 0.40)
    return max(1, round(centre - half)), min(top - 1, round(centre + half))


def _rescale(random: np.random.Generator, machine: Machine) -> Rescale | None:
    # The Digital X-Ray class allows slope 1 and intercept 0 alone (PS3.3 C.8.11.3).
    plain_window = machine.voi is Voi.WINDOW and not machine.digital
    if plain_window and chance(random, _UNUSUAL_RESCALE):
        return Rescale(slope=0.5, intercept=-256.0, kind="US")
    if machine.rescale_kind is None:
        return None
    return Rescale(slope=1.0, intercept=0.0, kind=machine.rescale_kind)


def _view_position(random: np.random.Generator, machine: Machine, view: View) -> str:
    if not chance(random, machine.states_view):
        return ""
    if view is View.LATERAL:
        return draw(random, machine.lateral_words)
    if view in _OBLIQUE_WORDS:
        return draw(random, _OBLIQUE_WORDS[view])
    return _FRONTAL_WORDS[view]


def _orientation(machine: Machine, view: View) -> tuple[str, str] | None:
    if not machine.states_orientation:
        return None
    # Films hang with the patient's left on the right; laterals look toward the left of the film.
    return ("P", "F") if view is View.LATERAL else ("L", "F")
