"""Why a file is no image of an archive: short codes that stay, and a sentence for a person."""

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong with a file or member; `docs/archive.md` says what to do about each."""

    HIDDEN = "hidden"
    LINK = "link"
    NAME = "name"
    NOT_A_FILE = "not-a-file"
    UNREADABLE = "unreadable"
    CHANGING = "changing"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    NOT_AN_IMAGE = "not-an-image"
    DAMAGED = "damaged"
    TRUNCATED = "truncated"
    DEFLATED = "deflated"
    NESTED = "nested"
    HEADER = "header"
    SIZE = "size"
    UID = "uid"
    MEMORY = "memory"
    CRASH = "crash"
    ENCRYPTED = "encrypted"
    COMPRESSION = "compression"
    BOMB = "bomb"
    CONTAINER = "container"
    FETCH = "fetch"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


RETRIED = frozenset({Reason.UNREADABLE, Reason.CHANGING, Reason.CRASH, Reason.MEMORY, Reason.FETCH})
"""Reasons that may lie with the machine or the network: the next run tries again."""


class RefusedError(Exception):
    """A file that is not taken in.

    Attributes:
        reason: why.
        sentence: goes on where the file's name ends; names no patient.
    """

    def __init__(self, reason: Reason, sentence: str):
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
