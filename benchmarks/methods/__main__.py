"""Train and compare the methods of a plan.

    python -m benchmarks.methods PLAN.toml --cohort COHORT --out RESULTS [--jobs 2]

COHORT is built and split, all its regions revealed. Run it again to go on: finished trainings are
kept, an interrupted one resumes. RESULTS gets a folder a training, results.parquet and table.md.
With --elsewhere OTHER finished trainings are compared on the test split of another cohort with the
same findings, and nothing is trained.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.methods.plan import Plan, Unit, read_plan, stage1_of, units


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--unit", help=argparse.SUPPRESS)
    parser.add_argument("--only-compare", action="store_true", help="train nothing")
    parser.add_argument(
        "--elsewhere", type=Path, metavar="COHORT", help="compare on another cohort"
    )
    asked = parser.parse_args()
    plan = read_plan(asked.plan)
    if asked.unit:
        _train_here(Unit.model_validate_json(asked.unit), plan, asked)
        return
    failed = 0 if asked.only_compare or asked.elsewhere else _train_all(plan, asked)
    _compare(plan, asked)
    if failed:
        sys.exit(f"{failed} trainings failed")


def _train_here(unit: Unit, plan: Plan, asked: argparse.Namespace) -> None:
    import torch
    from benchmarks.methods.runs import run_unit

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // asked.jobs))
    run_unit(unit, plan, asked.plan, asked.cohort, asked.out)


def _train_all(plan: Plan, asked: argparse.Namespace) -> int:
    """Return how many trainings failed."""
    failed = 0
    with_stage1: list[Unit] = []
    after: list[Unit] = []
    for unit in units(plan):
        trains_stage1 = stage1_of(plan, asked.plan, unit) == unit
        (with_stage1 if trains_stage1 else after).append(unit)
    for part in (with_stage1, after):
        with ThreadPoolExecutor(asked.jobs) as pool:
            failed += sum(pool.map(lambda one: _train_apart(one, asked), part))
    return failed


def _train_apart(unit: Unit, asked: argparse.Namespace) -> bool:
    """Train in a process of its own, so that a crash is one unit's; return whether it failed."""
    start = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.methods", str(asked.plan)]
    command += ["--cohort", str(asked.cohort), "--out", str(asked.out), "--jobs", str(asked.jobs)]
    done = subprocess.run([*command, "--unit", unit.model_dump_json()], check=False)
    state = "done" if done.returncode == 0 else f"failed ({done.returncode})"
    print(f"{unit.folder}: {state}, {time.monotonic() - start:.0f} s", flush=True)
    return done.returncode != 0


def _compare(plan: Plan, asked: argparse.Namespace) -> None:
    from benchmarks.methods.compare import compare
    from benchmarks.methods.table import markdown

    rows = compare(plan, asked.out, asked.cohort, tuple(plan.references), asked.elsewhere)
    rows.write_parquet(asked.out / "results.parquet")
    text = markdown(rows)
    (asked.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
