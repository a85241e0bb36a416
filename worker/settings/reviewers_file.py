"""Reads the file that says who answers for documents that name nobody. Called by `worker.settings.policy`."""

from __future__ import annotations

from pathlib import Path

from worker.domain.reviews.owners import Owners, parse_owners
from worker.errors import ConfigurationError
from worker.settings.model import Settings

NAME = "reviewers"


def load_owners(settings: Settings) -> Owners:
    """Return the reviewers file that the settings name, or the one beside the settings file.

    Only the latter may be absent: then nobody answers for what names nobody. Raises
    `ConfigurationError`, with the line, where the file is unusable.
    """
    named = settings.review.reviewers_file
    return read_owners(named or settings.beside(NAME), may_be_absent=named is None)


def read_owners(path: Path, *, may_be_absent: bool = False) -> Owners:
    """Return what one reviewers file says; raise `ConfigurationError` where it is unusable."""
    try:
        return parse_owners(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        if may_be_absent:
            return Owners()
        raise ConfigurationError(f"there is no reviewers file {path}") from error
    except OSError as error:
        raise ConfigurationError(
            f"the reviewers file {path} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the reviewers file {path} is not UTF-8") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}, {error}") from error
