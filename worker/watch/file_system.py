"""What the file system of a folder cannot do: raise events of other machines, or say when a file changed.

Nothing is written into the folder to try it out; the type of the file system is looked up. Called by the
watcher and by `doctor`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: On these file systems, changes that another machine makes raise no event on this one.
SILENT = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "prl_fs", "afs"}
    | {"fakeowner", "fuse.sshfs", "fuse.grpcfuse", "fuse.osxfs", "fuse.s3fs", "fuse.rclone"}
)
#: On these, the ctime may be another time than that of the last change, such as the mtime. Theirs is what the
#: server says, and a server may say anything; FAT stores none.
_WITHOUT_CHANGE_TIMES = frozenset(
    {"cifs", "smb3", "smbfs", "9p", "drvfs", "vboxsf", "prl_fs", "vfat", "msdos", "exfat"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.grpcfuse", "fuse.osxfs"}
)


def without_change_times(root: str) -> str | None:
    """Return what to know about a folder whose file system may not say when files changed, or None."""
    kind = file_system_of(root)
    if kind not in _WITHOUT_CHANGE_TIMES:
        return None
    return (
        f"the folder is on {kind}, which may not say when a file changed: a file replaced by one of the same "
        "size with the same modification time is found by `content-sync sync --full`, which reads every file"
    )


def file_system_of(root: str) -> str | None:
    """Return the type of the file system that a folder is on, or None if it is unknown."""
    if sys.platform != "linux":
        return None
    try:
        device = Path(root).stat().st_dev
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in lines.splitlines():
        mount, _, rest = line.partition(" - ")
        if mount.split()[2] == wanted:
            return rest.split()[0]
    return None
