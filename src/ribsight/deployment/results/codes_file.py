"""Codes of findings from a TOML file, for findings that hospitals name in their own way.

[fracture]
finding = ["125605004", "SCT", "Fracture of bone"]
site = ["113197003", "SCT", "Rib"]
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from ribsight.deployment.results.options import FindingCodes
from ribsight.errors import RibsightError, nearest
from ribsight.regions.formats.dicom_codes import Code
from ribsight.settings import Settings, parse_settings, read_toml

_LONGEST = (64, 16, 64)


def _checked(given: list[str]) -> list[str]:
    if len(given) != len(_LONGEST):
        raise ValueError("a code is [value, scheme, meaning]")
    for one, longest in zip(given, _LONGEST, strict=True):
        if not 0 < len(one) <= longest or not one.isascii() or not one.isprintable() or "\\" in one:
            raise ValueError(f"'{one}' is not plain text of 1 to {longest} characters")
    return given


class _Codes(Settings):
    finding: Annotated[list[str], AfterValidator(_checked)]
    site: Annotated[list[str], AfterValidator(_checked)] | None = None


def read_codes(path: Path, findings: tuple[str, ...]) -> dict[str, FindingCodes]:
    """Read the codes of findings.

    Args:
        path: a TOML file with a table a finding.
        findings: of the model; another one in the file is a mistake.

    Raises:
        RibsightError: no such file, a finding that the model does not have, or no code.
    """
    codes = {}
    for name, table in read_toml(path).items():
        if name not in findings:
            raise RibsightError(
                f"{path} has codes of '{name}', which the model does not find"
                f"{nearest(name, findings)}"
            )
        if not isinstance(table, dict):
            raise RibsightError(f"{path}: {name} is no table: write [{name}], then finding = [...]")
        said = parse_settings(_Codes, table, f"{path}, table {name},")
        site = None if said.site is None else Code(*said.site)
        codes[name] = FindingCodes(Code(*said.finding), site)
    return codes
