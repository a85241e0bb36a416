"""`init` writes the files of a new library and overwrites no file."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from support.programs import run
from support.seeds import a_seed, write

from worker.cli.init import _CONFIG_FILES
from worker.settings.model import packaged_config

CHECKOUT = Path(__file__).parents[2]
FIRST = "seeds/first-page.md"


@pytest.fixture
def init(tmp_path):
    """Return a function that runs `init` in a folder and returns which files it wrote."""

    def init(folder=tmp_path):
        result = run("init", "--json", cwd=folder)
        assert result.returncode == 0, result.stderr
        answer = json.loads(result.stdout)
        assert answer["folder"] == str(folder)
        return {file["path"]: file["written"] for file in answer["files"]}

    return init


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_new_library_is_valid_and_its_page_is_stored(tmp_path):
    result = run("init", cwd=tmp_path, env={"COLUMNS": "80"})
    assert (result.returncode, result.stderr) == (0, "")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    assert run("validate", "--strict", cwd=tmp_path).returncode == 0
    assert json.loads(run("sync", "--json", cwd=tmp_path).stdout)["new"] == 1
    checks = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)["checks"]
    said = {check["name"]: check["detail"] for check in checks}
    assert said["settings"] == "config/content-sync.toml"
    assert said.get("inotify", "1 folder to watch, ").startswith("1 folder to watch, ")


def test_each_file_is_listed_with_a_description(tmp_path):
    *lines, following = run("init", cwd=tmp_path).stdout.splitlines()
    listed = [line.split(maxsplit=2) for line in lines]
    assert {path for _, path, _ in listed} == set(files_in(tmp_path))
    assert {done for done, _, _ in listed} == {"wrote"}
    assert len({what for _, _, what in listed}) == len(lines)
    assert following == "Next: content-sync validate, then content-sync up"


def test_init_writes_the_files_of_the_package(tmp_path, init):
    init()
    for path in (path for path in packaged_config().rglob("*") if path.is_file()):
        name = path.relative_to(packaged_config()).as_posix()
        if name not in {"Dockerfile", "compose.toml", "templates/.gitkeep"}:
            assert (tmp_path / "config" / name).read_bytes() == path.read_bytes()


def test_the_wheel_contains_every_file_that_init_writes():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for name in _CONFIG_FILES:
        holder = name.partition("/")[0]
        assert included[f"config/{holder}"] == f"worker/_config/{holder}"


def test_git_ignores_the_database_and_review_plans(tmp_path, init):
    init()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    run("sync", cwd=tmp_path)
    write(tmp_path / "review-plan.csv", "")
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {line.split()[1] for line in status.stdout.splitlines()} == {
        *(f"config/{name}" for name in _CONFIG_FILES),
        *(FIRST, ".gitignore"),
    }


def test_a_second_init_changes_nothing_and_says_so(tmp_path, init):
    assert all(init().values())
    write(tmp_path / "config" / "reviewers", "* @asha\n")
    before = files_in(tmp_path)
    assert not any(init().values())
    said = run("init", cwd=tmp_path).stdout
    assert said.count("it exists already") == len(before)
    assert files_in(tmp_path) == before


def test_missing_files_are_written_and_existing_ones_stay(tmp_path, init):
    write(tmp_path / ".gitignore", "mine")
    write(tmp_path / "config" / "content-sync.toml", "# mine")
    done = init()
    assert {path for path, written in done.items() if not written} == {
        *(".gitignore", "config/content-sync.toml")
    }
    assert (tmp_path / ".gitignore").read_text() == "mine"
    assert (tmp_path / "config" / "content-sync.toml").read_text() == "# mine"


def test_a_folder_with_pages_gets_no_first_page(tmp_path, seeds, init):
    write(seeds / "a.md", a_seed())
    assert FIRST not in init()
    assert list(files_in(seeds)) == ["a.md"]


@pytest.mark.parametrize("exists", [True, False])
def test_init_writes_through_no_link(tmp_path, init, exists):
    outside = tmp_path / "outside"
    if exists:
        write(outside, "theirs")
    folder = tmp_path / "library"
    (folder / "config").mkdir(parents=True)
    for name in ("reviewers", "seed.schema.json"):
        (folder / "config" / name).symlink_to(outside)
    done = init(folder)
    assert (done["config/reviewers"], done["config/seed.schema.json"]) == (False, False)
    assert outside.exists() == exists
    if exists:
        assert outside.read_text() == "theirs"


def test_a_file_in_place_of_a_folder_is_reported_in_one_line(tmp_path):
    write(tmp_path / "config", "a file")
    result = run("init", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr == f"content-sync: {tmp_path}/config is not a folder\n"
    assert (tmp_path / "config").read_text() == "a file"


def test_a_full_disk_leaves_no_partial_file(tmp_path):
    (tmp_path / "config").mkdir()
    # No file can grow, as on a full disk.
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from worker.cli import run_command; sys.exit(run_command(['init']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr == (
        f"content-sync: cannot write {tmp_path}/config/content-sync.toml: File too large\n"
    )
    assert files_in(tmp_path) == {}


def test_inside_the_seeds_folder_of_a_library_it_writes_nothing(tmp_path, init):
    init()
    before = files_in(tmp_path)
    result = run("init", cwd=tmp_path / "seeds")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert f"is inside the seeds folder {tmp_path}/seeds" in result.stderr
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("flag", ["--seeds", "--store-url", "--broker-url"])
def test_init_ignores_settings_for_other_places(tmp_path, flag):
    result = run(flag, "x", "init", cwd=tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []
