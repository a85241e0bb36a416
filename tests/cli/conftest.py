"""Restore logging after tests that run commands in this process: commands configure it."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _the_log_as_it_was():
    root = logging.getLogger()
    handlers = list(root.handlers)
    loggers = [root, *(logging.getLogger(name) for name in logging.Logger.manager.loggerDict)]
    levels = {logger: logger.level for logger in loggers}
    yield
    root.handlers[:] = handlers
    known = [root, *(logging.getLogger(name) for name in logging.Logger.manager.loggerDict)]
    for logger in known:
        logger.setLevel(levels.get(logger, logging.NOTSET))
