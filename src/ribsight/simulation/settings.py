"""Everything that decides what a registry holds, besides the number of patients."""

from typing import Annotated, Literal

from pydantic import Field

from ribsight.settings import Settings
from ribsight.simulation.fractures.prior import FractureSettings
from ribsight.simulation.paper.settings import RecordSettings

Share = Annotated[float, Field(ge=0, le=1)]


class FilmSettings(Settings):
    """Which films are taken.

    Attributes:
        size: pixels of each side.
        supine_share: share of patients whose frontal film is AP, lying in bed.
        lateral_share: share of erect patients who get a lateral film as well.
        oblique_share: share of patients with thoracic pain who get an oblique rib view as well.

    """

    size: Annotated[int, Field(ge=128, le=4096)] = 512
    supine_share: Share = 0.35
    lateral_share: Share = 0.5
    oblique_share: Share = 0.1


class CtSettings(Settings):
    """A CT from which all patients are made.

    Attributes:
        sha256: of volume, label map and table of names, so that patients of another CT are not
            mixed in.

    """

    sha256: str


class RegistrySettings(Settings):
    """A registry.

    Attributes:
        seed: patient i is a function of (seed, i) and of these settings, of nothing else.
        drawn: patients of the training share whose fractures the expert drew.
        coding_system: of the diagnosis codes.
        transfer_syntax: of the DICOM files.
        fractures: how often what breaks.
        films: which films are taken.
        records: how often records go wrong.
        ct: None for patients from nothing.

    """

    # Short enough for accession numbers, which DICOM gives 16 characters.
    seed: Annotated[int, Field(ge=0, le=99_999_999)] = 0
    drawn: Annotated[int, Field(ge=0)] = 50
    coding_system: Literal["icd-10-cm", "icd-9-cm"] = "icd-10-cm"
    transfer_syntax: Literal["explicit", "jpeg-ls", "jpeg-2000", "rle"] = "explicit"
    fractures: FractureSettings = FractureSettings()
    films: FilmSettings = FilmSettings()
    records: RecordSettings = RecordSettings()
    ct: CtSettings | None = None
