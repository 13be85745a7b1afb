"""Which images are chest radiographs of the views that ribsight scores, by what headers say.

Statements about one image come first: the tags BodyPartExamined and ViewPosition, codes, then the
descriptions of series, protocol and processing. Statements about the study count only where those
are silent, because a study of the chest may hold a hand. Where statements about the image
contradict each other, it is `contradictory` and refused unless asked for: a refused film is listed
with its reason and seen, a hand with a score is not.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ribsight.errors import RibsightError
from ribsight.radiographs.description_words import Part, parts_named, plain, view_named
from ribsight.radiographs.image_header import ImageHeader
from ribsight.radiographs.radiograph import View

Kind = Literal[
    "frontal_chest",
    "rib_series",
    "clavicle",
    "chest",
    "unknown",
    "contradictory",
    "lateral_chest",
    "other_body_part",
    "localizer",
    "report_capture",
    "not_a_radiograph",
]
KINDS: frozenset[Kind] = frozenset(get_args(Kind))
"""`chest` is a chest in a view that nothing states; `unknown` what nothing says anything about;
`contradictory` what one statement calls a chest from the front, or ribs, and another denies."""

DEFAULT_KINDS: frozenset[Kind] = frozenset({"frontal_chest", "rib_series", "chest", "unknown"})

DOUBTFUL_KINDS: frozenset[Kind] = frozenset({"chest", "unknown", "contradictory"})
"""Of these a look at the pixels would tell more: the header does not say what is shown."""

_RADIOGRAPHY = frozenset({"CR", "DX", "RG", "DR", "XR"})
_NOTHING_SAID = frozenset({"OT", "SC", "HC"})
_DOCUMENTS = frozenset({"SR", "DOC", "KO", "PR"})
_CAPTURE_CLASS = "1.2.840.10008.5.1.4.1.1.7"
_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": "computed radiography",
    "1.2.840.10008.5.1.4.1.1.1.1": "digital X-ray for presentation",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "digital X-ray for processing",
    _CAPTURE_CLASS: "secondary capture",
}
# Of a sheet of paper, and of what a workstation drew.
_PAPER = frozenset({"SD"})
_SCREEN = frozenset({"WSD", "DRW", "SYN"})

_LOCALIZER = re.compile(r"\b(?:locali[sz]er|lokali[sz]|topogram|scanogram|surview|scout)")
_PHANTOM = re.compile(r"\b(?:phantom|fantom|test pattern|flat field|konstanzpr|qc\b)")
_REPORT = re.compile(
    r"\b(?:reports?|befund\w*|rapport|compte rendu|informe|referto|relatorio|laudo|verslag"
    r"|dosis\w*|dose|screen\w*|worksheet|document\w*|dokument\w*|consent|request|requisition"
    r"|anforderung\w*|summary|results?|overlay|heat ?map|saliency|cad|ai|ki|ribsight)\b"
)


@dataclass(frozen=True)
class Policy:
    """What is let through: an image of any kind but `kinds` is refused."""

    kinds: frozenset[Kind] = DEFAULT_KINDS


def policy_of(names: str) -> Policy:
    """Return the policy that lets through the kinds named with commas between them.

    Raises:
        RibsightError: a kind does not exist, or none is named.
    """
    named = frozenset(name.strip().replace("-", "_") for name in names.split(",") if name.strip())
    wrong = sorted(named - KINDS)
    if wrong or not named:
        known = ", ".join(get_args(Kind))
        raise RibsightError(f"no kind of image is named '{', '.join(wrong)}': {known} are")
    return Policy(frozenset(kind for kind in KINDS if kind in named))


@dataclass(frozen=True)
class Eligibility:
    """Whether an image is to be scored, and why.

    Attributes:
        eligible: whether `kind` is let through.
        kind: what the image is, as far as its header says.
        reason: one clause that names attributes and never quotes free text.
        source: the attributes that decided, with ` + ` between them; `nothing` if all are silent.
    """

    eligible: bool
    kind: Kind
    reason: str
    source: str

    @property
    def is_doubtful(self) -> bool:
        """Whether a look at the pixels would tell more."""
        return self.kind in DOUBTFUL_KINDS

    def under(self, policy: Policy) -> "Eligibility":
        """Return the same image under another policy."""
        return replace(self, eligible=self.kind in policy.kinds)


@dataclass(frozen=True)
class _Said:
    """One attribute, and the parts of the body and the view that it names."""

    source: str
    parts: frozenset[Part]
    view: View | None


@dataclass(frozen=True)
class _Finding:
    kind: Kind
    reason: str
    source: str


def eligibility(header: ImageHeader, policy: Policy | None = None) -> Eligibility:
    """Return what a header says an image is, and whether the policy lets that through.

    A header that says nothing gives `unknown`, which the default policy lets through, as it does a
    chest in a view that is not stated.
    """
    policy = policy or Policy()
    about_image, about_study = _about_image(header), _about_study(header)
    found = _object(header, about_image) or _picture(about_image, about_study)
    return Eligibility(found.kind in policy.kinds, found.kind, found.reason, found.source)


def _about_image(header: ImageHeader) -> list[_Said]:
    body = [("BodyPartExamined", header.body_part)]
    body += [("AnatomicRegionSequence", meaning) for meaning in header.anatomic_regions]
    said = [_Said(source, parts_named(value), None) for source, value in body if value]
    if header.view and header.view_source:
        view = header.view if header.view in (View.OBLIQUE, View.LATERAL) else View.FRONTAL
        said.append(_Said(header.view_source, frozenset(), view))
    # `read_view` has the last word on what it understands, not on `AP_horizontal` or `COSTAL`.
    unread = header.view_position if header.view_source != "ViewPosition" else None
    return said + _texts(
        ("ViewPosition", unread),
        ("SeriesDescription", header.series_description),
        ("ProtocolName", header.protocol_name),
        ("AcquisitionDeviceProcessingDescription", header.processing_description),
        ("PostprocessingFunction", header.postprocessing),
    )


def _about_study(header: ImageHeader) -> list[_Said]:
    procedures = (("the procedure", meaning) for meaning in header.procedures)
    return _texts(("StudyDescription", header.study_description), *procedures)


def _texts(*texts: tuple[str, str | None]) -> list[_Said]:
    return [_Said(source, parts_named(said), view_named(said)) for source, said in texts if said]


def _object(header: ImageHeader, about_image: list[_Said]) -> _Finding | None:
    """Return what kind of object it is if it is no radiograph."""
    modality = header.modality
    free = _free_text(header)
    is_capture = header.sop_class == _CAPTURE_CLASS or (
        header.sop_class is None and modality in _NOTHING_SAID
    )
    if "LOCALIZER" in header.image_type:
        return _Finding("localizer", "ImageType says a localizer", "ImageType")
    if (is_capture or modality == "CT") and _LOCALIZER.search(free):
        return _Finding("localizer", "its description says a localizer", "SeriesDescription")
    if modality in _DOCUMENTS:
        return _Finding("report_capture", f"Modality says a document, {modality}", "Modality")
    if modality and modality not in _RADIOGRAPHY | _NOTHING_SAID:
        return _Finding("not_a_radiograph", "Modality says no radiograph", "Modality")
    if header.sop_class and header.sop_class not in _CLASSES:
        return _Finding("not_a_radiograph", "SOPClassUID says no radiograph", "SOPClassUID")
    if header.quality_control or _PHANTOM.search(f"{plain(header.body_part or '')} {free}"):
        return _Finding("not_a_radiograph", "its header says a phantom", "QualityControlImage")
    return _capture(header, about_image, free) if is_capture else None


def _free_text(header: ImageHeader) -> str:
    texts = (header.series_description, header.protocol_name, *header.image_type[2:])
    return " ".join(plain(one) for one in texts if one)


def _capture(header: ImageHeader, about_image: list[_Said], free: str) -> _Finding | None:
    """Return what a secondary capture is if it is no film that was digitised or sent on."""
    names_part = any(said.parts for said in about_image)
    if header.conversion_type in _PAPER:
        return _Finding("report_capture", "ConversionType says paper", "ConversionType")
    if _REPORT.search(free):
        reason = "a secondary capture whose description says a report or a result"
        return _Finding("report_capture", reason, "SeriesDescription")
    if header.conversion_type in _SCREEN and not names_part:
        reason = "a secondary capture of a screen that names no part of the body"
        return _Finding("report_capture", reason, "ConversionType")
    if header.modality not in _RADIOGRAPHY and not names_part:
        return _Finding("report_capture", "a secondary capture that nothing calls a radiograph",
                        "SOPClassUID")  # fmt: skip
    return None


_FAMILY = frozenset({Part.CHEST, Part.RIBS, Part.CLAVICLE})


def _picture(about_image: list[_Said], about_study: list[_Said]) -> _Finding:
    """Return what a radiograph shows."""
    naming = [said for said in about_image if said.parts]
    if not naming:
        naming = _agreeing([said for said in about_study if said.parts])
    chest = [said for said in naming if said.parts & _FAMILY]
    other = [said for said in naming if not said.parts & _FAMILY]
    if other:
        named = Part.ABDOMEN if other[0].parts == {Part.ABDOMEN} else Part.OTHER
        reason = f"{other[0].source} says {named}"
        if not chest:
            return _Finding("other_body_part", reason, other[0].source)
        reason += f", but {chest[0].source} says the chest"
        return _Finding("contradictory", reason, _sources([other[0], chest[0]]))
    part = _subject(chest)
    if part is Part.CLAVICLE:
        return _Finding("clavicle", f"{_sources(chest)} says {part}", _sources(chest))
    return _chest(part, chest, _viewing(about_image, about_study))


def _agreeing(said: list[_Said]) -> list[_Said]:
    """Return what is said about a study if all its images show the same part of the body."""
    mixed = any(one.parts & _FAMILY and one.parts - _FAMILY for one in said)
    return [] if mixed or len({bool(one.parts & _FAMILY) for one in said}) > 1 else said


def _subject(chest: list[_Said]) -> Part | None:
    """Return the narrowest part: a series of ribs stays one where a tag says the chest."""
    narrow = [said.parts for said in chest if Part.CHEST not in said.parts]
    if any(Part.CLAVICLE in parts and Part.RIBS not in parts for parts in narrow):
        return Part.CLAVICLE
    if narrow:
        return Part.RIBS
    return Part.CHEST if chest else None


def _viewing(about_image: list[_Said], about_study: list[_Said]) -> list[_Said]:
    viewing = [said for said in about_image if said.view]
    if viewing:
        return viewing
    viewing = [said for said in about_study if said.view]
    return viewing if len({said.view for said in viewing}) == 1 else []


def _chest(part: Part | None, chest: list[_Said], viewing: list[_Said]) -> _Finding:
    views = {said.view: said for said in reversed(viewing)}
    body = f"{_sources(chest)} says {part}" if part else "nothing says which part of the body"
    lateral, frontal, oblique = (
        views.get(one) for one in (View.LATERAL, View.FRONTAL, View.OBLIQUE)
    )
    against = frontal or oblique
    if lateral and against:
        reason = f"{lateral.source} says lateral, but {against.source} says {against.view}"
        return _Finding("contradictory", f"{body}, {reason}", _sources([lateral, against]))
    if lateral:
        reason = f"{body}, {lateral.source} says lateral"
        return _Finding("lateral_chest", reason, _sources([*chest, lateral]))
    said = oblique or frontal
    sources = _sources([*chest, said] if said else chest)
    view = f"{said.source} says {said.view}" if said else "nothing says which view"
    kind: Kind = "chest" if part else "unknown"
    if part is Part.RIBS or (part and oblique):
        kind = "rib_series"
    elif part and frontal:
        kind = "frontal_chest"
    return _Finding(kind, f"{body}, {view}", sources)


def _sources(said: Iterable[_Said]) -> str:
    return " + ".join(dict.fromkeys(one.source for one in said)) or "nothing"
