"""What a command does to the logging of the process that calls it: nothing that stays."""

from __future__ import annotations

import logging
import warnings

import pytest

from cli.console import OUR_LOGGERS, verbosity
from cli.main import main


def settings():
    """Everything that a command sets."""
    loggers = [logging.getLogger(name) for name in (None, *OUR_LOGGERS, "py.warnings")]
    return (
        [logger.level for logger in loggers],
        loggers[0].handlers[:],
        warnings.showwarning,
        verbosity(),
    )


@pytest.mark.parametrize("flags", [[], ["-q"], ["-q", "-q"], ["-v"], ["-vv"]])
@pytest.mark.parametrize("call", [["inspect", "no such file"], ["no such command"]])
@pytest.mark.parametrize("captured", [False, True])
def test_a_command_leaves_logging_as_it_found_it(capsys, call, flags, captured):
    """Whatever it was told to say, and however it ended; warnings stay captured where they were."""
    logging.captureWarnings(capture=captured)
    try:
        before = settings()
        with pytest.raises(SystemExit):
            main([*call, *flags])
        assert settings() == before
    finally:
        logging.captureWarnings(capture=False)
    assert "Error: " in capsys.readouterr().err
