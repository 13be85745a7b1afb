"""Waking threads that wait for work."""

import threading


class Bell:
    """What several threads listen to, each with an event of its own."""

    def __init__(self) -> None:
        self._listeners: list[threading.Event] = []

    def listener(self) -> threading.Event:
        """Return an event that is set at each ring; who waits for it clears it."""
        event = threading.Event()
        self._listeners.append(event)
        return event

    def ring(self) -> None:
        """Wake all who listen."""
        for event in self._listeners:
            event.set()
