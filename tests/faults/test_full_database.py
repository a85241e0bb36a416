"""PostgreSQL runs out of space while people write: the service recovers by itself and loses nothing."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import psycopg
from faults.deployment import deployment
from faults.namespace import inside, require_namespaces, seen_by
from support.seeds import a_seed, write
from support.servers import PostgresServer
from support.waiting import wait_until

SHELL = "/bin/sh"
MEBIBYTES = 160
PAGES = 40
PAGE_BYTES = 50_000


class SmallPostgres(PostgresServer):
    """A PostgreSQL whose data lie on a disk of their own, which can be filled; it starts once.

    The disk is mounted in a namespace where the server would be root, which it refuses to be: so it
    gets a second one, where it is somebody.
    """

    def _command(self) -> list[str]:
        disk, data = self.folder / "disk", self.folder / "data"
        disk.mkdir(mode=0o755, exist_ok=True)
        os.chown(disk, self.account.user_id, self.account.group_id)
        script = (
            f"mount -t tmpfs -o size={MEBIBYTES}m,mode=755 tmpfs '{disk}'; cp -a '{data}' '{disk}/data';"
            f" : > '{disk}/ballast';"
            ' set -- unshare --user --map-user=1000 setpriv --pdeathsig QUIT "$@"'
        )
        command = [part.replace(str(data), f"{disk}/data") for part in super()._command()]
        return [SHELL, "-c", 'exec "$@"', SHELL, *inside(script), *command]

    def _is_ready(self) -> bool:
        try:
            psycopg.connect(self.url().replace("+psycopg", ""), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def fill(self) -> None:
        """Take all the room that is left."""
        with suppress(OSError), self._ballast.open("r+b", buffering=0) as ballast:
            while True:
                ballast.write(bytes(64 * 1024))

    def free(self) -> None:
        """Give the room back."""
        os.truncate(self._ballast, 0)

    @property
    def _ballast(self) -> Path:
        return seen_by(self.pid, self.folder / "disk" / "ballast")


def test_a_full_database_only_delays_pages(tmp_path: Path):
    require_namespaces()
    with SmallPostgres() as postgres, deployment(tmp_path, postgres=postgres) as deployed:
        deployed.settles()
        postgres.fill()
        for number in range(PAGES):
            text = random.Random(number).randbytes(PAGE_BYTES).hex(" ", 4)  # nothing to compress
            body = f"# Late {number}\n\nA page that came when there was no room.\n\n{text}\n"
            write(deployed.seeds / f"late/{number}.md", a_seed(title=f"Late {number}", body=body))
        wait_until(lambda: "No space left on device" in postgres.log.read_text(), what="no room")
        assert deployed.library.differences()
        assert not deployed.revive()

        postgres.free()
        deployed.settles()
        assert not deployed.revive()
