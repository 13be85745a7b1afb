"""Parameters of the methods: the part of a recipe that only one row of the table reads."""

from typing import Annotated

from pydantic import Field, model_validator

from ribsight.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class AalsSettings(Settings):
    """Adaptive asymmetric label sharpening: see `distillation.sharpening`."""

    a0: float = 4.0
    t: float = 0.4


class BaselineSettings(Settings):
    """Parameters of the methods that AALS is compared with; the defaults are the published ones.

    Attributes:
        pseudo_threshold: of `pseudo_labels`: the more probable of two classes (Lee 2013).
        ensemble_decay: alpha of `temporal_ensembling` (Laine & Aila 2017).
        confidence: of `fixmatch`: least probability of a pixel's hard label (Sohn et al. 2020).
        temperature: of `temperature` (MixMatch, Berthelot et al. 2019).
        image_weight: of the record, positive or negative, in `multiple_instance`, `log_sum_exp`,
            `noisy_or` and `pcam`, against the maps, whose loss is a mean over cells and therefore
            a hundredth of an image's.
        sharpness: r of `log_sum_exp` (ChestX-ray8, Wang et al. 2017).
        patch_cells: patches a side of `patches` (Li et al. 2018).
        patch_region_weight: of drawn images in `patches` (Li et al. 2018).

    """

    pseudo_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    ensemble_decay: Annotated[float, Field(ge=0, lt=1)] = 0.6
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.5
    image_weight: Annotated[float, Field(gt=0)] = 0.02
    sharpness: Annotated[float, Field(gt=0)] = 10.0
    patch_cells: Annotated[int, Field(ge=1)] = 16
    patch_region_weight: Annotated[float, Field(gt=0)] = 5.0


class RibsightSettings(Settings):
    """Parameters of the method `ribsight`: AALS, changed where it is known to be weak.

    Attributes:
        a0: strength of the sharpening where the teacher sees nothing.
        t: its centre.
        reach: map cells around a site within which its maximum decides how strongly it is
            sharpened; 0: the maximum of the image, as in AALS.
        centre_share: the centre t is at most this share of the image's highest probability, so
            that the most suspicious site of every record-positive is raised; 0: t as it is.
        unsure_from: pixels of a record-positive between this probability and t are neither
            lesion nor background: they count nothing. 1: none is unsure, as in AALS.
        image_weight: of the record itself, against the map: -log of the map's maximum m where it
            says positive.
        negative_weight: the same where it says negative, -log(1 - m): the worst false alarm.
        side_margin: where the record names a side, a lesion can lie in that half of the picture
            and this share of the width beyond the middle; 1: anywhere.
        first_rib: where the record names ribs (`left 4`): height of the first rib's fractures in
            the picture, as a share of it from above. Drawn radiographs that name ribs move it.
        first_rib_weight: of `first_rib` against these, counted in radiographs; very large: they
            do not move it.
        rib_distance: between neighbouring ribs, likewise.
        rib_spread: half the height of the band in which a named rib's fracture lies, likewise; 0:
            rib numbers are not used.
        named_share: each named place is sharpened on its own, with its own highest probability
            and a centre of at most this share of it, so that every named fracture is raised.

    """

    a0: float = 2.0
    t: float = 0.2
    reach: Annotated[int, Field(ge=0)] = 8
    centre_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    unsure_from: Annotated[float, Field(gt=0, le=1)] = 0.02
    image_weight: Annotated[float, Field(ge=0)] = 0.06
    negative_weight: Annotated[float, Field(ge=0)] = 0.06
    side_margin: Share = 0.1
    first_rib: Annotated[float, Field(ge=-1, le=1)] = 0.16
    first_rib_weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    rib_distance: Annotated[float, Field(ge=0, le=1)] = 0.075
    rib_spread: Share = 0.15
    named_share: Annotated[float, Field(gt=0, lt=1)] = 0.5


class PredictiveValues(Settings):
    """How far the records of one finding are to be believed, as an audit measures it.

    Attributes:
        positive_predictive_value: share of record-positive studies that have the finding.
        negative_predictive_value: share of record-negative studies that have it not.

    """

    positive_predictive_value: Annotated[float, Field(gt=0, le=1)] = 1.0
    negative_predictive_value: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _records_tell_something(self) -> "PredictiveValues":
        if self.positive_predictive_value + self.negative_predictive_value <= 1:
            raise ValueError(
                "the two predictive values must sum to more than 1: else a positive record makes "
                "the finding no likelier than a negative one"
            )
        return self
