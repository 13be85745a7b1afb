"""Which new name stands for which old one: written only when asked for, readable by its owner."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from ribsight.deidentification.one_file import identify
from ribsight.deidentification.run import keyed_path
from ribsight.deidentification.subject import Policy
from ribsight.errors import RibsightError
from ribsight.files import atomic_path

_IDENTIFIERS = (
    "patient_id", "study_uid", "study_id", "accession_number", "study_date", "sop_instance_uid",
)  # fmt: skip


def write_mapping(path: Path, files: Sequence[Path], policy: Policy) -> None:
    """Write a CSV of old and new identifiers of all files, with mode 0600.

    Columns: `position` and `source` as in `quarantine.csv`, `path`, `image_id`, and each
    identifier as `old_...` and `new_...`.

    Raises:
        RibsightError: it cannot be written.
    """
    stream = io.StringIO()
    names = [f"{age}_{name}" for name in _IDENTIFIERS for age in ("old", "new")]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("position", "source", "path", "image_id", *names))
    for position, file in enumerate(files, start=1):
        try:
            found = identify(file.read_bytes(), policy)
        except OSError as error:
            raise RibsightError(f"cannot read {file}: {error.strerror}") from error
        sop_instance_uid = found.old.get("sop_instance_uid")
        image = policy.key.file_name(sop_instance_uid) if sop_instance_uid else ""
        cells = [side.get(name, "") for name in _IDENTIFIERS for side in (found.old, found.new)]
        writer.writerow((position, keyed_path(policy, file), file, image, *cells))
    with atomic_path(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as private:
            private.write(stream.getvalue())


def keep_mapping_apart(path: Path, out: Path) -> None:
    """Refuse a mapping that would be handed on with what it undoes.

    Raises:
        RibsightError: it would be inside the output folder.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise RibsightError(f"the mapping {path} would lie inside {out}, which it undoes")
