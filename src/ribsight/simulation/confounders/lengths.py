"""Parts of confounders -> mm of each material along the ray of every pixel.

Each part is scanned only where it is: on a camera cropped to its pixels.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from ribsight.simulation.confounders.part import Part
from ribsight.simulation.projection.camera import Camera
from ribsight.simulation.projection.film import FINE
from ribsight.simulation.projection.raster import Lengths, path_length, pixel_box


def confounder_lengths(parts: Sequence[Part], camera: Camera) -> dict[str, Lengths]:
    """Return (H, W) mm by material; empty if there are no parts in the field.

    Parts in air also count as soft tissue: `projection.film.combined` takes soft tissue away
    wherever there is something harder, and there is none where they are.
    """
    total: dict[str, Lengths] = {}
    for part in parts:
        left, top, right, bottom = pixel_box(part.mesh, camera, margin=1)
        if right <= left or bottom <= top:
            continue
        fine = path_length(part.mesh, camera.cropped(left, top, right, bottom).at(FINE))
        lengths = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        lengths = np.float32(part.density) * lengths
        names = {part.material, "soft_tissue"} if part.in_air else {part.material}
        for name in sorted(names):
            if name not in total:
                total[name] = np.zeros((camera.height, camera.width), np.float32)
            total[name][top:bottom, left:right] += lengths
    return total
