"""A command loads what it needs and no more: loading is most of what a small one takes."""

import subprocess
import sys

import pytest
from support import a_seed, clean_environment, run, write

#: What takes in, compares, sends, watches, upgrades or speaks to servers.
NOT_TO_READ_A_STORE = (
    *("alembic", "apprise", "celery", "frontmatter", "httpx", "icalendar", "jinja2", "kombu"),
    *("markdown_it", "psycopg", "pygit2", "redis", "smtplib", "watchdog", "yaml"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.orm"),
    *(
        "worker.claim",
        "worker.deliver",
        "worker.digest",
        "worker.domain.change",
        "worker.domain.plan",
    ),
    *("worker.domain.rules", "worker.domain.seed", "worker.ingest", "worker.store.notices"),
    *("worker.timeline", "worker.watch", "worker.cli.check", "worker.cli.run"),
)
NOT_FOR_A_FIRST_SYNC = (
    *("alembic", "apprise", "celery", "httpx", "icalendar", "jinja2", "kombu", "markdown_it"),
    *("psycopg", "pygit2", "redis", "smtplib", "sqlalchemy.dialects.postgresql", "watchdog"),
    *("worker.deliver", "worker.domain.change"),
)


@pytest.fixture
def loaded(tmp_path, seeds):
    """Return a function that runs a command and returns which of these modules it loaded."""
    write(seeds / "a.md", a_seed())

    def loaded(arguments, modules):
        code = (
            "import sys; from worker.cli import run_command; code = run_command(sys.argv[2:]);"
            "print(*(set(sys.argv[1].split()) & set(sys.modules)), file=sys.stderr);"
            "sys.exit(code)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code, " ".join(modules), *arguments],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stderr.split()

    return loaded


def test_help_loads_nothing_heavy(loaded):
    heavy = ("rich", "pydantic", "celery", "sqlalchemy", "apprise", "watchdog")

    assert loaded(("--help",), heavy) == []


@pytest.mark.parametrize(
    "command", [("status",), ("history", "a.md"), ("list",), ("due",), ("notices",)], ids=" ".join
)
def test_a_command_that_reads_loads_only_what_reads(tmp_path, loaded, command):
    run("sync", cwd=tmp_path)

    assert loaded(command, NOT_TO_READ_A_STORE) == []


def test_a_first_sync_loads_nothing_that_compares_or_sends(loaded):
    assert loaded(("sync",), NOT_FOR_A_FIRST_SYNC) == []


def test_a_worker_has_loaded_all_before_its_first_message():
    code = (
        "import sys; from worker.tasks import preload; preload();"
        "needed = {'worker.claim', 'worker.deliver', 'worker.domain.change', 'worker.ingest',"
        "'worker.reviews', 'pygit2'};"
        "assert needed <= set(sys.modules), needed - set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
