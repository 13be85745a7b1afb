"""The one exception a user is meant to read."""

import difflib
from collections.abc import Iterable


class RibsightError(Exception):
    """A mistake in what the user gave: one sentence that says what, where and what to do.

    The command line prints it without a traceback and exits with status 2. Anything else that is
    raised is a bug of ribsight, shows its traceback and exits with status 1.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known name most like `name`, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""
