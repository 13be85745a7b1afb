import errno
import os
import subprocess
import sys

import click
import pytest

from ribsight.cli import main as main_module
from ribsight.cli.main import main
from ribsight.errors import RibsightError

HEAVY = ("torch", "polars", "cv2", "numpy", "pydantic", "PIL")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    "use",
    [
        "import ribsight",
        "import ribsight.cli.main",
        "from ribsight.cli.main import cli; cli(['--help'], standalone_mode=False)",
        "from ribsight.cli.main import cli; cli(['cohort', 'build', '-h'], standalone_mode=False)",
    ],
)
def test_help_loads_nothing_heavy(use: str) -> None:
    done = run(f"import sys\n{use}\nprint([one for one in {HEAVY} if one in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_all_commands() -> None:
    done = run(
        "import sys; sys.argv = ['ribsight', '--help']\nfrom ribsight.cli.main import main; main()"
    )
    assert done.returncode == 0
    for command in (
        "simulate",
        "ingest",
        "deidentify",
        "label",
        "cohort",
        "regions",
        "train",
        "evaluate",
        "score",
        "compare",
        "learning-curve",
        "export",
        "predict",
        "results",
        "feedback",
        "serve",
        "audit",
        "calibrate",
        "monitor",
    ):
        assert f"  {command} " in done.stdout


@click.command()
@click.argument("kind")
def failing(kind: str) -> None:
    """Fail in the way asked for."""
    raise {
        "user": RibsightError("one sentence"),
        "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.npy"),
        "usage": click.UsageError("no such thing"),
        "interrupt": KeyboardInterrupt(),
        "bug": ValueError("a bug"),
        "other": OSError(errno.EIO, "disk"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "status", "sentence"),
    [
        ("user", 2, "ribsight: one sentence\n"),
        ("full", 2, "ribsight: a.npy: No space left on device\n"),
        ("usage", 2, "Error: no such thing\n"),
        ("interrupt", 130, "ribsight: interrupted\n"),
    ],
)
def test_a_failure_of_the_user_or_machine_is_one_sentence(
    kind: str,
    status: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(main_module, "cli", failing)
    monkeypatch.setattr(sys, "argv", ["ribsight", kind])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == status
    assert capsys.readouterr().err.endswith(sentence)


@pytest.mark.parametrize(("kind", "error"), [("bug", ValueError), ("other", OSError)])
def test_a_bug_keeps_its_traceback(
    kind: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_module, "cli", failing)
    monkeypatch.setattr(sys, "argv", ["ribsight", kind])
    with pytest.raises(error):
        main()


def test_an_unknown_command_is_a_usage_error() -> None:
    done = run(
        "import sys; sys.argv = ['ribsight', 'trian']\nfrom ribsight.cli.main import main; main()"
    )
    assert done.returncode == 2
    assert "No such command 'trian'" in done.stderr


def test_a_reader_that_goes_away_gives_no_traceback() -> None:
    code = (
        "import click, ribsight.cli.main as m\n"
        "@click.command()\n"
        "def many():\n"
        "    for _ in range(100000): click.echo('line')\n"
        "m.cli = many\n"
        "m.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert error == b""
