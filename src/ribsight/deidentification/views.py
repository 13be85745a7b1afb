"""The view in words of the standard, whatever words or codes the file says it in."""

from pydicom.dataset import Dataset

from ribsight.deidentification import vocabulary as known
from ribsight.deidentification.subject import Subject
from ribsight.radiographs.attributes import text, words
from ribsight.radiographs.radiograph import View
from ribsight.radiographs.view import view_of_words

_WORDS = {
    View.PA: "PA",
    View.AP: "AP",
    View.FRONTAL: "FRONTAL",
    View.OBLIQUE: "OBLIQUE",
    View.LATERAL: "LATERAL",
}
# CID 4010, the part of it that ribsight tells apart.
_CODES = {
    View.PA: "272479007",
    View.AP: "399348003",
    View.FRONTAL: "399033003",
    View.OBLIQUE: "399182000",
    View.LATERAL: "399067008",
}


def view_position(dataset: Dataset, keyword: str, _: Subject) -> str | None:
    """Return the view as DICOM writes it, or the word for what a vendor's words mean."""
    said = " ".join(words(dataset, keyword))
    if said in known.VIEWS:
        return said
    view = view_of_words(said)
    return _WORDS[view] if view else None


def view_code(item: Dataset) -> tuple[str, str, str] | None:
    """Return the standard code for a code of another scheme whose meaning says the view."""
    view = view_of_words(text(item, "CodeMeaning") or "")
    return known.standard_code("SCT", _CODES[view]) if view else None
