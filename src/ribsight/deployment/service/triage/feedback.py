"""Reviews -> what the next cohort learns from: regions, readings, diagnoses."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ribsight.deployment.service.triage.review import Decision, Review
from ribsight.findings import DiagnosisState
from ribsight.regions import Annotations, Box, Region
from ribsight.regions.annotations import AnnotatedImage
from ribsight.regions.region import box_polygon

_CELLS = {
    DiagnosisState.POSITIVE: "1",
    DiagnosisState.NEGATIVE: "0",
    DiagnosisState.UNCERTAIN: "-1",
    DiagnosisState.UNKNOWN: "",
}


@dataclass(frozen=True)
class ReviewedImage:
    """An image and what readers say of it.

    Attributes:
        image: SHA-256 of the received file.
        name: what files call it.
        width: stored pixels.
        height: likewise.
        reviews: the latest of each reader, by name.
        records: what records say of findings.
    """

    image: str
    name: str
    width: int
    height: int
    reviews: tuple[Review, ...]
    records: Mapping[str, DiagnosisState]

    @property
    def complete(self) -> tuple[Review, ...]:
        """The reviews that say that nothing is missed."""
        return tuple(one for one in self.reviews if one.complete)

    def reading(self, finding: str) -> DiagnosisState:
        """Return what readers say of a finding; uncertain where they contradict each other.

        A region says yes. A complete review without one says no; an incomplete one says nothing.
        """
        said = set()
        for one in self.reviews:
            if one.findings.get(finding):
                said.add(DiagnosisState.POSITIVE)
            elif one.complete:
                said.add(DiagnosisState.NEGATIVE)
        if len(said) == 2:
            return DiagnosisState.UNCERTAIN
        return said.pop() if said else DiagnosisState.UNKNOWN


@dataclass(frozen=True)
class Feedback:
    """What was reviewed, and the findings in question."""

    images: tuple[ReviewedImage, ...]
    findings: tuple[str, ...]

    def annotations(self) -> Annotations:
        """Return the regions of complete reviews, one reader's apart from another's.

        An image without a region was looked at and nothing was found. Of an incomplete review
        nothing is taken: around its regions learning would take what is missed for no finding.
        """
        shown = [one for one in self.images if one.complete]
        return Annotations(
            source="reviews",
            images={
                one.name: AnnotatedImage(
                    one.name,
                    one.width,
                    one.height,
                    readers=tuple(review.reader for review in one.complete),
                    extra={"sha256": one.image},
                )
                for one in shown
            },
            regions=tuple(
                region
                for one in shown
                for review in one.complete
                for region in _regions(one.name, review)
            ),
            categories=self.findings,
        )

    def readings(self) -> str:
        """Return a CSV for `ribsight cohort readings`: images of which readers say something."""
        rows = []
        for one in self.images:
            states = [one.reading(finding) for finding in self.findings]
            if any(state is not DiagnosisState.UNKNOWN for state in states):
                rows.append([one.name, *(_CELLS[state] for state in states)])
        return _csv(["image_id", *self.findings], rows)

    def diagnoses(self) -> str:
        """Return a CSV for `ribsight cohort build`: what readers say, else what records say."""
        columns = [name for one in self.findings for name in (one, f"{one}_evidence")]
        rows = []
        for one in self.images:
            cells = []
            for finding in self.findings:
                state, evidence = one.reading(finding), ""
                if state is not DiagnosisState.UNKNOWN:
                    evidence = "review of " + ", ".join(each.reader for each in one.reviews)
                elif finding in one.records:
                    state, evidence = one.records[finding], "record"
                cells += [_CELLS[state], evidence]
            rows.append([one.name, *cells])
        return _csv(["image", *columns], rows)

    def named(self, name: Callable[[str], str | None]) -> "Feedback":
        """Return the same with names given by the SHA-256 of an image; None leaves it out."""
        named = [(one, name(one.image)) for one in self.images]
        return replace(self, images=tuple(replace(one, name=new) for one, new in named if new))


def _regions(name: str, review: Review) -> list[Region]:
    def region(finding: str, box: Box, **attributes: str | float) -> Region:
        x0, y0, x1, y1 = box
        return Region(
            name,
            finding,
            (box_polygon(x0, y0, x1, y1),),
            is_box=True,
            reader=review.reader,
            attributes=attributes,
        )

    accepted = [
        region(
            one.finding,
            one.box,
            origin="accepted",
            model_sha256=review.model_sha256,
            detector_score=one.score,
        )
        for one in review.marks
        if one.decision is Decision.ACCEPTED
    ]
    return accepted + [region(one.finding, one.box, origin="drawn") for one in review.drawn]


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
