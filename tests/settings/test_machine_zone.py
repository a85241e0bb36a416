"""Without a setting, days are those of the machine: of TZ, else of /etc/localtime."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import clean_environment, run, started
from support.seeds import a_seed, write

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from namespace import inside, require_namespaces

ZONES = Path("/usr/share/zoneinfo")
PRINT = "from worker.settings.model import load_settings as s; print(s().zone_words)"


def zone_of(folder, prefix=(), **environment):
    """Return what a process says of its zone; a variable of None is not set."""
    env = clean_environment({name: text for name, text in environment.items() if text is not None})
    for name in [name for name, text in environment.items() if text is None]:
        env.pop(name, None)
    done = subprocess.run(
        [*prefix, sys.executable, "-c", PRINT],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr


def an_etc(folder, tmp_path, localtime):
    """Return the words before a command that give it an /etc with this localtime and no timezone file."""
    require_namespaces()
    etc = tmp_path / "etc"
    etc.mkdir()
    if localtime is not None:
        localtime(etc / "localtime")
    return inside(f"mount --bind '{etc}' /etc")


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("Asia/Kolkata", "Asia/Kolkata"),
        (":Asia/Kolkata", "Asia/Kolkata"),
        (str(ZONES / "Asia/Kolkata"), "Asia/Kolkata"),
        ("UTC", "UTC"),
    ],
)
def test_the_variable_names_the_zone(tmp_path, written, zone):
    assert zone_of(tmp_path, TZ=written) == f"{zone}, this machine's"


def test_the_setting_comes_before_the_machine(tmp_path):
    words = zone_of(tmp_path, TZ="Asia/Kolkata", CONTENT_SYNC_REVIEW__TIMEZONE="Europe/Rome")
    assert words == "Europe/Rome"


def test_a_link_of_localtime_names_the_zone(tmp_path):
    prefix = an_etc(tmp_path, tmp_path, lambda path: path.symlink_to(ZONES / "Asia/Kolkata"))
    assert zone_of(tmp_path, prefix, TZ=None) == "Asia/Kolkata, this machine's"


def test_a_copied_localtime_gives_the_zone_without_a_name(tmp_path):
    data = (ZONES / "Asia/Kolkata").read_bytes()
    prefix = an_etc(tmp_path, tmp_path, lambda path: path.write_bytes(data))
    assert zone_of(tmp_path, prefix, TZ=None) == "local, this machine's"


def test_a_machine_without_a_zone_has_utc(tmp_path):
    assert zone_of(tmp_path, an_etc(tmp_path, tmp_path, None), TZ=None).endswith(
        "UTC, this machine's"
    )


def test_a_zone_that_nobody_knows_is_one_line_that_says_what_to_write(tmp_path):
    (tmp_path / "seeds").mkdir()
    for command in ("up", "doctor", "validate"):
        write(tmp_path / "seeds" / "a.md", a_seed())
        refused = run(command, cwd=tmp_path, env={"TZ": "Mars/Base"})
        assert refused.returncode == 2, refused.stdout
        assert "TZ is 'Mars/Base'" in refused.stderr
        assert "set timezone in [review]" in " ".join(refused.stderr.split())
        assert "Traceback" not in refused.stderr


def test_up_and_doctor_say_the_zone_and_the_day_is_the_machines(tmp_path, seeds):
    env = {
        "TZ": "Pacific/Kiritimati"
    }  # 14 hours ahead: a day that Pago Pago, 11 behind, has not begun
    write(seeds / "a.md", a_seed())
    with started("up", cwd=tmp_path, env=env) as up:
        up.wait_for("time zone  Pacific/Kiritimati, this machine's")
        up.wait_for("Ctrl-C stops")
        checks = json.loads(run("doctor", "--json", cwd=tmp_path, env=env).stdout)["checks"]
    details = {check["name"]: check["detail"] for check in checks}
    assert details["time zone"] == "Pacific/Kiritimati, this machine's"

    there = subprocess.run(
        ["date", "+%Y-%m-%d"], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()
    write(seeds / "a.md", a_seed(lastReviewed=there))
    assert run("validate", cwd=tmp_path, env=env).returncode == 0
    assert "CS036" in run("validate", cwd=tmp_path, env={"TZ": "Pacific/Pago_Pago"}).stdout
