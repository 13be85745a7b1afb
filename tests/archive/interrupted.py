"""Runs `ingest` in forked copies of itself, so that a test can kill one at any moment.

    python interrupted.py ARCHIVE SOURCE...

For each line of standard input, one run: prints its process id, then, if it was not killed, `done`.
"""

import os
import sys
from pathlib import Path

from ribsight.archive.ingest import Options, ingest


def main(archive: Path, sources: list[Path]) -> None:
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            ingest(sources, archive, Options(processes=1, progress=False, shard_rows=4))
            os._exit(0)
        say(str(child))
        _, status = os.waitpid(child, 0)
        say("done" if status == 0 else "ended")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
