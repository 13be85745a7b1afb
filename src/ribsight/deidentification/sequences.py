"""Sequences that may stay, rebuilt item by item: codes, references to other images, tables."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ribsight.deidentification import vocabulary as known
from ribsight.deidentification.subject import Subject
from ribsight.deidentification.views import view_code
from ribsight.radiographs.attributes import items, numbers, text

ItemRule = Callable[[Dataset, Subject], Dataset | None]
_MOST_ITEMS = 64


@dataclass(frozen=True)
class KeptSequence:
    """One sequence that may stay.

    Attributes:
        keyword: of the sequence.
        rule: what an item becomes; None if nothing of it may stay.
        what: that in words.
        why: what it is needed for.
        present: whether it stays, empty, if it was there and no item may stay.
    """

    keyword: str
    rule: ItemRule = field(repr=False)
    what: str
    why: str
    present: bool = False


def clean_sequence(dataset: Dataset, kept: KeptSequence, subject: Subject) -> Sequence | None:
    """Return the sequence with what may stay of its items, None if it is not to be there."""
    cleaned = [kept.rule(item, subject) for item in items(dataset, kept.keyword)[:_MOST_ITEMS]]
    remaining = [one for one in cleaned if one is not None]
    if remaining or (kept.present and kept.keyword in dataset):
        return Sequence(remaining)
    return None


def code_item(scheme: str, value: str, meaning: str) -> Dataset:
    """Return the item of a code sequence."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def _code(item: Dataset, _: Subject) -> Dataset | None:
    code = _standard(item)
    return code_item(*code) if code else None


def _standard(item: Dataset) -> tuple[str, str, str] | None:
    scheme, value = text(item, "CodingSchemeDesignator"), text(item, "CodeValue")
    return known.standard_code(scheme or "", value or "")


def _view(item: Dataset, subject: Subject) -> Dataset | None:
    code = _standard(item) or view_code(item)
    if code is None:
        return None
    cleaned = code_item(*code)
    modifiers = clean_sequence(item, _MODIFIERS, subject)
    if modifiers is not None:
        cleaned.ViewModifierCodeSequence = modifiers
    return cleaned


def _reference(item: Dataset, subject: Subject) -> Dataset | None:
    sop_class = text(item, "ReferencedSOPClassUID")
    instance = text(item, "ReferencedSOPInstanceUID")
    if not instance or not known.is_standard_uid(sop_class or ""):
        return None
    cleaned = Dataset()
    cleaned.ReferencedSOPClassUID = sop_class
    cleaned.ReferencedSOPInstanceUID = subject.policy.key.uid(instance)
    purposes = clean_sequence(item, _PURPOSES, subject)
    if purposes is not None:
        cleaned.PurposeOfReferenceCodeSequence = purposes
    return cleaned


def _table(item: Dataset, _: Subject) -> Dataset | None:
    """Return a lookup table: its descriptor, and as many entries as that says."""
    described = numbers(item, "LUTDescriptor", [])
    if len(described) != 3 or not all(one.is_integer() for one in described):
        return None
    length, first, bits = (int(one) for one in described)
    length = length % 0x10000 or 0x10000
    entries = _entries(item, length, bits)
    if not 8 <= bits <= 16 or entries is None:
        return None
    cleaned = Dataset()
    descriptor = [length % 0x10000, first & 0xFFFF, bits]
    cleaned.add(DataElement("LUTDescriptor", "US", descriptor))
    cleaned.add(DataElement("LUTData", "OW", entries))
    return cleaned


def _entries(item: Dataset, length: int, bits: int) -> bytes | None:
    """Return the table's entries as little-endian words, or bytes two to a word if they are so."""
    data = item.get("LUTData")
    if isinstance(data, bytes):
        packed = bits == 8 and len(data) < 2 * length
        content = data if packed or item.is_little_endian is not False else _swapped(data)
    else:
        try:
            words: NDArray[np.uint16] = (np.atleast_1d(np.asarray(data, np.int64)) & 0xFFFF).astype(
                "<u2"
            )
        except (TypeError, ValueError, OverflowError):
            return None
        packed = bits == 8 and len(words) < length
        content = words.tobytes()
    size = length if packed else 2 * length
    if len(content) < size:
        return None
    return content[:size] + b"\0" * (size % 2)


def _swapped(data: bytes) -> bytes:
    return np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype("<u2").tobytes()


def _modality_table(item: Dataset, subject: Subject) -> Dataset | None:
    cleaned = _table(item, subject)
    if cleaned is not None:
        said = text(item, "ModalityLUTType")
        cleaned.ModalityLUTType = said if said in known.RESCALE_TYPES else known.UNSPECIFIED
    return cleaned


def _no_item(_item: Dataset, _subject: Subject) -> None:
    return None


_MODIFIERS = KeptSequence("ViewModifierCodeSequence", _code, "standard codes", "")
_PURPOSES = KeptSequence("PurposeOfReferenceCodeSequence", _code, "standard codes", "")

KEPT_SEQUENCES: tuple[KeptSequence, ...] = (
    KeptSequence(
        "ViewCodeSequence", _view, "standard codes and modifiers", "says what is seen from where",
        present=True,
    ),
    KeptSequence(
        "AnatomicRegionSequence", _code, "standard codes", "says what is seen", present=True
    ),
    KeptSequence("DerivationCodeSequence", _code, "standard codes", "says what was done before"),
    KeptSequence(
        "SourceImageSequence", _reference, "class, keyed UID, standard code of purpose",
        "joins images",
    ),
    KeptSequence(
        "ReferencedImageSequence", _reference, "class, keyed UID, standard code of purpose",
        "joins images",
    ),
    KeptSequence(
        "AcquisitionContextSequence", _no_item, "empty", "has to be there", present=True
    ),
    KeptSequence(
        "ModalityLUTSequence", _modality_table, "table", "decides how the picture is shown"
    ),
    KeptSequence("VOILUTSequence", _table, "tables", "decides how the picture is shown"),
    KeptSequence("PresentationLUTSequence", _table, "tables", "decides how the picture is shown"),
)  # fmt: skip
