"""A command loads only what it needs, because loading takes most of the time of a small one."""

import json
import subprocess
import sys

import pytest
from support.programs import clean_environment, run
from support.seeds import a_seed, write

from worker.settings.model import packaged_config

#: What takes in, compares, sends, watches, upgrades or speaks to servers.
NOT_TO_READ_A_STORE = (
    *("alembic", "apprise", "celery", "frontmatter", "httpx", "icalendar", "jinja2", "kombu"),
    *("jsonschema_rs", "markdown_it", "psycopg", "pygit2", "redis", "smtplib", "watchdog", "yaml"),
    *("sqlalchemy.dialects.postgresql", "sqlalchemy.orm"),
    *(
        "worker.ingest.attempts",
        "worker.messages.deliver",
        "worker.messages.digest",
        "worker.domain.changes.change",
        "worker.domain.folder.decide",
    ),
    *(
        "worker.domain.rules.rules",
        "worker.domain.seeds.seed",
        "worker.ingest.batch",
        "worker.store.notices",
    ),
    *(
        "worker.library.services",
        "worker.library.timeline",
        "worker.watch",
        "worker.cli.check",
        "worker.cli.run",
    ),
)
NOT_FOR_A_FIRST_SYNC = (
    *("alembic", "apprise", "celery", "httpx", "icalendar", "jinja2", "kombu", "markdown_it"),
    *("psycopg", "pygit2", "redis", "smtplib", "sqlalchemy.dialects.postgresql", "watchdog"),
    *("worker.messages.deliver", "worker.domain.changes.change"),
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
    heavy += ("importlib.metadata", "click.shell_completion")

    assert loaded(("--help",), heavy) == []


def test_help_loads_few_modules(tmp_path):
    code = (
        "import sys; before = len(sys.modules); from worker.cli import run_command;"
        "run_command(['--help']); print(len(sys.modules) - before, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stderr) < 150


@pytest.mark.parametrize(
    "command", [("status",), ("history", "a.md"), ("list",), ("due",), ("notices",)], ids=" ".join
)
def test_a_command_that_reads_loads_only_modules_that_read(tmp_path, loaded, command):
    run("sync", cwd=tmp_path)

    assert loaded(command, NOT_TO_READ_A_STORE) == []


def test_a_first_sync_loads_no_module_that_compares_or_sends(loaded):
    assert loaded(("sync",), NOT_FOR_A_FIRST_SYNC) == []


def test_a_worker_loads_everything_before_its_first_message():
    code = (
        "import sys; from worker.run.tasks import preload; preload();"
        "needed = {'worker.ingest.attempts', 'worker.ingest.batch', 'worker.messages.deliver',"
        "'worker.reviews.sweep', 'worker.domain.changes.change', 'pygit2'};"
        "assert needed <= set(sys.modules), needed - set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["up", "worker", "sync", "doctor", "validate"])
def test_commands_that_check_documents_end_at_start_with_an_unusable_schema(
    tmp_path, seeds, command
):
    write(seeds / "a.md", a_seed())
    assert run("sync", cwd=tmp_path).returncode == 0
    schema = json.loads((packaged_config() / "seed.schema.json").read_text(encoding="utf-8"))
    schema["properties"]["url"]["pattern"] = "("
    write(tmp_path / "schema.json", json.dumps(schema))
    env = {"CONTENT_SYNC_SCHEMA_FILE": str(tmp_path / "schema.json")}
    if command == "worker":
        env["CONTENT_SYNC_BROKER_URL"] = "redis://localhost:1/0"

    result = run(command, cwd=tmp_path, env=env)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "schema.json is not a usable schema: the schema is not a JSON Schema" in result.stderr
    assert "Traceback" not in result.stderr
