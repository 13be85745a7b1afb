"""Confounders by name -> their parts on one film."""

from collections.abc import Callable, Sequence

import numpy as np

from ribsight.simulation.anatomy.chest import Chest
from ribsight.simulation.confounders import clothing, implants, mimics, monitoring, plates, tubes
from ribsight.simulation.confounders.part import Part, Setting
from ribsight.simulation.truth import Confounder, Fracture, View

Builder = Callable[[Setting, np.random.Generator], list[Part]]

BUILDERS: dict[Confounder, Builder] = {
    Confounder.ECG_LEADS: monitoring.ecg_leads,
    Confounder.CENTRAL_LINE: tubes.central_line,
    Confounder.ENDOTRACHEAL_TUBE: tubes.endotracheal_tube,
    Confounder.GASTRIC_TUBE: tubes.gastric_tube,
    Confounder.CHEST_TUBE: tubes.chest_tube,
    Confounder.PACEMAKER: implants.pacemaker,
    Confounder.STERNAL_WIRES: implants.sternal_wires,
    Confounder.SURGICAL_CLIPS: implants.surgical_clips,
    Confounder.CLAVICLE_PLATE: plates.clavicle_plates,
    Confounder.RIB_PLATE: plates.rib_plates,
    Confounder.NECKLACE: clothing.necklace,
    Confounder.BRA_CLIPS: clothing.bra_clips,
    Confounder.BUTTONS: clothing.buttons,
    Confounder.CALCIFIED_CARTILAGE: mimics.calcified_cartilage,
    Confounder.BONE_ISLAND: mimics.bone_islands,
    Confounder.NUTRIENT_GROOVE: mimics.nutrient_grooves,
    Confounder.COMPANION_SHADOW: mimics.companion_shadows,
    Confounder.SKIN_FOLD: mimics.skin_folds,
    Confounder.NIPPLE_SHADOW: mimics.nipple_shadows,
}

LOOSE = {Confounder.ECG_LEADS, Confounder.NECKLACE, Confounder.BUTTONS, Confounder.SKIN_FOLD}
"""What lies differently on every film; the rest stays where it is."""


def confounder_parts(
    confounders: Sequence[Confounder],
    chest: Chest,
    fractures: tuple[Fracture, ...],
    view: View,
    random: np.random.Generator,
) -> list[Part]:
    """Return what the confounders consist of, in the chest's coordinates.

    Each confounder has a random stream of its own, so it does not depend on the others. Give the
    films of one patient generators of the same seed: what is implanted stays where it is, and
    what lies loose on the skin moves with the view.

    Args:
        confounders: the patient's, see `draw_confounders`.
        chest: the patient's, as it is held on this film.
        fractures: all of the patient's; the fixed ones say where plates lie.
        view: of the film.
        random: one number is drawn, whatever there is to place.

    """
    seed = int(random.integers(2**63))
    setting = Setting(chest, fractures, view)
    parts: list[Part] = []
    for confounder in confounders:
        key = [seed, list(Confounder).index(confounder)]
        if confounder in LOOSE:
            key.append(list(View).index(view))
        parts += BUILDERS[confounder](setting, np.random.default_rng(key))
    return parts
