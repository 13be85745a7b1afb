"""Reading JSON so that what is wrong is said in one sentence."""

import json
from pathlib import Path
from typing import Any

from ribsight.errors import RibsightError


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises RibsightError if it is missing or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise RibsightError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise RibsightError(f"{path} is not valid JSON: {error}") from error
