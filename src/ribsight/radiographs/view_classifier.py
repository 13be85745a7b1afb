"""What an image looks like: a chest from the front, a chest from the side, or something else.

A small convolutional network, run with numpy, for images whose header does not say what they show.
`tools/train_view_classifier.py` makes its weights; `docs/eligibility.md` says what it was trained
on, how well it does, and where it must not be trusted.
"""

from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Literal

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ribsight.radiographs.eligibility import Eligibility, Kind, Policy
from ribsight.radiographs.radiograph import Pixels

Turn = Literal[0, 90, 180, 270]

SIDE = 64
"""Pixels of each side of what the network sees."""

_WEIGHTS = "view_classifier.npz"
_KERNEL = 3
_STRIDE = 2
_TURNS: tuple[Turn, ...] = (0, 90, 180, 270)
_REACH = 6.0

REFUSING = 0.05
"""Probability of a chest from the front below which pixels say that an image is none."""
NOTICING = 0.9
"""Probability from which a turn or exchanged light and dark is worth a warning."""


@dataclass(frozen=True)
class Look:
    """What an image looks like.

    Attributes:
        frontal, lateral, other: probabilities with sum 1 of a chest from the front, a chest from
            the side, anything else.
        turn: degrees clockwise by which the picture seems turned.
        turn_probability: of that turn.
        inverted: probability that bone is dark.
    """

    frontal: float
    lateral: float
    other: float
    turn: Turn
    turn_probability: float
    inverted: float

    @property
    def is_refused(self) -> bool:
        """Whether it is most probably no chest from the front."""
        return self.frontal < REFUSING

    def warnings(self) -> tuple[str, ...]:
        """Return what is worth a look, one sentence each; nothing for what is no chest."""
        if self.frontal < 0.5:
            return ()
        turned = self.turn and self.turn_probability >= NOTICING
        return (
            *([f"the picture seems turned by {self.turn} degrees clockwise"] if turned else []),
            *(["bone seems dark: light and dark may be exchanged"]
              if self.inverted >= NOTICING else []),
        )  # fmt: skip


def look_at(pixels: Pixels) -> Look:
    """Return what (H, W) samples of an image look like."""
    kinds, turns, inverted = _run(network_input(pixels))
    kind, turn = _softmax(kinds), _softmax(turns)
    likeliest = int(turn.argmax())
    return Look(
        frontal=float(kind[0]),
        lateral=float(kind[1]),
        other=float(kind[2]),
        turn=_TURNS[likeliest],
        turn_probability=float(turn[likeliest]),
        inverted=float(1 / (1 + np.exp(-inverted))),
    )


def judged_by_pixels(said: Eligibility, pixels: Pixels, policy: Policy) -> Eligibility:
    """Return the eligibility of an image whose header leaves it open, after a look at its pixels.

    What the header settles stays. Pixels refuse only below a probability of `REFUSING`, because a
    film that is wrongly refused is not read, whereas one that is wrongly let through carries this
    reason. They never vouch for what the header does not say: what they let through keeps its kind.
    """
    if not said.is_doubtful:
        return said
    look = look_at(pixels)
    source = f"{said.source} + pixels"
    if look.is_refused:
        kind: Kind = "lateral_chest" if look.lateral > look.other else "other_body_part"
        name = "a chest from the side" if kind == "lateral_chest" else "no chest"
        reason = f"{said.reason}, pixels look like {name} ({max(look.lateral, look.other):.2f})"
        return Eligibility(kind in policy.kinds, kind, reason, source)
    doubt = "pixels look like" if look.frontal >= 0.5 else "pixels hardly look like"
    reason = f"{said.reason}, {doubt} a chest from the front ({look.frontal:.2f})"
    return replace(said, reason=reason, source=source)


def network_input(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the (2, SIDE, SIDE) planes that the network sees of (H, W) samples.

    The image is squeezed to a square. The first plane holds the rank of each pixel among all, so
    no brightness, contrast or gamma matters; the second the difference from its surroundings in
    local standard deviations.
    """
    small = np.asarray(pixels, np.float32)
    kernel = cv2.INTER_AREA if min(small.shape) >= SIDE else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=kernel), np.float32)
    _, place, counts = np.unique(small, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    rank = (middle[place] / small.size).reshape(small.shape).astype(np.float32)
    centred = rank - cv2.GaussianBlur(rank, (0, 0), _REACH)
    deviation = np.sqrt(cv2.GaussianBlur(centred**2, (0, 0), _REACH) + np.float32(1e-3))
    return np.stack([2 * rank - 1, (centred / deviation).clip(-3, 3)]).astype(np.float32)


@cache
def _weights() -> dict[str, NDArray[np.float32]]:
    file = resources.files("ribsight.radiographs").joinpath(_WEIGHTS)
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def _run(planes: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return three logits of kinds, four of turns, and that of inversion."""
    weights = _weights()
    layer = 0
    while f"convolution{layer}" in weights:
        kernel, bias = weights[f"convolution{layer}"], weights[f"bias{layer}"]
        planes = np.maximum(_convolved(planes, kernel) + bias[:, None, None], 0)
        layer += 1
    logits = weights["linear"] @ planes.ravel() + weights["bias"]
    return logits[:3], logits[3:7], float(logits[7])


def _convolved(planes: NDArray[np.float32], kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlate (C, H, W) with (D, C, 3, 3) at every second pixel, zeros around: (D, H/2, W/2)."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (_KERNEL, _KERNEL), axis=(1, 2))
    found = windows[:, ::_STRIDE, ::_STRIDE].transpose(1, 2, 0, 3, 4)
    flat = found.reshape(*found.shape[:2], -1) @ kernel.reshape(len(kernel), -1).T
    return np.ascontiguousarray(flat.transpose(2, 0, 1))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), np.float32)
