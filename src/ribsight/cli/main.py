"""The console entry `ribsight`, and what each kind of failure says and returns."""

import errno
import os
import sys
from typing import NoReturn

from ribsight.cli.interrupts import INTERRUPTED, SENTENCE, leaving_at_once, was_interrupted

with leaving_at_once():
    import click

    from ribsight import __version__
    from ribsight.cli.lazy import LazyGroup
    from ribsight.errors import RibsightError

USER_ERROR = 2

_COMMANDS = {
    "simulate": (
        "ribsight.cli.simulate_command:simulate",
        "Write a simulated trauma registry: films, records, drawings, truth.",
    ),
    "deidentify": (
        "ribsight.cli.deidentify_command:deidentify",
        "Take out of films and tables who they are about.",
    ),
    "ingest": (
        "ribsight.cli.ingest_command:ingest",
        "Index an archive: files, zip, tar, DICOMweb.",
    ),
    "label": ("ribsight.cli.label_command:label", "Turn codes and reports into diagnoses."),
    "cohort": (
        "ribsight.cli.cohort_commands:cohort",
        "Join images, diagnoses and regions; split; check.",
    ),
    "regions": ("ribsight.cli.regions_command:regions", "Show and convert annotation files."),
    "train": ("ribsight.cli.train_command:train", "Train a detector from a recipe."),
    "calibrate": (
        "ribsight.cli.calibrate_command:calibrate",
        "Choose thresholds and fit probabilities on validation.",
    ),
    "evaluate": ("ribsight.cli.evaluate_command:evaluate", "Measure a detector, with a report."),
    "score": ("ribsight.cli.score_command:score", "Score any detector's marks against a truth."),
    "compare": ("ribsight.cli.score_command:compare", "Compare detectors' marks, paired."),
    "learning-curve": (
        "ribsight.cli.learning_curve_command:learning_curve",
        "Figures against the number of drawn regions.",
    ),
    "export": (
        "ribsight.cli.export_command:export",
        "Write a detector for ONNX Runtime, OpenVINO or TorchScript.",
    ),
    "serve": ("ribsight.cli.serve_command:serve", "Take images in and send results out."),
    "audit": ("ribsight.cli.serve_command:audit", "Check the audit log of a service."),
    "monitor": (
        "ribsight.cli.monitor_command:monitor",
        "Say whether images or scores have drifted.",
    ),
    "predict": ("ribsight.cli.predict_command:predict", "Find fractures in images."),
    "results": (
        "ribsight.cli.results_command:results",
        "Write predictions as DICOM: reports, copies with boxes.",
    ),
    "feedback": (
        "ribsight.cli.feedback_command:feedback",
        "Export what readers said at the service; import records.",
    ),
}
# Of the machine, not of ribsight: the sentence is enough.
_MACHINE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


@click.group(
    cls=LazyGroup,
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ribsight")
def cli() -> None:
    """Rib and clavicle fracture detection from medical records and a few drawn regions."""


def main() -> NoReturn:
    """Run the command line and exit.

    Status 0: done. 1: a bug, with its traceback. 2: something the user can correct, in one
    sentence. 130: interrupted.
    """
    try:
        status = cli.main(prog_name="ribsight", standalone_mode=False)
        sys.stdout.flush()
    except RibsightError as error:
        _fail(f"ribsight: {error}", USER_ERROR)
    except click.ClickException as error:
        error.show()
        sys.exit(USER_ERROR)
    except (click.Abort, KeyboardInterrupt):
        _fail(SENTENCE, INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone; without this, Python's own flush at exit complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if was_interrupted(error):
            _fail(SENTENCE, INTERRUPTED)
        if not isinstance(error, OSError) or error.errno not in _MACHINE_ERRORS:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"ribsight: {where}{error.strerror}", USER_ERROR)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
