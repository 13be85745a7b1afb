"""ribsight's own JSON files: of a schema, some of them chosen for one model and no other."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn what goes wrong while a file is read and understood into one sentence.

    Args:
        path: the file.
        kind: what it should be, as in "is no {kind}".

    Raises:
        RibsightError: within, the file could not be read, or something in it was amiss.
    """
    try:
        yield
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RibsightError(f"{path} is no {kind}: {_amiss(error)}") from error


def _amiss(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON (line {error.lineno}: {error.msg})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, TypeError | AttributeError):
        return f"a value in it is of the wrong kind ({error})"
    return str(error)


def read_document(path: Path, schema: str, *, older: Collection[str] = ()) -> Any:
    """Return the content of a JSON file; use it within `reading`.

    Args:
        path: the file.
        schema: of the newest version.
        older: further schemas that can be read.

    Raises:
        RibsightError: it is of another schema.
        OSError, ValueError: cannot be read, or is no JSON that names its schema.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError("it names no schema")
    if document["schema"] != schema and document["schema"] not in older:
        raise RibsightError(f"{path} holds {document['schema']}, not {schema}")
    return document


def require_model(chosen_for: str, model_sha256: str, what: str, remedy: str) -> None:
    """Refuse what was chosen for another model.

    Args:
        chosen_for: hash of the model's weights in the file.
        model_sha256: hash of the model that is about to use it.
        what: the beginning of the sentence, like "the calibration in FILE was fitted".
        remedy: its end: why it does not carry over, and what to do.

    Raises:
        RibsightError: the two differ.
    """
    if chosen_for != model_sha256:
        raise RibsightError(
            f"{what} for model {chosen_for[:12]}, not for {model_sha256[:12]}: {remedy}"
        )
