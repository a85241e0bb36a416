"""The errors that the service raises on purpose. A bad seed is a value, not one of these."""

from __future__ import annotations


class ContentSyncError(Exception):
    """Something that a person can fix; the message says what, where and how, in one line."""


class ConfigurationError(ContentSyncError):
    """A setting is missing, unknown or unusable."""


class StoreUnavailableError(ContentSyncError):
    """The database cannot be reached, or has another revision than this version needs."""


class StoreReplacedError(ContentSyncError):
    """The store's file was deleted or replaced, or lies beside another's `-wal`: the process must end."""


class RowRefusedError(ContentSyncError):
    """The database refuses a row whatever happens next, for example because it cannot hold a value.

    The fault is in one file of a batch: the others can be ingested without it.
    """


class OtherJudgeError(ContentSyncError):
    """The watcher that sent a batch judges by other rules or settings than this process."""


class BrokerUnavailableError(ContentSyncError):
    """Redis cannot be reached."""


class BackupError(ContentSyncError):
    """A backup cannot be written or restored; the store is as it was."""


class CursorLostError(ContentSyncError):
    """A program has processed an event that the store does not have: a backup was restored."""


class AlreadyRunningError(ContentSyncError):
    """Another process already does this work on the same store."""


class ChannelError(ContentSyncError):
    """A message was not delivered. `permanent` means that another attempt cannot help."""

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: float | None = None
    ) -> None:
        """Keep the reason, and the seconds after which the other side wants the next attempt."""
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
