"""Fill the tables of a page from kept results.

    python -m benchmarks.methods.report [docs/benchmark.md] [--check]

Between `<!-- results NAME -->` and `<!-- end -->` stands the table of
`benchmarks/methods/results/NAME.parquet`; all else of the page is written by people.
"""

import argparse
import re
import sys
from pathlib import Path

import polars as pl
from benchmarks.methods.table import markdown

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "benchmark.md"
_BLOCK = re.compile(r"(<!-- results (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, results: Path) -> str:
    """Return the page with every table made anew.

    Raises:
        FileNotFoundError: a table's results are not kept.

    """

    def block(found: re.Match[str]) -> str:
        table = markdown(pl.read_parquet(results / f"{found[2]}.parquet"))
        return f"{found[1]}\n{table}\n{found[3]}"

    return _BLOCK.sub(block, page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    asked = parser.parse_args()
    before = asked.page.read_text(encoding="utf-8")
    after = filled(before, RESULTS)
    if asked.check and after != before:
        sys.exit(f"{asked.page} is not what its results give: python -m benchmarks.methods.report")
    if not asked.check:
        asked.page.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
