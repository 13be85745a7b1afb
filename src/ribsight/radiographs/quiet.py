"""pydicom at work without a word: it quotes values, and values name patients."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom.config


@contextmanager
def silent_pydicom() -> Iterator[None]:
    """Keep pydicom from warning and logging: it quotes values, which may name the patient."""
    logger = pydicom.config.logger
    was_disabled, level = logger.disabled, logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.disabled = True
        # Loggers of modules below it ask for its level, not whether it is disabled.
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.disabled = was_disabled
            logger.setLevel(level)


@contextmanager
def unchecking_pydicom() -> Iterator[None]:
    """Let pydicom neither warn nor log nor check values, which takes its time."""
    settings = pydicom.config.settings
    before = settings.reading_validation_mode
    with silent_pydicom():
        settings.reading_validation_mode = pydicom.config.IGNORE
        try:
            yield
        finally:
            settings.reading_validation_mode = before
