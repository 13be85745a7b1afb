"""Strict settings from TOML: every mistake listed, each with its key and the nearest known name."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from ribsight.errors import RibsightError


class Settings(BaseModel):
    """Base of every table of settings: frozen, and an unknown key or a wrong type is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises RibsightError if it is missing or not valid TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RibsightError(f"{path} is not valid TOML: {error}") from error


def parse_settings(kind: type[SettingsT], document: Mapping[str, Any], where: str) -> SettingsT:
    """Turn a TOML document into settings of type `kind`.

    Raises:
        RibsightError: unknown keys, missing keys or wrong values; all are listed.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        mistakes = [_mistake(kind, one) for one in error.errors()]
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise RibsightError(f"{where} has {count}: " + "; ".join(mistakes)) from error


def _mistake(kind: type[Settings], error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _keys_at(kind, location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
        return f"unknown key '{key}' ({hint})"
    if error["type"] == "missing":
        return f"missing key '{key}'"
    message = error["msg"].removeprefix("Value error, ")
    if not key:
        return str(message)
    return f"'{key}' = {error['input']!r}: {message}"


def _keys_at(kind: type[Settings], location: list[str]) -> list[str]:
    for part in location:
        if part not in kind.model_fields:  # the place in a list of tables, or a table's own name
            continue
        annotation: Any = kind.model_fields[part].annotation
        kind = next(o for o in _types_in(annotation) if issubclass(o, Settings))
    return list(kind.model_fields)


def _types_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for one in get_args(annotation):
        yield from _types_in(one)
