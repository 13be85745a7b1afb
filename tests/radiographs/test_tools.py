"""The tools about radiographs run, on a little."""

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_mutated_files_give_a_radiograph_or_a_reason() -> None:
    tool = str(TOOLS / "fuzz_radiographs.py")
    command = [sys.executable, tool, "--files", "60", "--seed", "1"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.startswith("60 mutated files")
    counted = [line.split("|") for line in printed.split("| became | files |")[1].splitlines()]
    assert sum(int(one[2]) for one in counted if len(one) == 4 and one[2].strip().isdigit()) == 60
