"""The machines of a simulated registry: habits and shares measured on the Open-i headers.

`images` counts the images of Open-i (7,467 of 7,469; the other two are Secondary Captures) whose
headers look like that. The names are invented.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeVar

ShareT = TypeVar("ShareT")
Share = tuple[ShareT, float]


class Voi(StrEnum):
    """What a file says about black and white."""

    WINDOW = "window"
    LUT = "lut"
    WINDOWS_AND_LUT = "windows_and_lut"
    NEITHER = "neither"


class Spacing(StrEnum):
    """Which spacings a file states: at the detector (Imager), and Pixel Spacing."""

    NONE = "none"
    IMAGER = "imager"
    BOTH = "both"
    DIFFERING = "differing"


class Range(StrEnum):
    """Which stored values a machine shows."""

    FULL = "full"
    MIDDLE = "middle"
    """The middle half."""
    CHOSEN = "chosen"
    """Chosen for every image by the machine's histogram analysis."""


@dataclass(frozen=True)
class Machine:
    """The habits of one make; see `Header` for what each becomes.

    Attributes:
        images: how many images of Open-i look like this.
        states_view: share of its files that name the view.
        lateral_words: vendor's words for a lateral view.
        states_orientation: whether Patient Orientation is filled.
        shown: which stored values its window or LUT shows.
        rescale_kind: Rescale Type with slope 1; empty: rescale without a type; None: no rescale.

    """

    name: str
    images: int
    manufacturer: str
    model: str
    digital: bool
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    bits_stored: int
    voi: Voi
    shown: Range
    presentation_lut_shape: str | None = None
    rescale_kind: str | None = None
    states_view: float = 1.0
    lateral_words: tuple[Share[str], ...] = (("LL", 1.0),)
    states_orientation: bool = False
    spacing: Spacing = Spacing.BOTH
    burned_in_annotation: str | None = None
    body_parts: tuple[Share[str], ...] = (("CHEST", 1.0),)
    private_creator: str | None = None
    image_type: tuple[str, ...] = ("DERIVED", "PRIMARY")
    character_set: str | None = "ISO_IR 100"
    lossy: bool = True
    tube_voltages: tuple[Share[float | None], ...] = ((None, 1.0),)
    lut_explanations: tuple[Share[str | None], ...] = ((None, 1.0),)
    sign: int = -1
    flipped: bool = False


_LATERAL_WORDS = (("LATERAL", 0.69), ("LL", 0.30), ("LARGE LATERAL", 0.01))

MACHINES = (
    Machine(
        name="plate reader with a LUT",
        images=2878,
        manufacturer="Halden Radiography",
        model="Platescan 40",
        digital=False,
        photometric="MONOCHROME1",
        bits_stored=12,
        voi=Voi.LUT,
        shown=Range.CHOSEN,
        rescale_kind="LOG_E REL",
        states_orientation=True,
        body_parts=(("CHEST", 0.999), ("EXTREMETY", 0.001)),
        private_creator="HALDEN OBJECT ATTRIBUTES 1.0",
        character_set=None,
        lossy=False,
        # What the converter of these files wrote when it knew nothing.
        tube_voltages=((0.0, 1.0),),
        lut_explanations=(("NK5", 0.999), ("RP1KT", 0.001)),
    ),
    Machine(
        name="wall stand that says little",
        images=2503,
        manufacturer="Medara Systems",
        model="Thorax FD",
        digital=False,
        photometric="MONOCHROME2",
        presentation_lut_shape="IDENTITY",
        bits_stored=12,
        voi=Voi.WINDOW,
        shown=Range.CHOSEN,
        states_view=0.0,
        spacing=Spacing.IMAGER,
        burned_in_annotation="NO",
        body_parts=(("", 1.0),),
        private_creator="MEDARA OOG",
        image_type=("DERIVED", "SECONDARY", "", "RESAMPLED"),
        tube_voltages=((109.0, 0.50), (117.0, 0.21), (121.0, 0.14), (125.0, 0.13), (85.0, 0.02)),
    ),
    Machine(
        name="flat panel with a full window",
        images=866,
        manufacturer="Pelion Imaging",
        model="DigiPanel 43",
        digital=True,
        photometric="MONOCHROME2",
        presentation_lut_shape="IDENTITY",
        bits_stored=15,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        rescale_kind="US",
        states_orientation=True,
        spacing=Spacing.DIFFERING,
        burned_in_annotation="NO",
        private_creator="PELION OBJECT 1.0",
        tube_voltages=((125.0, 0.93), (133.0, 0.04), (141.0, 0.03)),
    ),
    Machine(
        name="plate reader with P-values",
        images=439,
        manufacturer="Corvane",
        model="ADX 30",
        digital=False,
        photometric="MONOCHROME1",
        presentation_lut_shape="INVERSE",
        bits_stored=15,
        voi=Voi.WINDOW,
        shown=Range.MIDDLE,
        rescale_kind="P-VALUES",
        lateral_words=(("LL", 0.90), ("RL", 0.10)),
        states_orientation=True,
        burned_in_annotation="NO",
        private_creator="Corvane ADX",
        image_type=("ORIGINAL", "PRIMARY"),
    ),
    Machine(
        name="plate reader with P-values and a LUT",
        images=133,
        manufacturer="Corvane",
        model="ADX 25",
        digital=False,
        photometric="MONOCHROME1",
        presentation_lut_shape="INVERSE",
        bits_stored=15,
        voi=Voi.LUT,
        shown=Range.MIDDLE,
        rescale_kind="P-VALUES",
        states_orientation=True,
        burned_in_annotation="NO",
        private_creator="Corvane ADX",
        image_type=("ORIGINAL", "PRIMARY"),
        lut_explanations=((None, 0.62), ("E25", 0.19), ("NK5", 0.19)),
    ),
    Machine(
        name="processed and silent about grey",
        images=281,
        manufacturer="Ostrava X-Ray",
        model="Bucky 9",
        digital=False,
        photometric="MONOCHROME2",
        presentation_lut_shape="IDENTITY",
        bits_stored=12,
        voi=Voi.NEITHER,
        shown=Range.FULL,
        lateral_words=_LATERAL_WORDS,
        tube_voltages=((120.0, 0.55), (110.0, 0.45)),
    ),
    Machine(
        name="flat panel that flips its field",
        images=96,
        manufacturer="Lumeris Digital",
        model="Panorex D",
        digital=True,
        photometric="MONOCHROME2",
        presentation_lut_shape="IDENTITY",
        bits_stored=12,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        rescale_kind="US",
        states_orientation=True,
        spacing=Spacing.DIFFERING,
        burned_in_annotation="NO",
        private_creator="Lumeris Imaging DD 097",
        image_type=("ORIGINAL", "PRIMARY", ""),
        character_set=None,
        tube_voltages=((125.0, 1.0),),
        sign=1,
        flipped=True,
    ),
    Machine(
        name="portable",
        images=73,
        manufacturer="Wayfarer Medical",
        model="Roundtrip 2",
        digital=False,
        photometric="MONOCHROME2",
        bits_stored=12,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        lateral_words=(("LATERAL", 1.0),),
        body_parts=(("CHEST", 0.74), ("NON GRID CHEST", 0.16), ("PORTABLE CHEST", 0.10)),
        tube_voltages=((None, 0.96), (120.0, 0.04)),
    ),
    Machine(
        name="ten bits",
        images=61,
        manufacturer="Shirane Film",
        model="Imaging Plate 5000",
        digital=False,
        photometric="MONOCHROME1",
        bits_stored=10,
        voi=Voi.NEITHER,
        shown=Range.FULL,
        rescale_kind="US",
        states_view=0.0,
        image_type=("DERIVED", "PRIMARY", "POST_PROCESSED"),
        character_set=None,
    ),
    Machine(
        name="older flat panel",
        images=38,
        manufacturer="Pelion Imaging",
        model="DigiPanel 41",
        digital=False,
        photometric="MONOCHROME2",
        bits_stored=15,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        states_view=0.47,
        spacing=Spacing.DIFFERING,
        lossy=False,
        tube_voltages=((125.0, 1.0),),
    ),
    Machine(
        name="panel in a van",
        images=48,
        manufacturer="Asagiri Optics",
        model="AX 50",
        digital=False,
        photometric="MONOCHROME1",
        bits_stored=12,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        lateral_words=(("RL", 0.70), ("LL", 0.30)),
        private_creator="Asagiri Optics Inc.",
        image_type=(),
        character_set=None,
        lossy=False,
        tube_voltages=((115.0, 0.44), (125.0, 0.38), (110.0, 0.12), (120.0, 0.06)),
    ),
    Machine(
        name="slot scanner with three windows",
        images=26,
        manufacturer="Tessel Diagnostics",
        model="Tessel DX",
        digital=True,
        photometric="MONOCHROME2",
        presentation_lut_shape="IDENTITY",
        bits_stored=14,
        voi=Voi.WINDOWS_AND_LUT,
        shown=Range.CHOSEN,
        rescale_kind="US",
        states_orientation=True,
        spacing=Spacing.IMAGER,
        burned_in_annotation="NO",
        private_creator="Tessel 5.1",
        image_type=("ORIGINAL", "PRIMARY", ""),
        tube_voltages=((120.0, 1.0),),
        lut_explanations=(("SOFTER", 1.0),),
        flipped=True,
    ),
    Machine(
        name="full window, bone dark",
        images=25,
        manufacturer="Ostrava X-Ray",
        model="Bucky 7",
        digital=False,
        photometric="MONOCHROME1",
        bits_stored=12,
        voi=Voi.WINDOW,
        shown=Range.FULL,
        rescale_kind="US",
        lateral_words=(("LATERAL", 1.0),),
        states_orientation=True,
        burned_in_annotation="NO",
        tube_voltages=((117.0, 0.6), (120.0, 0.4)),
    ),
)
