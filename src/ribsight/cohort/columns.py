"""What the columns and categories of a user's files mean, as options or as a TOML file."""

from pathlib import Path

from pydantic import Field

from ribsight.records import ColumnMapping
from ribsight.settings import Settings, parse_settings, read_toml


class Columns(Settings):
    """The keys of the TOML file; `docs/cohort.md` shows one."""

    image: str = "image"
    """Column that names the image."""
    findings: dict[str, str] = Field(default_factory=dict)
    """Column of each finding."""
    patient: str | None = None
    group: str | None = None
    """Column of what a split keeps together, where there is no patient."""
    keep: list[str] = Field(default_factory=list)
    """Further columns to keep as text."""
    categories: dict[str, str] = Field(default_factory=dict)
    """Finding of each category of the region file."""

    def mapping(self) -> ColumnMapping:
        """Return what the reader of the table needs. Raises RibsightError as it does."""
        return ColumnMapping(
            image=self.image,
            findings=self.findings,
            patient=self.patient,
            group=self.group,
            keep=tuple(self.keep),
        )


def read_columns(path: Path) -> Columns:
    """Read a TOML file of columns.

    Raises:
        RibsightError: no such file, no TOML, an unknown key or a wrong value.
    """
    return parse_settings(Columns, read_toml(path), str(path))
