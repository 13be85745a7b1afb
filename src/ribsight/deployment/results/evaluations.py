"""What a report says of the whole image: processed or not, and of every finding, there or not."""

from collections.abc import Iterator

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset

from ribsight.deployment.results.figures import figures_of, sentence
from ribsight.deployment.results.naming import Naming, long_string
from ribsight.deployment.results.options import Outcome
from ribsight.deployment.results.said import Said, words
from ribsight.regions.formats.dicom_codes import (
    ALGORITHM_NAME,
    ALGORITHM_PARAMETERS,
    ALGORITHM_VERSION,
    COMMENT,
    DETECTED,
    EVALUATIONS,
    LEVEL,
    LEVELS,
    NOT_DETECTED,
    NOT_PROCESSED,
    SITE,
    SOURCE,
    SUMMARY,
    WITH_FINDINGS,
    WITHOUT_FINDINGS,
)
from ribsight.regions.formats.dicom_report import coded

_SUMMARIES = {
    Outcome.FOUND: WITH_FINDINGS,
    Outcome.NOTHING: WITHOUT_FINDINGS,
    Outcome.NOT_PROCESSED: NOT_PROCESSED,
}
_CONTAINS = RelationshipTypeValues.CONTAINS
_INFERRED = RelationshipTypeValues.INFERRED_FROM
_PROPERTY = RelationshipTypeValues.HAS_PROPERTIES
_MODIFIER = RelationshipTypeValues.HAS_CONCEPT_MOD


def evaluations(about: Dataset, said: Said, naming: Naming) -> ContainerContentItem:
    """Return the container of TID 1500 for what is said of no region."""
    container = ContainerContentItem(coded(EVALUATIONS), relationship_type=_CONTAINS)
    container.ContentSequence = ContentSequence(
        [
            _summary(about, said),
            TextContentItem(coded(COMMENT), " ".join(_sentences(said, naming)), _CONTAINS),
            *(_finding(name, said, naming) for name in said.findings),
            *_algorithm(naming),
        ]
    )
    return container


def _summary(about: Dataset, said: Said) -> CodeContentItem:
    item = CodeContentItem(coded(SUMMARY), coded(_SUMMARIES[said.outcome]), _CONTAINS)
    image = ImageContentItem(
        coded(SOURCE), about.SOPClassUID, about.SOPInstanceUID, relationship_type=_INFERRED
    )
    item.ContentSequence = ContentSequence([image])
    return item


def _sentences(said: Said, naming: Naming) -> Iterator[str]:
    match said.outcome:
        case Outcome.NOT_PROCESSED:
            yield f"Not processed: {said.reason}."
        case Outcome.NOTHING:
            yield "Processed, nothing found."
        case Outcome.FOUND:
            yield f"Processed, {len(said.marks)} mark{'s' * (len(said.marks) != 1)}."
    for name, one in said.findings.items():
        yield sentence(words(name), name in said.detected, one)
    yield naming.options.notice


def _finding(name: str, said: Said, naming: Naming) -> CodeContentItem:
    meant, one = naming.options.codes_of(name), said.findings[name]
    result = DETECTED if name in said.detected else NOT_DETECTED
    item = CodeContentItem(coded(meant.finding), coded(result), _CONTAINS)
    below: list[ContentItem] = []
    if meant.site is not None:
        below.append(CodeContentItem(coded(SITE), coded(meant.site), _MODIFIER))
    if one.certainty is not None:
        below.append(CodeContentItem(coded(LEVEL), coded(LEVELS[one.certainty]), _PROPERTY))
    below += [
        NumContentItem(coded(figure.name), figure.value, coded(figure.unit), None, _PROPERTY)
        for figure in figures_of(one)
    ]
    item.ContentSequence = ContentSequence(below)
    return item


def _algorithm(naming: Naming) -> Iterator[TextContentItem]:
    """Yield who says so; beside the container, groups of marks say it again."""
    identity = naming.identity
    for name, value in (
        (ALGORITHM_NAME, long_string(identity.name)),
        (ALGORITHM_VERSION, f"ribsight {long_string(identity.version)}"),
        (ALGORITHM_PARAMETERS, f"weights sha256={identity.sha256}"),
    ):
        yield TextContentItem(coded(name), value, _CONTAINS)
