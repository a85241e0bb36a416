"""Where settings come from: the settings file, the environment, and files that hold secrets.

This module does not know which settings exist; `worker.settings.model` does, and calls it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from worker.errors import ConfigurationError

ENV_PREFIX = "CONTENT_SYNC_"
CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
DEFAULT_CONFIG = Path("config/content-sync.toml")
#: Settings that end in `_file` and name a file themselves: their variables hold no secret.
FILES_THEMSELVES = ("schema_file", "review__reviewers_file", "calendar__file")


def config_path() -> Path | None:
    """Return the settings file, or None when there is none and the defaults apply.

    Without `CONTENT_SYNC_CONFIG` it is the first `config/content-sync.toml` in the working directory or
    a folder above it.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        if not os.path.isfile(named):  # noqa: PTH113 - a folder that cannot be searched is no error
            raise ConfigurationError(
                f"{CONFIG_VARIABLE} names {Path(named).absolute()}, which is not a file"
            )
        return Path(named)
    folders = (Path(), *working_directory().parents)
    return next(filter(os.path.isfile, (folder / DEFAULT_CONFIG for folder in folders)), None)


def working_directory() -> Path:
    """Return the working directory; raise `ConfigurationError` when it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigurationError(
            "the working directory no longer exists: change to another"
        ) from None


def read_file(path: Path | None) -> dict[str, Any]:
    """Return the content of the settings file; raise `ConfigurationError` when it cannot be read."""
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def read_environment() -> dict[str, str]:
    """Return the variables that are settings: lower-case names without the prefix.

    A variable `…_FILE` sets the value to the content of the file it names. Setting both forms is an
    error.
    """
    found = {
        name.removeprefix(ENV_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(ENV_PREFIX)
    }
    for name, value in list(found.items()):
        if not name.endswith("_file") or name in FILES_THEMSELVES or not value:
            continue
        setting = name.removesuffix("_file")
        if found.get(setting):
            raise ConfigurationError(f"set {variable(setting)} or {variable(name)}, not both")
        path = Path(value).absolute()
        try:
            found[setting] = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{variable(name)} names {path}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ConfigurationError(f"{variable(name)} names {path}: it is not text") from None
        del found[name]
    return found


def variable(name: str) -> str:
    """Return the environment variable of a setting; `__` separates a table from its keys."""
    return f"{ENV_PREFIX}{name}".upper()


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that suggests the nearest known name; empty when none is near."""
    import difflib  # noqa: PLC0415 - only a mistake needs it

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
