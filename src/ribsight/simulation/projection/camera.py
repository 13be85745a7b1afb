"""Point source and flat detector: where a point of the patient falls on the film."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ribsight.simulation.truth import View

SOURCE_TO_DETECTOR = {
    View.PA_ERECT: 1800.0,
    View.AP_SUPINE: 1100.0,
    View.OBLIQUE_LEFT: 1800.0,
    View.OBLIQUE_RIGHT: 1800.0,
    View.LATERAL: 1800.0,
}
"""mm: 180 cm for the wall stand, 110 cm above a bed."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A cone beam.

    Attributes:
        source: (3,) mm, the focal spot.
        centre: (3,) mm, the middle of the detector.
        right, down: (3,) unit vectors of the film as it is displayed.
        pixel_spacing: mm at the detector.
        height, width: pixels.

    """

    source: NDArray[np.float64]
    centre: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]
    pixel_spacing: float
    height: int
    width: int

    @property
    def axis(self) -> NDArray[np.float64]:
        """Unit vector of the central ray, from the source toward the detector's plane."""
        (a, b, c), (x, y, z) = self.right.tolist(), self.down.tolist()
        normal = np.array([b * z - c * y, c * x - a * z, a * y - b * x])
        along: NDArray[np.float64] = normal if normal @ (self.centre - self.source) > 0 else -normal
        return along

    @property
    def source_to_detector(self) -> float:
        """Mm from the source to the plane of the detector."""
        return float(self.axis @ (self.centre - self.source))

    def project(self, points: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where points (N, 3) fall, and how far they are from the source.

        Returns:
            (N, 2) x, y in pixels (origin at the top-left corner of the top-left pixel), and
            (N,) distances from the source in mm.

        """
        rays = np.asarray(points, dtype=np.float64) - self.source
        scale = self.source_to_detector / (rays @ self.axis)
        on_plane = rays * scale[:, None] - (self.centre - self.source)
        pixels = np.stack([on_plane @ self.right, on_plane @ self.down], axis=1)
        pixels = pixels / self.pixel_spacing + np.array([self.width, self.height]) / 2
        return pixels, np.linalg.norm(rays, axis=1)

    def pixel_centres(self) -> NDArray[np.float64]:
        """Return the middle of every pixel in mm, (H, W, 3)."""
        x = (np.arange(self.width) + 0.5 - self.width / 2) * self.pixel_spacing
        y = (np.arange(self.height) + 0.5 - self.height / 2) * self.pixel_spacing
        return self.centre + x[None, :, None] * self.right + y[:, None, None] * self.down

    def cropped(self, left: int, top: int, right: int, bottom: int) -> "Camera":
        """Return the camera of a rectangle of pixels; right and bottom are the first outside."""
        across = ((left + right) / 2 - self.width / 2) * self.pixel_spacing
        below = ((top + bottom) / 2 - self.height / 2) * self.pixel_spacing
        centre = self.centre + across * self.right + below * self.down
        return replace(self, centre=centre, height=bottom - top, width=right - left)

    def at(self, factor: float) -> "Camera":
        """Return the same camera with `factor` times as many pixels along each side."""
        height, width = round(self.height * factor), round(self.width * factor)
        return Camera(
            self.source, self.centre, self.right, self.down,
            self.pixel_spacing * self.width / width, height, width,
        )  # fmt: skip


def rotation_about(axis: ArrayLike, degrees: float) -> NDArray[np.float64]:
    """Return the (3, 3) rotation about an axis through the origin (Rodrigues)."""
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    turn: NDArray[np.float64] = (
        np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    )
    return turn


def camera_for(
    view: View,
    *,
    target: ArrayLike,
    detector_gap: float,
    field: float,
    size: int,
    rotation: float = 0.0,
    tilt: float = 0.0,
    roll: float = 0.0,
) -> Camera:
    """Return the camera of a view: films are displayed with the patient's left on the right.

    Args:
        view: where the detector stands: before the chest (PA), behind the back (AP), turned by
            45 degrees (obliques), at the left side (lateral).
        target: (3,) mm, the point of the patient that the central ray aims at.
        detector_gap: mm from `target` to the detector.
        field: mm, length of the detector's longer side.
        size: pixels of that side; the detector is square.
        rotation: degrees the patient is turned about the body's axis, away from the ideal.
        tilt: degrees the beam comes from above (positive) or below.
        roll: degrees the patient leans in the film's plane.

    """
    turn = {
        View.PA_ERECT: 0.0,
        View.AP_SUPINE: 180.0,
        View.OBLIQUE_LEFT: -45.0,
        View.OBLIQUE_RIGHT: 45.0,
        View.LATERAL: 90.0,
    }[view]
    about_z = rotation_about((0, 0, 1), turn + rotation)
    toward_detector = about_z @ np.array([0.0, -1.0, 0.0])
    sideways = about_z @ np.array([1.0, 0.0, 0.0])
    pitch = rotation_about(sideways, tilt)
    toward_detector, down = pitch @ toward_detector, pitch @ np.array([0.0, 0.0, -1.0])
    right = -sideways if view is View.AP_SUPINE else sideways
    lean = rotation_about(toward_detector, roll)
    target = np.asarray(target, dtype=np.float64)
    distance = SOURCE_TO_DETECTOR[view]
    return Camera(
        source=target - toward_detector * (distance - detector_gap),
        centre=target + toward_detector * detector_gap,
        right=lean @ right,
        down=lean @ down,
        pixel_spacing=field / size,
        height=size,
        width=size,
    )
