"""Which way the X-rays went: DICOM's words, vendors' words, and the patient's orientation."""

import re

from pydicom.dataset import Dataset

from ribsight.radiographs.attributes import items, text, words
from ribsight.radiographs.radiograph import View, ViewSource

# Defined terms of PS3.3 (CR and DX), then what devices and archives write in their place.
_WORDS: dict[View, frozenset[str]] = {
    View.PA: frozenset({"PA", "POSTEROANTERIOR", "POSTERIORANTERIOR", "POSTERIOANTERIOR"}),
    View.AP: frozenset({"AP", "ANTEROPOSTERIOR", "ANTERIORPOSTERIOR", "ANTERIOPOSTERIOR"}),
    View.OBLIQUE: frozenset(
        {"RLO", "LLO", "RAO", "LAO", "RPO", "LPO", "OBL", "OBLIQUE", "OBLICUA", "OBLICUO", "SCHRÄG"}
    ),
    View.LATERAL: frozenset(
        {"LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT", "LATERALE", "LATERALIS", "PROFIL", "PERFIL",
         "SEITLICH"}
    ),
    View.FRONTAL: frozenset({"FRONTAL", "CORONAL", "FRONTALE"}),
}  # fmt: skip
# Lying on the side, the beam still goes through front and back.
_DECUBITUS = frozenset({"LLD", "RLD", "DECUBITUS", "DECUBITO"})


def read_view(dataset: Dataset, notes: list[str]) -> tuple[View | None, ViewSource | None]:
    """Return the view and the attribute that says it, both None if none does.

    ViewPosition is believed first, then ViewCodeSequence, then PatientOrientation. A contradiction
    and a picture that is not upright with the patient's left on its right are noted in `notes`.
    """
    oriented = _orientation(dataset, notes)
    candidates: tuple[tuple[str | None, ViewSource], ...] = (
        (" ".join(words(dataset, "ViewPosition")), "ViewPosition"),
        *((text(item, "CodeMeaning"), "ViewCodeSequence") for item in _view_codes(dataset)),
    )
    for said, source in candidates:
        view = view_of_words(said or "")
        if view is not None:
            if oriented is not None and (oriented is View.LATERAL) != (view is View.LATERAL):
                notes.append(f"{source} says {view}, but PatientOrientation says {oriented}")
            return view, source
    return (oriented, "PatientOrientation") if oriented else (None, None)


def view_of_words(said: str) -> View | None:
    """Return the view that words such as `LARGE LATERAL` or `postero-anterior` mean, or None."""
    said = said.upper()
    parts = {*re.split(r"\W+", said), *re.split(r"\W+", said.replace("-", ""))}
    if parts & _DECUBITUS:
        return View.FRONTAL
    meant = {view for view, meaning in _WORDS.items() if parts & meaning}
    if meant == {View.PA, View.AP}:
        return View.FRONTAL
    if View.OBLIQUE in meant:
        return View.OBLIQUE
    return meant.pop() if len(meant) == 1 else None


def _view_codes(dataset: Dataset) -> list[Dataset]:
    return items(dataset, "ViewCodeSequence")[:1]


def _orientation(dataset: Dataset, notes: list[str]) -> View | None:
    """Return what the patient's directions along rows and columns say of the view."""
    directions = [one[:1] for one in words(dataset, "PatientOrientation")]
    if len(directions) != 2:
        return None
    across = {*directions} - {"F", "H"}
    if len(across) != 1 or not across <= {"L", "R", "A", "P"}:
        return None
    view = View.FRONTAL if across <= {"L", "R"} else View.LATERAL
    if directions[1] != "F":
        notes.append("PatientOrientation says that the picture is not upright: used as stored")
    elif directions[0] == "R":
        notes.append("PatientOrientation says that the picture is mirrored: used as stored")
    return view
