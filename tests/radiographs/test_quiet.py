"""pydicom says nothing while ribsight reads: neither its own logger nor those below it."""

import logging
import warnings

import pydicom.config
import pytest

from ribsight.radiographs.quiet import silent_pydicom, unchecking_pydicom


@pytest.mark.parametrize("quiet", [silent_pydicom, unchecking_pydicom])
def test_no_logger_of_pydicom_speaks(
    quiet: object, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    assert callable(quiet)
    with caplog.at_level(logging.DEBUG), quiet():
        pydicom.config.logger.error("SECRET")
        logging.getLogger("pydicom.anything.below").error("SECRET")
        warnings.warn("SECRET", stacklevel=1)
    assert caplog.text == ""
    assert not list(recwarn)
    logging.getLogger("pydicom.anything.below").error("heard again")
    assert "heard again" in caplog.text


def test_values_are_not_checked_and_are_checked_again_afterwards() -> None:
    mode = pydicom.config.settings.reading_validation_mode
    with unchecking_pydicom():
        assert pydicom.config.settings.reading_validation_mode == pydicom.config.IGNORE
    assert pydicom.config.settings.reading_validation_mode == mode
