import re
import tomllib
from pathlib import Path

from pydantic import BaseModel

from ribsight.deployment.service.settings import (
    DestinationSettings,
    ServiceSettings,
    TlsSettings,
    read_service_settings,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "service.md"


def example() -> str:
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_read_and_names_every_setting(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(example())
    read_service_settings(path)
    written = tomllib.loads(example())
    for name, field in ServiceSettings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            assert set(written[name]) == set(kind.model_fields) - {"enabled"}, name
    named = {key for one in written["destinations"] for key in one}
    assert named == set(DestinationSettings.model_fields)
    assert set(written["dicom"]["tls"]) == set(TlsSettings.model_fields)


def test_the_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    written, default = tomllib.loads(example()), ServiceSettings()
    for table, different in {
        "dicom": {"host", "calling", "tls"},
        "http": {"host", "names", "tls"},
        "store": set(),
        "work": set(),
        "results": {"least_score"},
    }.items():
        for key, value in written[table].items():
            if key not in different:
                known = getattr(getattr(default, table), key)
                assert (list(known) if isinstance(known, tuple) else known) == value, (table, key)
