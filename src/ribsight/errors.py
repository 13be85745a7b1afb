"""The one exception a user is meant to read."""


class RibsightError(Exception):
    """A mistake in what the user gave: one sentence that says what, where and what to do.

    The command line prints it without a traceback and exits with status 2. Anything else that is
    raised is a bug of ribsight, shows its traceback and exits with status 1.
    """
