"""Content Sync keeps a library of reviewed documents correct and up to date."""


def __getattr__(name: str) -> str:
    """Return the version of the installed package, which `pyproject.toml` states.

    It is read only when needed, because importlib.metadata takes a tenth of a command's start.
    """
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415 - see above

    return version("content-sync")
