"""An annotation file or folder, read once: also .gz, and .zip of one table or document."""

import csv
import gzip
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError

MAX_BYTES = 2 * 1024**3
"""An annotation file that unpacks to more than this is refused."""

_SUFFIXES = (".csv", ".json", ".xml")


@dataclass(frozen=True)
class Source:
    """Where annotations are read from."""

    path: Path

    @property
    def name(self) -> str:
        """The last part of the path, for messages."""
        return self.path.name

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @cached_property
    def content(self) -> bytes:
        """The file's bytes, unpacked; nothing for a folder.

        Raises:
            RibsightError: it cannot be read or unpacked, or unpacks to more than `MAX_BYTES`.
        """
        if self.is_folder:
            return b""
        try:
            with self.path.open("rb") as stream:
                start = stream.read(4)
            if start[:2] == b"\x1f\x8b":
                with gzip.open(self.path) as stream:
                    content = stream.read(MAX_BYTES + 1)
            elif start == b"PK\x03\x04":
                content = self._zip_member()
            else:
                with self.path.open("rb") as stream:
                    content = stream.read(MAX_BYTES + 1)
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise RibsightError(f"{self.path} cannot be unpacked: {error}") from error
        except OSError as error:
            raise RibsightError(f"cannot read {self.path}: {error.strerror or error}") from error
        if len(content) > MAX_BYTES:
            raise RibsightError(f"{self.path} holds more than {MAX_BYTES >> 30} GiB")
        return content

    def _zip_member(self) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            names = [
                one
                for one in archive.namelist()
                if one.lower().endswith(_SUFFIXES) and not one.startswith("__MACOSX/")
            ]
            if len(names) != 1:
                raise RibsightError(
                    f"{self.path} holds {len(names)} CSV, JSON or XML files, not one: unpack it"
                )
            try:
                with archive.open(names[0]) as stream:
                    return stream.read(MAX_BYTES + 1)
            except (RuntimeError, NotImplementedError) as error:
                raise RibsightError(f"{self.path} cannot be unpacked: {error}") from error

    @cached_property
    def text(self) -> str:
        """The content as UTF-8. Raises RibsightError if it is none."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RibsightError(
                f"{self.path} is not UTF-8 text: byte {error.start} is no part of it"
            ) from error

    @cached_property
    def json(self) -> Any:
        """The content as JSON. Raises RibsightError if it is none."""
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise RibsightError(f"{self.path} is not valid JSON: {error}") from error
        except RecursionError as error:
            raise RibsightError(f"{self.path} is not valid JSON: nested too deep") from error

    @property
    def looks_like_json(self) -> bool:
        """Whether the first character can only be that of a JSON list or object."""
        return self.content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")

    @property
    def looks_like_xml(self) -> bool:
        """Whether the first character is that of XML."""
        return self.content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"

    @cached_property
    def header(self) -> tuple[str, ...]:
        """The columns of a CSV as they stand, without blanks around; none for other files."""
        start = self.content[:65536].removeprefix(b"\xef\xbb\xbf")
        line = start.splitlines()[0] if start else b""
        if b"," not in line or b"\0" in line:
            return ()
        return tuple(one.strip() for one in next(csv.reader([line.decode(errors="replace")])))

    def rows(self) -> list[tuple[int, list[str]]]:
        """Return the rows below the header with their line numbers; empty lines are left out."""
        reader = csv.reader(io.StringIO(self.text, newline=""))
        try:
            found = [(reader.line_num, row) for row in reader if any(one.strip() for one in row)]
        except csv.Error as error:
            raise RibsightError(f"{self.path}, row {reader.line_num}: {error}") from error
        return found[1:]

    def table(self, needed: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
        """Return "name, row N" and the values by column of every row.

        Raises:
            RibsightError: a needed column is missing, or a row has fewer values than the header.
        """
        missing = [one for one in needed if one not in self.header]
        if missing:
            raise RibsightError(
                f"{self.path} has no column {', '.join(missing)}; "
                f"it has: {', '.join(self.header) or 'none'}"
            )
        table = []
        for line, row in self.rows():
            where = f"{self.name}, row {line}"
            if len(row) < len(self.header):
                raise RibsightError(
                    f"{where}: {len(row)} values where the header has {len(self.header)}"
                )
            table.append((where, {k: v.strip() for k, v in zip(self.header, row, strict=False)}))
        return table
