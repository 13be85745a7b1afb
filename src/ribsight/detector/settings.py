"""What describes a detector apart from its weights."""

from typing import Annotated, Literal

from pydantic import Field

from ribsight.radiographs.preprocess import Preprocessing
from ribsight.settings import Settings

STRIDE = 4
"""Network pixels per map cell."""


class NetworkSettings(Settings):
    """Backbone, pyramid and head.

    Attributes:
        backbone: a timm model that offers features at strides 4, 8, 16 and 32.
        weights: "imagenet" (an installed weights package, else timm's download), "none" (random),
            the path of a safetensors file for that timm model, or that of a run or model folder
            of ribsight: then backbone, pyramid, and the head of findings of the same name.
        pyramid_channels: width of the feature pyramid; a multiple of 8 (groups of its norm).
        pyramid_norm: "group" (its statistics are those of the whole view), or "pixel" (of the
            channels of each pixel): a crop then says of a place what the whole image says.
        batch_norm: "frozen" keeps the running statistics of the weights (right for small batches,
            and the same on any number of processes); "batch" uses each batch's own.
        frozen_levels: how many leading feature levels (stride 2, stride 4, ...) are not trained.
        prior: probability that the untrained head gives everywhere.

    """

    backbone: str = "tf_efficientnet_lite0"
    weights: str = "imagenet"
    pyramid_channels: Annotated[int, Field(ge=8, multiple_of=8)] = 64
    pyramid_norm: Literal["group", "none", "pixel"] = "group"
    batch_norm: Literal["frozen", "batch"] = "frozen"
    frozen_levels: Annotated[int, Field(ge=0)] = 0
    prior: Annotated[float, Field(gt=0, lt=0.5)] = 0.01


class MarkSettings(Settings):
    """How marks are read off a probability map.

    Attributes:
        minimum_score: peaks below it are no marks; low, because FROC needs the tail.
        separation: least distance between two marks, as a share of the map's side.
        box_level: the box surrounds the cells around the peak above this share of its score.
        most: at most this many marks on an image, per finding.

    """

    minimum_score: Annotated[float, Field(ge=0, le=1)] = 0.005
    separation: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    box_level: Annotated[float, Field(gt=0, lt=1)] = 0.5
    most: Annotated[int, Field(ge=1)] = 20


class ImageSettings(Settings):
    """What pixels the network sees.

    Attributes:
        size: side of the square network image in pixels, a multiple of 32.
        bits: of the cached samples, 8 or 16.
        local_contrast: reach in network pixels within which brightness and contrast are made
            equal (`radiographs.preprocess.equalised`); 0 leaves intensities as they are. For
            faint lesions under strong shadows, as ribs have them; about a rib's width.

    """

    size: Annotated[int, Field(ge=64, le=4096, multiple_of=32)] = 320
    bits: Literal[8, 16] = 8
    local_contrast: Annotated[int, Field(ge=0, le=256)] = 0

    @property
    def preprocessing(self) -> Preprocessing:
        """The pixel pipeline."""
        return Preprocessing(self.size, self.bits, self.local_contrast)
