"""Ctrl-C as a request: the step is finished and saved first."""

import signal
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """While entered, SIGINT and SIGTERM only set `requested`; afterwards they do what they did."""

    def __init__(self) -> None:
        """Nothing was requested yet."""
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        """Catch the signals, if this is the main thread; elsewhere they cannot be caught."""
        try:
            for one in (signal.SIGINT, signal.SIGTERM):
                self._before[one] = signal.signal(one, self._note)
        except ValueError:
            self._before = {}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.requested = True
