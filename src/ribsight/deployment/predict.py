"""Files -> predictions: decoded in child processes, prepared in threads, scored in batches."""

import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from ribsight.deployment.at_work import DetectorAtWork, prediction_of
from ribsight.deployment.inputs import GivenImage, given_images
from ribsight.deployment.prepared import Prepared
from ribsight.errors import RibsightError
from ribsight.evaluation.predictions import FailedImage, ImagePrediction, Predictions
from ribsight.radiographs.eligibility import DOUBTFUL_KINDS, Policy, eligibility
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.image_header import ImageHeader
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError
from ribsight.radiographs.view_classifier import judged_by_pixels

Outcome: TypeAlias = ImagePrediction | FailedImage
Find: TypeAlias = Callable[[str], ImagePrediction | None]


@dataclass(frozen=True)
class Working:
    """How images are worked on; nothing here but `policy` and `classify_views` changes a result.

    Attributes:
        policy: which kinds of image are scored.
        classify_views: look at the pixels of images whose header leaves open what they show.
        processes: that decode.
        batch: images that the network sees at once; more is of use on a GPU.
    """

    policy: Policy = field(default_factory=Policy)
    classify_views: bool = False
    processes: int = 1
    batch: int = 1


def predict_files(
    at_work: DetectorAtWork, paths: Sequence[Path], working: Working | None = None
) -> Predictions:
    """Return the predictions of image files, of all images in folders, and of archives.

    An image that is not eligible is not scored but listed with the reason. All results are held
    in memory; `ribsight predict` holds none.

    Raises:
        RibsightError: a path does not exist, holds no image, or no image could be read.
    """
    working = working or Working()
    outcomes = list(predict_each(at_work, given_images(paths, working.policy), working))
    images = [one for one in outcomes if isinstance(one, ImagePrediction)]
    failed = [one for one in outcomes if isinstance(one, FailedImage)]
    if not images:
        raise none_read(failed)
    return Predictions(
        model=at_work.identity.name,
        model_sha256=at_work.identity.sha256,
        findings=at_work.findings,
        images=tuple(images),
        failed=tuple(failed),
        levels=at_work.levels,
    )


def none_read(failed: Sequence[FailedImage]) -> RibsightError:
    """Return the error of a run without any result."""
    return RibsightError(f"no image could be read: {failed[0].reason}")


def predict_each(
    at_work: DetectorAtWork,
    given: Iterable[GivenImage],
    working: Working,
    find: Find = lambda _: None,
) -> Iterator[Outcome]:
    """Yield what becomes of each image, in their order, holding a few at a time.

    Args:
        at_work: the detector.
        given: images.
        working: how.
        find: the prediction of a content whose SHA-256 it is given, if it is known already.
    """
    # What comes to a detector at work is not to be trusted: a child process decodes it.
    with GuardedReader(working.processes) as reader:

        def look(one: GivenImage) -> Outcome | _Waiting:
            return _look(one, at_work, reader, working, find)

        ahead = 2 * working.processes + working.batch
        results = _in_order(look, given, working.processes, ahead, reader.interrupt)
        with closing(results):
            while part := list(islice(results, working.batch)):
                yield from _scored(at_work, part)


@dataclass(frozen=True, eq=False)
class _Waiting:
    """An image that waits for the network."""

    given: GivenImage
    sha256: str
    prepared: Prepared


def _look(
    one: GivenImage, at_work: DetectorAtWork, reader: GuardedReader, working: Working, find: Find
) -> Outcome | _Waiting:
    if one.refusal:
        return FailedImage(one.file, f"{one.file} {one.refusal}")
    try:
        content = one.content()
        sha256 = hashlib.sha256(content).hexdigest()
        known = find(sha256)
        if known is not None and _still_scored(known, working):
            return at_work.judged(replace(known, id=one.id, file=one.file))
        radiograph = reader.read(content, one.file)
    except UnreadableImageError as error:
        return FailedImage(one.file, str(error))
    refusal = _refusal(radiograph, working)
    if refusal:
        return FailedImage(one.file, f"{one.file} {refusal}")
    return _Waiting(one, sha256, at_work.prepare(radiograph))


def _still_scored(known: ImagePrediction, working: Working) -> bool:
    """Return whether an earlier result is what this run would say."""
    if known.input is None or known.input.kind not in working.policy.kinds:
        return False
    # The earlier run may not have looked at the pixels.
    return not (working.classify_views and known.input.kind in DOUBTFUL_KINDS)


def _refusal(radiograph: Radiograph, working: Working) -> str | None:
    said = (radiograph.eligibility or eligibility(ImageHeader())).under(working.policy)
    if working.classify_views:
        said = judged_by_pixels(said, radiograph.pixels, working.policy)
    return None if said.eligible else f"is not scored: {said.kind} ({said.reason})"


def _scored(at_work: DetectorAtWork, part: Sequence[Outcome | _Waiting]) -> Iterator[Outcome]:
    waiting = [one for one in part if isinstance(one, _Waiting)]
    maps = iter(at_work.maps([one.prepared for one in waiting]) if waiting else ())
    for one in part:
        if not isinstance(one, _Waiting):
            yield one
            continue
        findings = at_work.read_maps(next(maps), one.prepared)
        yield prediction_of(
            one.prepared, findings, name=one.given.id, file=one.given.file, sha256=one.sha256
        )


def _in_order(
    work: Callable[[GivenImage], Outcome | _Waiting],
    items: Iterable[GivenImage],
    threads: int,
    ahead: int,
    interrupt: Callable[[], None],
) -> Generator[Outcome | _Waiting]:
    """Yield `work` of each item in order, done in threads, at most `ahead` before it is asked for.

    `interrupt` ends what is being worked on when nobody waits for it any more.
    """
    waiting: deque[Future[Outcome | _Waiting]] = deque()
    pool = ThreadPoolExecutor(threads, "ribsight-look")
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if waiting:
            pool.shutdown(wait=False, cancel_futures=True)
            interrupt()
        pool.shutdown(wait=True, cancel_futures=True)
