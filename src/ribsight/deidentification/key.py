"""The secret key, and the new names, UIDs and dates that it gives.

Everything new is a function of the key and the old value: the same patient gets the same new name
in every file, table and run, and nothing but the key leads back, by trying old values one by one.
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from ribsight.errors import RibsightError

MAX_SHIFT_DAYS = 3650
"""Dates move back by 1 to this many days."""

_HEAD = "ribsight de-identification key 1"
_SECRET_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Key:
    """A secret from which all new values are made; its `repr` does not show it."""

    secret: bytes = field(repr=False)

    def digest(self, purpose: str, value: str | bytes) -> bytes:
        """Return 32 bytes (HMAC-SHA-256) that stand for a value, others for each purpose."""
        content = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
        return hmac.digest(self.secret, purpose.encode() + b"\0" + content, hashlib.sha256)

    def name(self, purpose: str, value: str | bytes) -> str:
        """Return 16 letters and digits (80 bits): what fits DICOM's short strings (SH)."""
        return base64.b32encode(self.digest(purpose, value)[:10]).decode()

    def uid(self, old: str) -> str:
        """Return the UID that replaces a UID: `2.25.` and a UUID of version 8 (RFC 9562)."""
        number = int.from_bytes(self.digest("uid", old)[:16])
        number = number & ~(0xF << 76) | 8 << 76
        number = number & ~(0x3 << 62) | 2 << 62
        return f"2.25.{number}"

    def file_name(self, sop_instance_uid: str) -> str:
        """Return the name, without ending, of the file of an image: 32 hexadecimal digits."""
        return self.digest("file", sop_instance_uid)[:16].hex()

    def shift_days(self, new_patient: str) -> int:
        """Return by how many days the dates of a patient, given by the new name, move back."""
        number = int.from_bytes(self.digest("shift", new_patient)[:8])
        return 1 + number % MAX_SHIFT_DAYS

    def shifted(self, day: date, new_patient: str) -> date | None:
        """Return a date of a patient moved back; None before the year 1."""
        try:
            return day - timedelta(days=self.shift_days(new_patient))
        except OverflowError:
            return None

    @property
    def fingerprint(self) -> str:
        """What tells keys apart and says nothing about them: 16 letters and digits."""
        return self.name("fingerprint", "")


def new_key(path: Path) -> Key:
    """Write a new key to a file that only its owner can read.

    Raises:
        RibsightError: the file is there already, or cannot be written.
    """
    key = Key(secrets.token_bytes(_SECRET_BYTES))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(f"{_HEAD}\n{key.secret.hex()}\n")
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError:
        raise RibsightError(f"{path} is there already: a key is never replaced") from None
    except OSError as error:
        raise RibsightError(f"cannot write {path}: {error.strerror}") from error
    return key


def read_key(path: Path) -> Key:
    """Read a key that `new_key` wrote.

    Raises:
        RibsightError: no such file, no key, or a file that others than its owner may read.
    """
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(4096)
    except OSError as error:
        raise RibsightError(
            f"cannot read the key {path}: {error.strerror}; --new-key makes one"
        ) from error
    if mode & _OTHERS:
        raise RibsightError(
            f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}): "
            "give it mode 0600, or make a new key if others had access"
        )
    head, _, secret = content.decode("ascii", "replace").strip().partition("\n")
    try:
        parsed = bytes.fromhex(secret)
    except ValueError:
        parsed = b""
    if head != _HEAD or len(parsed) != _SECRET_BYTES:
        raise RibsightError(f"{path} is no key of ribsight: --new-key makes one")
    return Key(parsed)


def keep_apart(key: Path, out: Path) -> None:
    """Refuse a key that would be handed on with what it protects.

    Raises:
        RibsightError: the key is, or would be, inside the output folder.
    """
    if key.resolve().is_relative_to(out.resolve()):
        raise RibsightError(
            f"the key {key} lies inside {out}: who gets the folder could undo everything; "
            "keep it elsewhere"
        )
