"""What happens to services, on a small scale: `tools/break_service.py` has the large one."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "break_service.py"


def can_mount(folder: Path) -> bool:
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def test_promises_hold_through_kills_damaged_files_an_outage_and_a_full_disk(
    tmp_path: Path,
) -> None:
    scenarios = ["kills", "mutants", "outage"]
    if can_mount(tmp_path):
        scenarios.append("full-disk")
    small = ["--lives", "10", "--seconds", "1", "--files", "100", "--away", "2", "--images", "8"]
    done = subprocess.run(
        [sys.executable, str(TOOL), *scenarios, *small],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all promises kept") == len(scenarios)
    if len(scenarios) == 3:
        pytest.skip("a small file system cannot be mounted here: no full disk; the rest held")
