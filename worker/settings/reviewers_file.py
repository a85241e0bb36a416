"""Reads the reviewers file, which says who answers for documents that name nobody.

Called by `worker.settings.policy`.
"""

from __future__ import annotations

from pathlib import Path

from worker.domain.reviews.owners import Owners, parse_owners
from worker.errors import ConfigurationError
from worker.settings.model import Settings

NAME = "reviewers"


def load_owners(settings: Settings) -> Owners:
    """Return the owners in the reviewers file: the one the settings name, or that beside them.

    Only a file that the settings name must exist. Raises `ConfigurationError`, with the line, when the
    file is unusable.
    """
    named = settings.review.reviewers_file
    return read_owners(named or settings.beside(NAME), may_be_absent=named is None)


def read_owners(path: Path, *, may_be_absent: bool = False) -> Owners:
    """Return the owners in a reviewers file; raise `ConfigurationError` when it is unusable."""
    try:
        return parse_owners(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        if may_be_absent:
            return Owners()
        raise ConfigurationError(f"the reviewers file {path.absolute()} does not exist") from error
    except OSError as error:
        raise ConfigurationError(
            f"the reviewers file {path} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the reviewers file {path} is not UTF-8") from error
    except ValueError as error:
        raise ConfigurationError(f"{path}, {error}") from error
