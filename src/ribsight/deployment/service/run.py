"""`ribsight serve`: one service in this process, until a signal comes."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from ribsight.deployment.at_work import DetectorAtWork
from ribsight.deployment.results import ResultOptions
from ribsight.deployment.service.context import open_context
from ribsight.deployment.service.doors import read_secrets, refuse_open_doors
from ribsight.deployment.service.logs import start_logging
from ribsight.deployment.service.objects import options_of
from ribsight.deployment.service.serve import Service
from ribsight.deployment.service.settings import read_service_settings
from ribsight.errors import RibsightError


def run(load: Callable[[], DetectorAtWork], data: Path, config: Path | None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status.

    Args:
        load: reads the model, once settings are known to be in order.
        data: the data folder; made if missing.
        config: a TOML file of `ServiceSettings`; all defaults without one.

    Raises:
        RibsightError: anything that keeps the service from starting.
    """
    settings, secrets = read_service_settings(config), read_secrets()
    refuse_open_doors(settings, secrets)
    options = options_of(settings.results)
    os.umask(0o077)
    start_logging()
    detector = load()
    _refuse_silence(detector, options)
    context = open_context(settings, secrets, detector, data)
    try:
        service = Service(context, options)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: context.stopping.set())
        service.start()
        is_well = service.wait()
    except BaseException:
        context.stopping.set()
        context.close()
        raise
    is_done = service.stop()
    context.close()
    status = 0 if is_well else 1
    if not is_done:
        # A thread of native code cannot be ended, and would be torn apart by an ordinary exit.
        sys.stderr.flush()
        os._exit(status)
    return status


def _refuse_silence(detector: DetectorAtWork, options: ResultOptions) -> None:
    """Refuse a model of which no mark would be reported, so that every image seemed normal.

    Raises:
        RibsightError: a finding has no thresholds, and there is no least score.
    """
    bare = [name for name in detector.findings if name not in detector.levels]
    if bare and options.least_score is None:
        raise RibsightError(
            f"the model has no thresholds for {', '.join(bare)}, so nothing would be reported: run "
            "ribsight calibrate, or set least_score in [results]"
        )
