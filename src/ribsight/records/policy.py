"""The declared policy of fusion, as TOML; every key of a user's file replaces one of ours."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from ribsight.findings import check_finding_name
from ribsight.settings import Settings, parse_settings, read_toml


class ReportSignal(StrEnum):
    """What the reports of a study say of a finding, the strongest first."""

    PRESENT = "present"
    LIKELY = "likely"
    POSSIBLE = "possible"
    NEGATED = "negated"
    SILENT = "silent"
    """There is a report, and it does not mention it."""
    NONE = "none"
    """There is no report."""


class CodeSignal(StrEnum):
    """What the codes of an encounter say of a finding, the strongest first."""

    POSITIVE = "positive"
    OLD = "old"
    WEAK = "weak"
    EXCLUDED = "excluded"
    NONE = "none"


State = Literal["positive", "negative", "uncertain", "unknown"]
Source = Literal["report", "code", "unknown"]
Meaning = Literal["present", "likely", "possible", "negated", "silent"]


class CodeColumns(Settings):
    """The state for each thing that codes may say."""

    positive: State
    old: State
    weak: State
    excluded: State
    none: State


class StateTable(Settings):
    """The state for each thing that reports may say."""

    present: CodeColumns
    likely: CodeColumns
    possible: CodeColumns
    negated: CodeColumns
    silent: CodeColumns
    none: CodeColumns


class FusionPolicy(Settings):
    """The keys of a policy file; `policies/default.toml` says what each decides."""

    days_before: int = Field(ge=0)
    days_after: int = Field(ge=0)
    late_days: int = Field(ge=0)
    side: Source
    acuity: Source
    deformity: Meaning
    fracture_somewhere: Meaning
    no_acute_fracture: Meaning
    bones_intact: Meaning
    ct_only: Literal["positive", "uncertain", "unknown", "same"]
    old_positive: State
    lateral_positive: Literal["positive", "uncertain", "unknown"]
    lateral_views: list[str]
    findings: dict[str, list[str]] = Field(min_length=1)
    states: StateTable

    @field_validator("findings")
    @classmethod
    def _names(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in value:
            check_finding_name(name)
        return value

    def state(self, report: ReportSignal, code: CodeSignal) -> str:
        """Return the state of the table."""
        return self._state_of[report, code]

    @cached_property
    def _state_of(self) -> dict[tuple[str, str], str]:
        table = self.states.model_dump()
        return {(row, column): table[row][column] for row in table for column in table[row]}


def read_policy(path: Path | None = None) -> FusionPolicy:
    """Return the default policy, with the keys of a file in place of its own.

    A file that has a table `findings` replaces that table whole.

    Raises:
        RibsightError: no such file, an unknown key or a wrong value; all are listed.
    """
    text = files(__package__).joinpath("policies/default.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    if path is None:
        return parse_settings(FusionPolicy, document, "default policy")
    return parse_settings(FusionPolicy, _replaced(document, read_toml(path)), str(path))


def _replaced(base: dict[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    replaced = dict(base)
    for key, value in ours.items():
        known = replaced.get(key)
        if isinstance(value, dict) and isinstance(known, dict) and key != "findings":
            replaced[key] = _replaced(known, value)
        else:
            replaced[key] = value
    return replaced
