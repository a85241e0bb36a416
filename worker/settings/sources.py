"""Where settings come from: the file, the environment, and files that hold secrets.

It knows nothing of what can be set; `worker.settings.model` does, and calls this.
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
#: Settings whose names end like those of secrets in files, and which are files themselves.
FILES_THEMSELVES = ("schema_file", "review__reviewers_file", "calendar__file")


def config_path() -> Path | None:
    """Return the settings file, None where there is none: the defaults hold."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise ConfigurationError(f"{CONFIG_VARIABLE} names {named}, which is not a file")
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None


def read_file() -> dict[str, Any]:
    """Return what the settings file says; raise `ConfigurationError` where it cannot be read."""
    path = config_path()
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def read_environment() -> dict[str, str]:
    """Return the variables that are settings, their names without the prefix and in small letters.

    A variable `…_FILE` gives what its file holds, as the one without that end; both are refused.
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
        try:
            found[setting] = Path(value).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{variable(name)} names {value}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise ConfigurationError(f"{variable(name)} names {value}: it is no text") from None
        del found[name]
    return found


def variable(name: str) -> str:
    """Return the environment variable of a setting, whose tables are told by `__`."""
    return f"{ENV_PREFIX}{name}".upper()


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message that names the nearest known name, empty where none is near."""
    import difflib  # noqa: PLC0415 - that a mistake alone needs

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
