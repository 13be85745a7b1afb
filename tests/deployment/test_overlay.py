"""Every radiograph gets a picture of its own."""

from pathlib import Path

import numpy as np

from ribsight.deployment.overlay import write_overlay
from ribsight.evaluation.predictions import FindingPrediction, ImagePrediction, Mark
from ribsight.radiographs.radiograph import Radiograph


def test_names_that_are_alike_without_their_signs_are_pictures_of_their_own(
    tmp_path: Path,
) -> None:
    uid = "1." + "2" * 62
    ids = ["a 1", "a_1", "a (1)", "p/1_2", "p_1/2", "_a_1", "Sch\u00e4del", "..", uid, "x" * 300]
    radiograph = Radiograph(np.zeros((40, 40), np.uint8), 8)
    said = {"rib_fracture": FindingPrediction(0.5, (Mark(20, 20, (10, 10, 30, 30), 0.5),))}
    for id_ in ids:
        image = ImagePrediction(id_, f"{id_}.png", 40, 40, said)
        write_overlay(image, radiograph, tmp_path, {}, 0.2)
    written = {one.name for one in tmp_path.iterdir()}
    assert len(written) == len(ids)
    # What can name a file does.
    assert {"a_1.png", "Sch\u00e4del.png", f"{uid}.png"} <= written
