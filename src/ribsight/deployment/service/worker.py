"""Jobs -> outcomes: read in guarded children, gate, detect, make objects, record."""

import logging
import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from ribsight.deployment.at_work import prediction_of
from ribsight.deployment.service import jobs as queue
from ribsight.deployment.service.context import Context
from ribsight.deployment.service.folder import random_owner
from ribsight.deployment.service.jobs import Job
from ribsight.deployment.service.logs import told
from ribsight.deployment.service.objects import Objects
from ribsight.deployment.service.outcomes import Outcome, record_outcome
from ribsight.evaluation.predictions import ImagePrediction
from ribsight.radiographs.eligibility import eligibility, policy_of
from ribsight.radiographs.guarded import GuardedReader
from ribsight.radiographs.image_header import ImageHeader
from ribsight.radiographs.radiograph import Radiograph, UnreadableImageError
from ribsight.radiographs.view_classifier import judged_by_pixels

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 5.0
_FIRST_WAIT, _MOST_WAIT = 1.0, 60.0


class Worker(threading.Thread):
    """The thread that works on images, a few at a time, in the order in which they came."""

    def __init__(self, context: Context, objects: Objects):
        """Work for a service; `objects` makes the DICOM objects."""
        super().__init__(name="ribsight-worker", daemon=True)
        self.owner = random_owner()
        self._context = context
        self._objects = objects
        self._policy = policy_of(context.settings.work.views)
        self._held: list[Job] = []
        self._news = context.work_waits.listener()

    def run(self) -> None:
        """Work until the service stops."""
        troubles = 0
        with GuardedReader(self._context.settings.work.readers) as reader:
            _warm_up(reader)
            while not self._context.stopping.is_set():
                try:
                    self.step(reader)
                    troubles = 0
                except (SQLAlchemyError, OSError) as error:
                    # The database is away, or the disk is full: nothing is the image's fault.
                    _LOG.error("work waits: %s", told(error))
                    self._context.stopping.wait(min(_FIRST_WAIT * 2**troubles, _MOST_WAIT))
                    troubles += 1
            self.let_go()

    def step(self, reader: GuardedReader) -> int:
        """Work on what is due, or wait a little for something; return how many images it was.

        Raises:
            OSError: the disk is full or broken.
            SQLAlchemyError: the database does not answer.
        """
        work = self._context.settings.work
        self.let_go()
        self._news.clear()
        # What is ahead is decoded while the network is at work.
        ahead = work.batch + 2 * work.readers
        taken = queue.claim(self._context.store, self.owner, ahead, work.lease_seconds)
        if not taken:
            due = queue.next_due(self._context.store)
            self._news.wait(_IDLE_SECONDS if due is None else min(due, _IDLE_SECONDS))
            return 0
        self._held = taken
        self._work(taken, reader)
        return len(taken)

    def let_go(self) -> None:
        """Give back what this worker still has; from any thread."""
        given = list(self._held)
        queue.release(self._context.store, given)
        self._held = [job for job in self._held if job not in given]

    def _work(self, taken: Sequence[Job], reader: GuardedReader) -> None:
        most = self._context.settings.work.attempts
        for job in [one for one in taken if one.attempts > most]:
            reason = f"is not read: the service ended {most} times while working on it"
            self._record(job, Outcome(None, reason, None, is_quarantined=True))
        rest = [one for one in taken if one.attempts <= most]
        paths = [self._context.folder.find(job.image) for job in rest]
        eligible: list[tuple[Job, Radiograph]] = []
        for job, result in zip(rest, reader.map(paths), strict=True):
            if isinstance(result, UnreadableImageError):
                self._conclude(job, Outcome(None, result.reason, None, is_quarantined=True))
            elif reason := self._refusal(result):
                self._conclude(job, Outcome(None, reason, result, result.identifiers))
            else:
                eligible.append((job, result))
            if self._context.stopping.is_set():
                return
            if len(eligible) == self._context.settings.work.batch:
                self._detect(eligible)
                eligible = []
        if eligible:
            self._detect(eligible)

    def _refusal(self, radiograph: Radiograph) -> str:
        """Return why an image is not for the detector, going on where its name ends; or nothing."""
        said = (radiograph.eligibility or eligibility(ImageHeader())).under(self._policy)
        if self._context.settings.work.classify_views:
            said = judged_by_pixels(said, radiograph.pixels, self._policy)
        return "" if said.eligible else f"is not scored: {said.kind} ({said.reason})"

    def _detect(self, eligible: Sequence[tuple[Job, Radiograph]]) -> None:
        try:
            predictions = self._predictions(eligible)
        except Exception as error:  # whichever of them it was, each is alone the next time
            for job, _ in eligible:
                self._failed(job, error)
            return
        for (job, radiograph), prediction in zip(eligible, predictions, strict=True):
            self._conclude(job, Outcome(prediction, None, radiograph, radiograph.identifiers))

    def _predictions(self, eligible: Sequence[tuple[Job, Radiograph]]) -> list[ImagePrediction]:
        detector = self._context.detector
        prepared = [detector.prepare(radiograph) for _, radiograph in eligible]
        maps = detector.maps(prepared)
        return [
            prediction_of(
                ready,
                detector.read_maps(one, ready),
                name=job.image,
                file=f"{job.image}.dcm",
                sha256=job.image,
            )
            for (job, _), ready, one in zip(eligible, prepared, maps, strict=True)
        ]

    def _conclude(self, job: Job, outcome: Outcome) -> None:
        try:
            made = self._objects.of(self._context.folder.find(job.image), outcome)
        except OSError:
            raise
        except Exception as error:
            self._failed(job, error)
        else:
            self._record(job, made)

    def _record(self, job: Job, outcome: Outcome) -> None:
        record_outcome(self._context, job, outcome)
        self._held.remove(job)

    def _failed(self, job: Job, error: Exception) -> None:
        """Try an image again later, and set it aside after some attempts: ribsight has a bug."""
        _LOG.error("work on %s failed: %s", job.image, told(error))
        work = self._context.settings.work
        if job.attempts < work.attempts:
            queue.postpone(self._context.store, job, _FIRST_WAIT * 2**job.attempts)
            self._held.remove(job)
            return
        reason = f"is not read: working on it failed ({type(error).__name__})"
        self._record(job, Outcome(None, reason, None, is_quarantined=True))


def _warm_up(reader: GuardedReader) -> None:
    """Start the children before there is an image that could be blamed for what happens."""
    for _ in reader.map([b"\0"] * reader.processes):
        pass
