"""AFROC and wAFROC: lesions against normal images, without operating points.

AFROC AUC = mean over (normal image k, lesion l) of psi(f_k, r_l), where f_k is the highest score of
a mark on image k, r_l the score of the mark that hits lesion l, -inf where there is none, and psi
= 1, 1/2, 0 for f_k <, =, > r_l. In the wAFROC the lesions of an image share one unit of weight, so
an image with ten lesions counts as much as one with a single lesion. AFROC1 and wAFROC1 take k over
all images, those with lesions too: they punish false marks there, and need no normal image, but a
detector is then held against its own lesions' images. Chakraborty, *Observer Performance Methods
for Diagnostic Imaging* (2017); Chakraborty and Zhai, Medical Physics 43 (2016).
"""

import numpy as np

from ribsight.errors import RibsightError
from ribsight.evaluation.curves import Floats
from ribsight.evaluation.froc import false_marks
from ribsight.evaluation.matching import MatchTable, Outcome
from ribsight.evaluation.ranking import Ranked, area, passed, rank
from ribsight.evaluation.truth import NEGATIVE, Truth


def rank_lesions(
    table: MatchTable, truth: Truth, *, weighted: bool, all_images: bool = False
) -> Ranked:
    """Return all lesions ranked against images by their highest false mark.

    Args:
        table: of the truth.
        truth: N images with L regions.
        weighted: for the wAFROC.
        all_images: rank against all located images (AFROC1), not only those without the finding.

    Raises:
        RibsightError: no lesion, or no image without the finding.
    """
    if not len(truth.region_image):
        raise RibsightError(f"AFROC is not defined: no region of '{truth.finding}' is drawn")
    normal = np.flatnonzero(truth.located if all_images else truth.state == NEGATIVE)
    if not len(normal):
        raise RibsightError(f"AFROC is not defined: no image without '{truth.finding}'")
    false = false_marks(table, table.protocol)
    highest = np.full(len(truth.images), -np.inf)
    np.maximum.at(highest, table.image[false], table.score[false])
    share = 1 / truth.lesions[truth.region_image] if weighted else None
    return rank(lesion_scores(table, truth), truth.region_image, highest[normal], normal, share)


def lesion_scores(table: MatchTable, truth: Truth) -> Floats:
    """Return (L,) score of the mark that hits each region, -inf if none does."""
    hits = table.outcome == Outcome.HIT
    scores = np.full(len(truth.region_image), -np.inf)
    scores[table.region[hits]] = table.score[hits]
    return scores


def afroc_auc(
    table: MatchTable, truth: Truth, *, weighted: bool = True, all_images: bool = False
) -> float:
    """Return the area under the wAFROC (or AFROC) curve. Arguments and errors: `rank_lesions`."""
    ranked = rank_lesions(table, truth, weighted=weighted, all_images=all_images)
    return float(area(passed(ranked, np.ones((1, len(truth.images)))))[0])
