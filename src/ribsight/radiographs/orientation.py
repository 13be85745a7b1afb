"""How stored pixels lie: what would turn them so that the patient is upright, left on the right."""

from collections.abc import Sequence

from ribsight.radiographs.radiograph import Orientation, Pixels

_OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
# EXIF's eight values: what to do to the stored pixels so that they stand upright.
_EXIF = {
    2: Orientation(mirrored_x=True),
    3: Orientation(mirrored_x=True, mirrored_y=True),
    4: Orientation(mirrored_y=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, mirrored_x=True),
    7: Orientation(transposed=True, mirrored_x=True, mirrored_y=True),
    8: Orientation(transposed=True, mirrored_y=True),
}


def orientation_of_patient(directions: Sequence[str]) -> Orientation | None:
    """Return what makes the picture upright, from the patient's directions along row and column.

    A frontal picture ends with the patient's left on its right. A lateral one is turned, never
    mirrored, because it may face either way.

    Args:
        directions: of increasing columns and of increasing rows, as PatientOrientation gives
            them: `L`, `R`, `A`, `P`, `H` or `F`, the first letter counts.

    Returns:
        None if they say nothing or something impossible.
    """
    letters = [one[:1] for one in directions]
    if len(letters) != 2 or any(one not in _OPPOSITE for one in letters):
        return None
    across, down = letters
    transposed = across in ("H", "F")
    if transposed:
        across, down = down, across
    if down not in ("H", "F") or across in ("H", "F"):
        return None
    mirrored_y = down == "H"
    is_lateral = across in ("A", "P")
    mirrored_x = transposed != mirrored_y if is_lateral else across == "R"
    return Orientation(transposed, mirrored_x, mirrored_y)


def orientation_of_exif(value: int) -> Orientation:
    """Return what an EXIF orientation asks for; nothing if it is none of the eight."""
    return _EXIF.get(value, Orientation())


def turned(pixels: Pixels, orientation: Orientation) -> Pixels:
    """Return a view of (H, W) pixels that is turned as `orientation` says."""
    if orientation.transposed:
        pixels = pixels.T
    if orientation.mirrored_x:
        pixels = pixels[:, ::-1]
    if orientation.mirrored_y:
        pixels = pixels[::-1]
    return pixels
