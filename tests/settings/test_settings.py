"""Settings come from the file, the environment and flags; an error is reported in one line."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from worker.errors import ConfigurationError
from worker.settings.model import Secret, Settings, load_settings
from worker.settings.reading import merge

HUSH = "a-secret-that-nobody-shows"


@pytest.fixture
def settings_of(tmp_path, monkeypatch):
    """Return a function that loads settings from a file's text, variables and flags."""

    def settings_of(text: str = "", /, *, environment=None, **flags) -> Settings:
        path = tmp_path / "content-sync.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("CONTENT_SYNC_CONFIG", str(path))
        for name, value in (environment or {}).items():
            monkeypatch.setenv(f"CONTENT_SYNC_{name}", value)
        return load_settings(**flags)

    return settings_of


def test_the_defaults_apply_without_a_file():
    assert load_settings() == Settings()


def test_a_flag_overrides_the_environment_which_overrides_the_file(settings_of):
    text = 'seeds = "of-the-file"\n[watch]\nstill_ms = 1\ncoalesce_ms = 2\nremoval_ms = 3'
    environment = {"SEEDS": "of-the-environment", "WATCH__COALESCE_MS": "20"}

    assert settings_of(text, environment=environment).seeds == Path("of-the-environment")
    read = settings_of(text, environment=environment, seeds="flag", watch={"removal_ms": 300})
    assert read.seeds == Path("flag")
    watch = read.watch
    assert (watch.still_ms, watch.coalesce_ms, watch.removal_ms) == (1, 20, 300)
    assert replace(read.watch, still_ms=100, coalesce_ms=10, removal_ms=1000) == Settings().watch


def test_a_flag_of_none_counts_as_not_given(settings_of):
    assert settings_of('seeds = "here"', seeds=None).seeds == Path("here")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SEEDS", "/srv/seeds", lambda s: s.seeds == Path("/srv/seeds")),
        ("WATCH__SUFFIXES", '[".md"]', lambda s: s.watch.suffixes == (".md",)),
        ("WATCH__STILL_MS", "2.5", lambda s: s.watch.still_ms == 2.5),
        ("WATCH", '{"still_ms": 5}', lambda s: s.watch.still_ms == 5),
        ("INTAKE__BATCH_FILES", "7", lambda s: s.intake.batch_files == 7),
        ("FIELDS__TITLE", "name", lambda s: s.fields.title == "name"),
        ("RULES__CS055", "info", lambda s: s.severities == {"CS055": "info"}),
        ("RULES__SCRIPT", "off", lambda s: s.severities == {"CS055": None}),
        ("SCHEMA_FILE", "", lambda s: s.schema_file is None),
        ("BROKER_SECRET", HUSH, lambda s: s.broker_secret == Secret(HUSH)),
        ("CHANNELS__CONSOLE__PER_MINUTE", "3", lambda s: s.channels["console"].per_minute == 3),
        ("ROUTES__EVERYONE__TO", '["a@b.org"]', lambda s: s.routes["everyone"].to == ("a@b.org",)),
        (
            "ROUTES__EVERYONE__HOURS__OPENS",
            "07:30",
            lambda s: s.routes["everyone"].hours.opens == time(7, 30),
        ),
    ],
)
def test_an_environment_variable_sets_a_setting(settings_of, name, text, value):
    written = '[channels.console]\nkind = "console"\n[routes.everyone]\nchannel = "console"'

    assert value(settings_of(written, environment={name: text}))


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "Yes", "on"])
def test_true_words_turn_a_switch_on(settings_of, word):
    assert settings_of(environment={"WATCH__POLLING": word}).watch.polling is True


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "off"])
def test_false_words_turn_a_switch_off(settings_of, word):
    text = "[watch]\npolling = true"
    assert settings_of(text, environment={"WATCH__POLLING": word}).watch.polling is False


def test_a_text_that_looks_like_json_stays_text(settings_of):
    environment = {"BROKER_SECRET": '["sixteen letters"]', "STREAM__KEY": "{events}"}
    read = settings_of(environment=environment)
    assert read.broker_secret == Secret('["sixteen letters"]')
    assert read.stream.key == "{events}"


def test_a_secret_comes_from_a_file(settings_of, tmp_path):
    (tmp_path / "password").write_text("hush\n")
    text = '[channels.mail]\nkind = "email"\n[routes.team]\nchannel = "mail"\nto = ["team@example.org"]'
    named = {"CHANNELS__MAIL__PASSWORD_FILE": str(tmp_path / "password")}
    assert settings_of(text, environment=named).channels["mail"].password == Secret("hush")


def test_a_secret_in_a_binary_file_is_reported_in_one_line(settings_of, tmp_path):
    (tmp_path / "password").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="it is not text"):
        settings_of(environment={"BROKER_SECRET_FILE": str(tmp_path / "password")})


def test_a_setting_that_is_a_file_is_not_read(settings_of, tmp_path):
    (tmp_path / "owners").write_text("hush\n")
    named = {"REVIEW__REVIEWERS_FILE": str(tmp_path / "owners")}
    assert settings_of(environment=named).review.reviewers_file == tmp_path / "owners"


def test_custom_lead_days_keep_those_of_other_frequencies(settings_of):
    read = settings_of("[review]\nlead_days = {annual = [60], monthly = []}").review.lead_days
    assert read == {"monthly": (), "quarterly": (14, 3), "annual": (60,)}


def test_times_of_day_are_written_with_quotes_or_as_toml_has_them(settings_of):
    text = '[routes.everyone]\nchannel = "console"\nhours = {opens = "09:00", closes = 17:30:00}'
    hours = settings_of(text).routes["everyone"].hours
    assert (hours.opens, hours.closes) == (time(9), time(17, 30))


MAIL = '[channels.mail]\nkind = "email"\n'
ROUTE = '[routes.team]\nchannel = "console"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wach = 1", "unknown setting wach; did you mean watch?"),
        ("[watch]\nstil_ms = 4", "unknown setting watch.stil_ms; did you mean still_ms?"),
        ("[fields]\ntitel = 'x'", "unknown setting fields.titel; did you mean title?"),
        (MAIL + "hots = 'x'", "unknown setting channels.mail.hots; did you mean host?"),
        (ROUTE + "chanel = 'x'", "unknown setting routes.team.chanel; did you mean channel?"),
        (
            ROUTE + "hours = {opnes = '09:00'}",
            "unknown setting routes.team.hours.opnes; did you mean opens?",
        ),
        ("[watch]\nstill_ms = -1", "setting watch.still_ms: expected a number > 0.0"),
        ("[watch]\nstill_ms = 'x'", "setting watch.still_ms: expected a number, got a string"),
        ("[watch]\nsuffixes = '.md'", "setting watch.suffixes: expected a list, got a string"),
        ("[intake]\nbatch_files = 1.5", "setting intake.batch_files: expected a whole number, got"),
        ("[brake]\nshare = 2", "setting brake.share: expected a number <= 1.0"),
        ("[brake]\nmarker = 'a/b'", "setting brake: marker 'a/b' is not the name of a file"),
        ("watch = 5", "setting watch: expected a table, got a whole number"),
        ("channels = 5", "setting channels: expected a table"),
        ("[channels]\nmail = 5", "setting channels.mail: expected a table"),
        ("[fields]\ntitle = 5", "setting fields.title: expected a string, got a whole number"),
        ("seeds = 5", "setting seeds: expected a string"),
        ("log_level = 'debug'", "setting log_level: 'debug' is not DEBUG, INFO, WARNING or ERROR"),
        (
            "[channels.mail]\nkind = 'emil'",
            "setting channels.mail.kind: 'emil' is not console, email, apprise or webhook",
        ),
        (
            "[channels.mail]\nhost = 'x'",
            "setting channels.mail.kind is missing: write console, email, apprise or webhook",
        ),
        ("[channels.x]\nkind = 'webhook'\nurl = 'u'", "setting channels.x.secret is missing"),
        ("[routes.team]\nto = []", "setting routes.team.channel is missing"),
        (
            MAIL + "[routes.team]\nchannel = 'mial'",
            "routes.team.channel is 'mial', but no channel has that name",
        ),
        (MAIL + "[routes.team]\nchannel = 'mail'", "routes.team.to is empty"),
        (ROUTE + "lead = 'x'", "routes.team.lead is 'x', but no route has that name"),
        (ROUTE + "kinds = ['reviw']", "did you mean review?"),
        (
            ROUTE + "hours = {days = ['monday']}",
            "setting routes.team.hours.days.0: 'monday' is not mon, tue, wed, thu, fri, sat or sun",
        ),
        (ROUTE + "hours = {days = []}", "hours without days never open"),
        (ROUTE + "hours = {opens = '25:00'}", "setting routes.team.hours.opens: hour must be in"),
        (ROUTE + "hours = {opens = '09:00+02:00'}", "hours have no offset; set timezone"),
        (ROUTE + "hours = {timezone = 'Nowhere'}", "'Nowhere' is not in the IANA database"),
        ("[review]\ntimezone = 'Mars/X'", "timezone 'Mars/X' is not in the IANA database"),
        (
            "[review]\nlead_days = {fortnightly = [1]}",
            "lead_days: 'fortnightly' is not a review frequency",
        ),
        ("[review]\nlead_days = {annual = [0]}", "setting review.lead_days: expected a whole"),
        (
            "[[review.default_cadences]]\npaths = ['a/']",
            "setting review.default_cadences.0.frequency is missing",
        ),
        ("[[review.default_cadences]]\nfrequency = 'x'", "frequency 'x' is not a review frequency"),
        ("[rules]\nscript = 'fatal'", "setting rules.script: 'fatal' is not off, info, warning or"),
        ("broker_secret = 'short'", "setting broker_secret needs at least 16 characters"),
        ("not toml", "content-sync.toml is not TOML"),
    ],
)
def test_a_wrong_setting_is_reported_in_one_line(settings_of, text, said):
    with pytest.raises(ConfigurationError) as caught:
        settings_of(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "`" not in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SEED": "x"}, "CONTENT_SYNC_SEED is not a setting; did you mean CONTENT_SYNC_SEEDS?"),
        ({"WATCH__SUFFIXES": ".md"}, "CONTENT_SYNC_WATCH__SUFFIXES must be JSON"),
        ({"WATCH__POLLING": "perhaps"}, "setting watch.polling: expected true or false"),
        ({"WATCH__STILL_MS": ""}, "setting watch.still_ms: expected a number"),
        ({"STORE_URL_FILE": "no-such-file"}, "/no-such-file: No such file or directory"),
        ({"STORE_URL_FILE": "a", "STORE_URL": "b"}, "set CONTENT_SYNC_STORE_URL or CONTENT_SYNC_"),
    ],
)
def test_a_wrong_variable_is_reported_in_one_line(settings_of, environment, said):
    with pytest.raises(ConfigurationError) as caught:
        settings_of(environment=environment)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"store_url = ['{HUSH}']",
        f"[channels.x]\nkind = 'webhook'\nurl = 5\nsecret = '{HUSH}'",
        f"[deadman]\nurl = {{a = '{HUSH}'}}",
        f"broker_secret = '{HUSH}'\n[watch]\nstill_ms = -1",
    ],
)
def test_no_message_shows_a_secret(settings_of, text):
    with pytest.raises(ConfigurationError) as caught:
        settings_of(text)
    assert HUSH not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_settings_do_not_show_their_secrets(settings_of):
    read = settings_of(broker_secret=HUSH, store_url=f"postgresql://me:{HUSH}@db/x")
    assert HUSH not in f"{read!r} {read}"
    assert replace(read, broker_secret=Secret(HUSH + "!")) != read


def test_tables_are_merged_and_other_values_are_replaced():
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
    above = {"a": {"c": [3]}, "d": {"g": 1}, "e": 2}
    assert merge(below, above) == {"a": {"b": 1, "c": [3]}, "d": {"g": 1}, "e": 2}
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
