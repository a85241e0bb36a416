"""What commands show on terminals of two sizes: paths stay whole, and text wraps at words."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from support.programs import on_a_terminal, run, started
from support.seeds import a_seed, write
from support.waiting import wait_until

TODAY = datetime.now(UTC).date()
SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((140, 40), id="140x40")]
FOLDER = "02_nci_core/dictionaries"
LONG = f"{FOLDER}/cancer-terms-definition-survivorship-care-plan.md"  # 74 characters
LONGER = f"{FOLDER}/cancer-terms-definition-survivorship-care-plan-for-family-caregivers.md"
REFUSED = f"{FOLDER}/cancer-terms-definition-treatment-schedule-and-summary.md"
TITLE = "A definition of the survivorship care plan, for people who help a person with cancer"
SETTINGS = """\
[channels.console]
kind = "console"

[routes.the-oncology-team-of-the-north]
channel = "console"
owners = ["asha.rao@oncology.example.org"]

[routes.desk]
channel = "console"
fallback = true

[review]
timezone = "Asia/Kolkata"
"""
#: A command, and the paths that it shows.
COMMANDS = [
    ("list", (LONG, LONGER)),
    ("due", (LONG, LONGER)),
    ("notices", (LONG, REFUSED)),
    ("owners", (LONG,)),
    ("owners --orphaned", (LONG,)),
    ("approve --show", (f"{FOLDER}/removed-page-number-09-with-a-long-name-of-its-own.md",)),
    ("status", (REFUSED,)),
    (f"history {LONGER}", (LONGER,)),
    (f"why {LONGER}", (LONGER,)),
    ("doctor", ()),
    ("verify", (LONGER,)),
    ("rules", ()),
    (f"diff {LONGER} --file", (LONGER,)),
    (f"validate seeds/{REFUSED}", (f"seeds/{REFUSED}",)),
    ("remind --on 2126-01-01 --dry-run", (LONG, LONGER)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a library of long paths; twelve files are gone, and one is refused."""
    folder = tmp_path_factory.mktemp("library")
    seeds = folder / "seeds"
    write(folder / "config" / "content-sync.toml", SETTINGS)
    write(seeds / LONG, a_seed(title=TITLE, lastReviewed="2024-01-10"))
    owner = "asha.rao@oncology.example.org"
    for age in (10, 20):
        text = a_seed(
            title=TITLE + "!" * age, lastReviewed=str(TODAY - timedelta(age)), owner=owner
        )
        write(seeds / LONGER, text)
        run("sync", cwd=folder)
    removed = [
        write(
            seeds / FOLDER / f"removed-page-number-{number:02}-with-a-long-name-of-its-own.md",
            a_seed(title=f"Page {number}", lastReviewed=str(TODAY), owner=owner),
        )
        for number in range(12)
    ]
    write(seeds / REFUSED, a_seed(status="actve", license="nothing"))
    run("sync", cwd=folder)
    for path in removed:
        path.unlink()
    run("sync", cwd=folder)
    run("remind", cwd=folder)
    database = sqlite3.connect(folder / "var" / "content-sync.db")
    with database:  # a breach for `verify` to show
        database.execute("UPDATE documents SET title = 'Another' WHERE path = ?", (LONGER,))
    database.close()
    return folder


def shown_by(folder, command, size):
    columns, rows = size
    shown, _ = on_a_terminal(*command.split(" "), cwd=folder, columns=columns, rows=rows)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    return [line for line in plain.splitlines() if "━━ " not in line or "/" not in line]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("command", "paths"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_no_path_is_cut_and_no_line_is_wider_than_the_terminal(folder, command, paths, size):
    lines = shown_by(folder, command, size)
    for path in paths:
        assert any(path in line for line in lines), "\n".join(lines)
    too_wide = [line for line in lines if len(line) > size[0]]
    # Only a line that a path fills alone may be wider.
    assert all(" " not in line.strip() for line in too_wide), "\n".join(too_wide)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("command", ["explain CS073", "list --state nonsense"])
def test_sentences_wrap_at_words(folder, command, size):
    lines = shown_by(folder, command, size)
    assert max(map(len, lines)) <= size[0]
    words = run(*command.split(" "), cwd=folder)
    assert " ".join(lines).split() == (words.stdout + words.stderr).split()


@pytest.mark.parametrize("size", SIZES)
def test_the_digest_on_the_console_wraps_at_words(folder, size):
    command = "notify-test --preview desk"
    lines = shown_by(folder, command, size)
    too_wide = [line for line in lines if len(line) > size[0]]
    assert all(" " not in line.strip().removeprefix("- ") for line in too_wide)
    piped = run(*command.split(" "), cwd=folder).stdout
    assert " ".join(lines).split() == piped.split()
    assert any(LONG in line for line in lines)


@pytest.mark.parametrize("size", SIZES)
def test_a_narrow_list_shortens_titles(folder, size):
    lines = shown_by(folder, "list", size)
    assert not any(TITLE in line for line in lines)
    assert all("…" in line for line in lines if line.lstrip().startswith("A definition"))


@pytest.mark.parametrize("size", SIZES)
def test_orphaned_lists_only_documents_that_nobody_answers_for(folder, size):
    lines = shown_by(folder, "owners --orphaned", size)
    assert [line.strip() for line in lines] == ["Orphaned: 1 document", LONG]
    assert lines != shown_by(folder, "owners", size)


@pytest.mark.parametrize("size", SIZES)
def test_a_forecast_ends_with_the_last_week_that_has_work(folder, size):
    lines = shown_by(folder, "due --forecast", size)
    weeks = [line for line in lines if re.match(r"\d{4}-W\d\d", line)]
    assert 1 < len(weeks) < 26
    assert "━" in weeks[-1]
    later = shown_by(folder, "due --forecast --on 2126-01-01", size)
    assert not any(re.match(r"\d{4}-W\d\d", line) for line in later)
    assert "No review falls due in the next 26 weeks." in later


@pytest.mark.parametrize("size", SIZES)
def test_steps_of_any_length_stay_aligned(tmp_path, seeds, size):
    path = f"{FOLDER}/withdrawn.md"
    write(seeds / "stays.md", a_seed())
    file = write(seeds / path, a_seed(status="actve"))
    run("sync", cwd=tmp_path)
    file.unlink()
    run("sync", cwd=tmp_path)
    head, *lines = shown_by(tmp_path, f"why {path}", size)[1:]
    at = head.index("outcome")
    steps = [line for line in lines if re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert any("  withdrawn  " in line for line in steps)
    for line in steps:
        assert line[at - 2 : at] == "  "
        assert line[at] != " "


@pytest.mark.parametrize("size", SIZES)
def test_doctor_shows_times_as_status_does(tmp_path, seeds, size):
    write(tmp_path / "config" / "content-sync.toml", SETTINGS)
    write(seeds / "a.md", a_seed())
    with started("up", cwd=tmp_path):
        wait_until(lambda: "✓  delivery" in run("doctor", cwd=tmp_path).stdout)
    clock = r"ago \((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\)"
    doctor, status = (" ".join(shown_by(tmp_path, name, size)) for name in ("doctor", "status"))
    delivered = re.search(rf"delivery .*? {clock}", doctor)
    assert delivered is not None, doctor
    assert "+00:00" not in doctor
    assert delivered[1] in status


@pytest.mark.parametrize("size", SIZES)
def test_the_effect_is_shown_once_a_file(folder, size):
    lines = shown_by(folder, f"validate seeds/{REFUSED}", size)
    assert sum(" error CS" in f" {line}" for line in lines) == 2
    assert [line for line in lines if "effect" in line] == ["  effect: not published"]
