"""One run of `ribsight predict`: results to disk as they come, the output whole at the end."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.inputs import GivenImage
from ribsight.deployment.overlay import write_overlay
from ribsight.deployment.parts import Parts, open_parts
from ribsight.deployment.predict import Working, none_read, predict_each
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Predictions
from ribsight.evaluation.predictions_file import read_predictions, stream_predictions
from ribsight.radiographs.guarded import GuardedReader


@dataclass(frozen=True)
class Overlays:
    """Pictures to write: into `folder`, marks from `least_score` on where there are no levels."""

    folder: Path
    least_score: float


@dataclass(frozen=True)
class Ran:
    """What came of a run: `known` of the `images` were taken over from an earlier one."""

    images: int
    known: int
    failed: tuple[FailedImage, ...]


def run_predict(
    at_work: DetectorAtWork,
    given: Sequence[GivenImage],
    working: Working,
    out: Path,
    *,
    resume: bool = False,
    overlays: Overlays | None = None,
    progress: bool = True,
) -> Ran:
    """Predict `given` and write `out`; memory does not grow with images but for names and hashes.

    A run that was killed leaves `OUT.parts`; with `resume` it goes on there, and takes over what an
    earlier `out` of the same model says of files that are still the same. The output is that of a
    run that nothing disturbed.

    Raises:
        RibsightError: no image could be read, or the output or the parts cannot be written.
    """
    identity = at_work.identity
    failed: list[FailedImage] = []
    done: list[tuple[GivenImage, str]] = []
    with open_parts(out, identity.sha256, at_work.preprocessing.key, resume=resume) as parts:
        if resume:
            _take_over(out, identity.sha256, parts)
        added: set[str] = set()
        bar = tqdm(total=len(given), desc="detecting", unit="image", disable=not progress)
        with bar:
            outcomes = predict_each(at_work, given, working, parts.find)
            for one, outcome in zip(given, outcomes, strict=True):
                bar.update()
                if isinstance(outcome, FailedImage):
                    failed.append(outcome)
                    continue
                assert outcome.sha256 is not None
                if outcome.sha256 not in parts:
                    parts.add(outcome)
                    added.add(outcome.sha256)
                done.append((one, outcome.sha256))
        if not done:
            raise none_read(failed)
        about = Predictions(
            identity.name, identity.sha256, at_work.findings, (), tuple(failed), at_work.levels
        )
        stream_predictions(about, _images(at_work, done, parts), out)
        if overlays is not None:
            _draw(at_work, done, parts, overlays)
        known = sum(sha256 not in added for _, sha256 in done)
        return Ran(len(done), known, tuple(failed))


def _take_over(out: Path, model_sha256: str, parts: Parts) -> None:
    """Add what an earlier output of this model knows of files by their content."""
    earlier: Predictions | None = None
    with suppress(RibsightError):  # there is none, or it is no such file: it will be written over
        earlier = read_predictions(out)
    if earlier is None or earlier.model_sha256 != model_sha256:
        return
    for image in earlier.images:
        if image.sha256 is not None and image.sha256 not in parts:
            parts.add(image)


def _images(
    at_work: DetectorAtWork, done: Sequence[tuple[GivenImage, str]], parts: Parts
) -> Iterator[ImagePrediction]:
    for one, sha256 in done:
        image = parts.find(sha256)
        assert image is not None
        yield at_work.judged(replace(image, id=one.id, file=one.file))


def _draw(
    at_work: DetectorAtWork,
    done: Sequence[tuple[GivenImage, str]],
    parts: Parts,
    overlays: Overlays,
) -> None:
    with GuardedReader() as reader:
        images = _images(at_work, done, parts)
        for (one, _), image in zip(done, images, strict=True):
            radiograph = reader.read(one.content(), one.file)
            write_overlay(image, radiograph, overlays.folder, at_work.levels, overlays.least_score)
