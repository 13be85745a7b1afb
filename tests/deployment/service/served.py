"""`ribsight serve` as a process, as a user starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import requests
from tests.deployment.service.clients import free_port


class Served:
    """A service that runs as a process of its own until `stop`."""

    def __init__(self, folder: Path, model: Path, config: str = "", **variables: str):
        """Start it in `folder`, with free ports put before the tables of `config`."""
        self.data = folder / "data"
        self.dicom, self.http = free_port(), free_port()
        path = folder / "service.toml"
        ports = f"dicom.port = {self.dicom}\nhttp.port = {self.http}\nresults.least_score = 0.98\n"
        ports += "store.reserve_megabytes = 1.0\nstore.result_megabytes = 0.5\n"
        path.write_text(ports + config)
        self._log = folder / "service.log"
        command = [sys.executable, "-m", "ribsight.cli.main", "serve", "--model", str(model),
                   "--data", str(self.data), "--config", str(path)]  # fmt: skip
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **variables}
            )
        self.url = f"http://127.0.0.1:{self.http}"
        self._wait_until_up()

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text()

    def health(self) -> dict[str, Any]:
        """Return what it says of itself."""
        return dict(requests.get(f"{self.url}/health", timeout=10).json())

    def wait_until_done(self, seconds: float = 120.0) -> None:
        """Wait until no image and no object waits."""
        until = time.monotonic() + seconds
        while (said := self.health())["waiting"] or sum(said["undelivered"].values()):
            assert time.monotonic() < until, f"{said}\n{self.log}"
            time.sleep(0.1)

    def stop(self) -> int:
        """Stop it as systemd does; return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of its audit log."""
        lines = (self.data / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _wait_until_up(self) -> None:
        until = time.monotonic() + 120
        while True:
            try:
                self.health()
            except requests.RequestException:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < until, self.log
                time.sleep(0.1)
            else:
                return
