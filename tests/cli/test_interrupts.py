"""Ctrl-C while `ribsight` still imports what it needs: a real process and a real signal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SLEEPS = "import time; print('importing', flush=True); time.sleep(60)"
SWALLOWS = f"""
try:
    {SLEEPS}
except KeyboardInterrupt:
    raise SystemError('the module could not be initialized')
"""


@pytest.mark.parametrize(
    ("module", "code"), [("click", SLEEPS), ("polars", SLEEPS), ("polars", SWALLOWS)]
)
def test_an_interrupt_during_imports_is_one_line(module: str, code: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-m", "ribsight.cli.main", "cohort", "check", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error.strip()) == (130, "ribsight: interrupted")


def test_importing_the_command_line_leaves_signals_alone() -> None:
    code = (
        "import signal, ribsight.cli.main\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
