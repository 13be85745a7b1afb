"""Draw what lies in five DICOM files of one film above what is read from them.

    python tools/draw_radiographs.py FILM.dcm docs/images/radiographs.png

FILM.dcm is any frontal radiograph, for example of `ribsight simulate`. Its picture is stored in
five ways that devices have; all of them must come out alike.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from films import content, encoded, lookup_table
from numpy.typing import NDArray
from pydicom import uid

from ribsight.radiographs import Preprocessing, preprocess, read_radiograph
from ribsight.radiographs.read import read_content

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

Stored = tuple[str, NDArray[Any], dict[str, Any]]

BOX = np.array([[0.60, 0.32, 0.74, 0.46]])


def variants(shown: NDArray[np.float64]) -> list[Stored]:
    """Return title, stored values and header of each file; `shown` is (H, W) from 0 to 1."""
    height, width = shown.shape
    table = 65535 * np.linspace(0, 1, 3000) ** 0.5
    negative = 700 + 2999 * (1 - shown) ** 2
    windowed = 1000 + 800 * shown
    bordered = np.full((height * 5 // 4, width * 5 // 4), 4095.0)
    top, left = height // 8, width // 8
    bordered[top : top + height, left : left + width] = 600 + 1500 * shown
    letter = np.zeros(bordered.shape, np.uint8)
    cv2.putText(letter, "R", (8, height // 10), cv2.FONT_HERSHEY_SIMPLEX, height / 600, 1, 3)
    bordered[letter > 0] = 0
    detector = 60000 * np.exp(-4.5 * shown)
    side = np.rot90(bordered)
    return [
        ("MONOCHROME1 with a\nlookup table", negative, {
            "BitsStored": 12, "PhotometricInterpretation": "MONOCHROME1",
            "VOILUTSequence": [lookup_table(700, table)]}),
        ("a window in the\nmiddle of the range", windowed, {
            "BitsStored": 12, "WindowCenter": 1400, "WindowWidth": 800}),
        ("a collimated border,\nno window", bordered, {"BitsStored": 12}),
        ("a detector's own values\n(for processing)", detector, {
            "BitsStored": 16, "SOPClassUID": uid.DigitalXRayImageStorageForProcessing,
            "PixelIntensityRelationship": "LIN", "PixelIntensityRelationshipSign": 1}),
        ("lying on its side; turned\nand cropped on request", side, {
            "BitsStored": 12, "PatientOrientation": ["F", "R"]}),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("picture", type=Path)
    wanted = parser.parse_args()
    shown = read_radiograph(wanted.film).unit_pixels().astype(np.float64)
    drawn = variants(shown)
    figure, axes = plt.subplots(2, len(drawn), figsize=(11, 5), layout="constrained")
    for column, (title, values, header) in enumerate(drawn):
        stored = np.rint(values).astype(np.uint16)
        file = content(encoded(stored, uid.ExplicitVRLittleEndian, header))
        radiograph = read_content(file, title)
        asked = column == len(drawn) - 1
        preprocessing = Preprocessing(
            512,
            orientation="from_header" if asked else "as_stored",
            crop="collimation" if asked else "none",
        )
        network, affine = preprocess(radiograph, preprocessing)
        axes[0, column].imshow(stored, cmap="gray")
        axes[0, column].set_title(title, fontsize=9)
        axes[1, column].imshow(network, cmap="gray", vmin=0, vmax=255)
        if asked:
            x0, y0, x1, y1 = 512 * BOX[0]
            for axis, box in ((1, (x0, y0, x1, y1)),
                              (0, affine.boxes_to_stored(512 * BOX)[0])):  # fmt: skip
                corner, size = box[:2], (box[2] - box[0], box[3] - box[1])
                axes[axis, column].add_patch(Rectangle(corner, *size, fill=False, color="orange"))
    axes[0, 0].set_ylabel("stored values")
    axes[1, 0].set_ylabel("read")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(wanted.picture, dpi=90)


if __name__ == "__main__":
    main()
