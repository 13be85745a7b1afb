"""What the service writes to standard error: one JSON object a line, without what others sent.

Messages of exceptions may quote a file or a request, and so a patient: the log holds the kind of
an exception and where it was raised. Libraries that log what they receive are kept silent.
"""

import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath

_OWN = "ribsight"
_SILENT = ("pynetdicom", "pydicom", "highdicom", "dicomweb_client", "urllib3", "uvicorn.access",
           "python_multipart", "PIL", "sqlalchemy")  # fmt: skip
_NO_LEVEL = logging.CRITICAL + 1
_FRAMES = 3


def start_logging(level: int = logging.INFO) -> None:
    """Send the service's own lines to standard error, and nobody else's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(_OWN).setLevel(level)
    for name in _SILENT:
        silenced = logging.getLogger(name)
        silenced.setLevel(_NO_LEVEL)
        silenced.handlers[:] = [logging.NullHandler()]
        silenced.propagate = False
        silenced.disabled = True
    warnings.simplefilter("ignore")
    threading.excepthook = _say_unexpected


def _say_unexpected(arguments: threading.ExceptHookArgs) -> None:
    # pynetdicom's threads end this way where a stranger's bytes or a full disk surprise it.
    if arguments.exc_value is not None:
        logging.getLogger(__name__).error("a thread ended: %s", told(arguments.exc_value))


def told(error: BaseException) -> str:
    """Return the kind of an exception and where it was raised, never its message.

    >>> told(ValueError("Doe^Jane"))
    'ValueError'
    """
    frames: Sequence[traceback.FrameSummary] = traceback.extract_tb(error.__traceback__)
    places = [f"{PurePath(one.filename).name}:{one.lineno}" for one in frames[-_FRAMES:]]
    number = f" {error.errno}" if isinstance(error, OSError) and error.errno else ""
    return f"{type(error).__name__}{number}" + (f" at {', '.join(places)}" if places else "")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        is_own = record.name.startswith(_OWN)
        # Of other libraries only that they complain.
        message = record.getMessage() if is_own else "complains"
        said = {"at": at, "level": record.levelname.lower(), "from": record.name, "says": message}
        if record.exc_info and record.exc_info[1]:
            said["error"] = told(record.exc_info[1])
        return json.dumps(said)
