"""The rules on metadata and body: each problem has a code, a place and a hint how to fix it."""

import json
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.steps import steps_of

from worker.domain.rules.metadata import MOST_FINDINGS
from worker.domain.rules.rules import (
    CODES,
    NO_PERMISSION,
    TOO_LARGE,
    UNREADABLE,
    Examined,
    compile_rules,
    examine,
    unreadable_problem,
)
from worker.domain.seeds import codes, front_matter
from worker.domain.seeds.codes import OFF_BY_DEFAULT
from worker.domain.seeds.front_matter import MAX_BYTES
from worker.domain.seeds.problem import Severity, refuses
from worker.domain.seeds.seed import Fields

SEEDS = Path(__file__).parents[3] / "seeds"
LONG = "word " * 80
DAY = date(2026, 11, 24)


def only(examined):
    assert len(examined.problems) == 1, examined.problems
    return examined.problems[0]


def place(problem):
    span = problem.span
    return span.line, span.column, span.end_line, span.end_column


# The table


def test_every_code_has_its_own_rule():
    names = [rule for rule, _ in CODES.values()]
    assert len(set(names)) == len(names)
    assert all(code.startswith("CS") and len(code) == 5 for code in CODES)
    constants = {value for value in vars(codes).values() if isinstance(value, str)}
    assert set(CODES) == {value for value in constants if value.startswith("CS")}


# What is fine


def test_a_valid_document_has_facts_and_no_problems(spoiled):
    examined = spoiled("title", "title")
    assert examined.problems == ()
    assert examined.facts.title == "When you feel sick"
    assert examined.seed.metadata["tags"] == ["nausea", "side-effects"]


def test_the_sample_documents_are_valid(examined):
    paths = sorted(SEEDS.rglob("*.md"))
    assert len(paths) >= 4
    for path in paths:
        assert examined(path.read_bytes()).problems == (), path


def test_a_reviewed_date_may_be_quoted_and_may_be_today(spoiled):
    assert spoiled("2026-10-01", "'2026-11-24'").problems == ()


@pytest.mark.parametrize(
    "frequency",
    [
        "monthly",
        "semiannual",
        "biennial",
        "as_needed",
        "6 months",
        "1 year",
        "90 days",
        "P6M",
        "P1Y",
    ],
)
def test_every_frequency_of_the_library_is_accepted(spoiled, frequency):
    assert spoiled("quarterly", frequency).problems == ()


def test_an_optional_field_may_be_left_empty(spoiled):
    assert spoiled("tags:\n- nausea\n- side-effects", "license:\nowner:\ntags:").problems == ()


def test_an_exempt_document_needs_no_review_date(spoiled):
    dates = "lastReviewed: 2026-10-01\nreviewFrequency: quarterly"
    assert spoiled(dates, "reviewFrequency: as_needed").problems == ()
    retired = spoiled(
        f"active\nsource: SCCF\nsourceType: 02_nci_core\n{dates}", "inactive\nsource: x"
    )
    assert retired.problems == ()


# Required fields


@pytest.mark.parametrize("name", ["title", "version", "status", "source"])
def test_a_missing_field_is_reported_at_the_closing_fence(spoiled, name):
    lines = {
        "title": "title: When you feel sick\n",
        "version": "version: v1\n",
        "status": "status: active\n",
        "source": "source: SCCF\n",
    }
    problem = only(spoiled(lines[name], ""))
    assert problem.code == codes.MISSING_FIELD
    assert problem.message == f"`{name}` is missing"
    assert place(problem) == (11, 1, 11, 4)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("title: When you feel sick\n", "write `title: …`"),
        ("version: v1\n", "write `version: …`, such as v1, v2, v2.1"),
        ("status: active\n", "write `status: …`; it may be active, inactive, deprecated"),
        ("source: SCCF\n", "write `source: …`, such as NCI, WHO, SCCF"),
    ],
)
def test_the_hint_of_a_missing_field_lists_the_choices_and_proposes_none(spoiled, line, hint):
    assert only(spoiled(line, "")).hint == hint


@pytest.mark.parametrize(
    ("examples", "hint"),
    [
        (["NCI"], "write `source: …`"),
        (["NCI", "NCI"], "write `source: …`"),
        ([], "write `source: …`"),
        (["NCI", "NCI", "WHO"], "write `source: …`, such as NCI, WHO"),
        (["2026-01-15"], "write `source: …`, such as YYYY-MM-DD"),
    ],
)
def test_a_single_example_is_a_hint_for_a_missing_field_only_if_it_is_a_form(
    schema, examples, hint
):
    source = {**schema["properties"]["source"], "examples": examples}
    rules = compile_rules(
        {**schema, "properties": {**schema["properties"], "source": source}}, Fields()
    )
    text = b"---\ntitle: a\nversion: v1\nstatus: inactive\n---\nbody\n"
    assert only(examine(text, rules=rules, today=DAY, max_bytes=999)).hint == hint


@pytest.mark.parametrize("written", [None, "", "x", "[x]", "{x: y}", "2026-13-01"])
def test_no_hint_of_a_field_proposes_a_value_as_a_fact(schema, written):
    names = list(schema["properties"])
    every_rule = dict.fromkeys(OFF_BY_DEFAULT, Severity.WARNING)
    rules = compile_rules({**schema, "required": names}, Fields(), every_rule)
    for name in names:
        fields = {"status": "active"} | ({} if written is None else {name: written})
        lines = "".join(f"{field}: {value}\n" for field, value in fields.items())
        text = f"---\n{lines}---\nbody\n".encode()
        problems = examine(text, rules=rules, today=DAY, max_bytes=999).problems
        assert len(problems) > len(names) // 2
        for problem in problems:
            hint = problem.hint.replace(written or "…", "…")
            assert not re.search(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", hint), problem
            # A field's name is followed by a placeholder, or by what the author wrote.
            assert set(re.findall(r"`\w+: ([^`]*)`", hint)) <= {"…", "[…]", "YYYY-MM-DD"}, problem


@pytest.mark.parametrize("nothing", ["", "''", '"  "'])
def test_an_empty_field_counts_as_missing_and_is_reported_at_its_name(spoiled, nothing):
    problem = only(spoiled("title: When you feel sick", f"title: {nothing}"))
    assert problem.code == codes.MISSING_FIELD
    assert problem.message == "`title` is empty"
    assert place(problem) == (2, 1, 2, 6)


# Values


def test_a_word_outside_the_vocabulary_gets_a_suggestion(spoiled):
    problem = only(spoiled("status: active", "status: Deprecate"))
    assert problem.code == codes.NOT_ALLOWED
    assert problem.hint == 'did you mean "deprecated"? (active, inactive, deprecated)'
    assert problem.fixable
    assert place(problem) == (4, 9, 4, 18)


def test_a_word_far_from_the_vocabulary_gets_the_vocabulary(spoiled):
    assert only(spoiled("status: active", "status: zzz")).hint == (
        "it may be active, inactive, deprecated"
    )


@pytest.mark.parametrize("written", ["1", "V1", "v", "v1.", "version 1"])
def test_a_version_is_the_letter_v_and_a_number(spoiled, written):
    problem = only(spoiled("version: v1", f"version: {written}"))
    assert problem.code == codes.WRONG_FORM
    assert problem.hint == "for example v1, v2, v2.1"


def test_a_text_in_place_of_a_list_gets_a_hint_on_how_to_write_a_list(spoiled):
    problem = only(spoiled("tags:\n- nausea\n- side-effects", "tags: nausea"))
    assert problem.code == codes.WRONG_TYPE
    assert problem.hint == "write `tags: [nausea]`"


def test_a_list_in_place_of_a_text_is_refused_as_a_whole(spoiled):
    problem = only(spoiled("source: SCCF", "source:\n  - NCI\n  - SCCF"))
    assert problem.code == codes.WRONG_TYPE
    assert place(problem) == (6, 3, 7, 9)


def test_an_item_of_a_list_is_reported_by_its_number(spoiled):
    problem = only(spoiled("- side-effects", "- {a: b}"))
    assert problem.message == "item 2 of `tags` must be text"
    assert place(problem) == (11, 3, 11, 9)


def test_a_field_that_is_wrong_as_a_whole_is_reported_by_its_name(spoiled):
    assert only(spoiled("source: SCCF", "source: [SCCF]")).message == "`source` must be text"
    assert only(spoiled("- nausea", "- ''")).message == "item 1 of `tags` is empty"


def test_a_block_of_text_ends_with_its_last_line(spoiled):
    problem = only(spoiled("version: v1", "version: |\n  one\n  two\n"))
    assert place(problem) == (3, 10, 5, 6)


def test_a_field_with_a_constant_value_in_the_schema_gets_it_as_a_hint(schema):
    fixed = {**schema["properties"], "source": {"anyOf": [{"const": "SCCF"}, {"enum": ["NCI"]}]}}
    rules = compile_rules({**schema, "properties": fixed}, Fields())
    head = "title: a\nversion: v1\nstatus: inactive\nsource: x"
    examined = examine(
        f"---\n{head}\n---\ntext\n".encode(), rules=rules, today=date(2026, 11, 24), max_bytes=999
    )
    assert only(examined).hint == "it may be NCI"


def test_a_script_url_is_not_the_address_of_a_page(spoiled):
    problem = only(spoiled("source: SCCF", "source: SCCF\nurl: javascript:alert(1)"))
    assert problem.code == codes.WRONG_FORM


def test_all_problems_are_reported_in_the_order_of_the_file(spoiled):
    examined = spoiled(
        "version: v1\nstatus: active\nsource: SCCF\nsourceType: 02_nci_core",
        "version: 1\nstatus: activ\nsourceType: 02_nci",
    )
    assert [(problem.span.line, problem.code) for problem in examined.problems] == [
        (3, codes.WRONG_FORM),
        (4, codes.NOT_ALLOWED),
        (5, codes.NOT_ALLOWED),
        (11, codes.MISSING_FIELD),
    ]
    assert examined.facts is None
    assert examined.seed is not None


def test_places_are_right_with_crlf_and_a_byte_order_mark(examined):
    lines = ["\ufeff---", "title: Ünïcödé", "version: v1", "status: activ", "source: x", "---", "b"]
    problem = next(p for p in examined("\r\n".join(lines)).problems if p.code == codes.NOT_ALLOWED)
    assert place(problem) == (4, 9, 4, 14)


# The review clock


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("2024-02-30", "write year, month and day as YYYY-MM-DD"),
        ("2026-1-5", 'did you mean "2026-01-05"?'),
        ("2026/01/05", 'did you mean "2026-01-05"?'),
        ("2026-01-05T10:00:00Z", 'did you mean "2026-01-05"?'),
        ("20260105", "write year, month and day as YYYY-MM-DD"),
        ("soon", "write year, month and day as YYYY-MM-DD"),
    ],
)
def test_a_review_date_is_a_real_iso_date(spoiled, written, hint):
    problem = only(spoiled("2026-10-01", written))
    assert (problem.code, problem.hint) == (codes.NOT_A_DATE, hint)
    assert place(problem) == (7, 15, 7, 15 + len(written))


def test_a_review_date_in_the_future_is_refused(spoiled):
    assert only(spoiled("2026-10-01", "2026-11-25")).code == codes.DATE_IN_FUTURE


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("quartely", codes.NOT_A_FREQUENCY),
        ("0 days", codes.NOT_A_FREQUENCY),
        ("P", codes.NOT_A_FREQUENCY),
        ("sometimes", codes.NOT_A_FREQUENCY),
        ("Quarterly", codes.NOT_ALLOWED),
    ],
)
def test_a_frequency_is_one_that_the_clock_and_the_schema_know(spoiled, written, code):
    problem = only(spoiled("quarterly", written))
    assert problem.code == code
    assert "quarterly" in problem.hint


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("lastReviewed: 2026-10-01\n", codes.NO_REVIEW_DATE),
        ("reviewFrequency: quarterly\n", codes.NO_REVIEW_FREQUENCY),
    ],
)
def test_an_active_document_without_a_clock_is_published_with_a_warning(spoiled, line, code):
    examined = spoiled(line, "")
    problem = only(examined)
    assert (problem.code, problem.severity) == (code, Severity.WARNING)
    assert examined.facts is not None


def test_an_empty_review_date_is_a_missing_one(spoiled):
    problem = only(spoiled("2026-10-01", "''"))
    assert problem.code == codes.NO_REVIEW_DATE
    assert place(problem) == (7, 1, 7, 13)


# Unknown fields


def test_an_unknown_field_is_kept_and_reported(spoiled):
    examined = spoiled("source: SCCF", "source: SCCF\npublished_at: 2011-10-27")
    problem = only(examined)
    assert (problem.code, problem.severity) == (codes.UNKNOWN_FIELD, Severity.INFO)
    assert place(problem) == (6, 1, 6, 13)
    assert examined.facts is not None
    assert examined.seed.metadata["published_at"] == "2011-10-27"


@pytest.mark.parametrize(
    "written", ["last_reviewed", "lastReview", "LastReviewed", "last-reviewed"]
)
def test_a_misspelled_field_gets_a_suggestion(spoiled, written):
    problems = spoiled("lastReviewed", written).problems
    unknown = next(p for p in problems if p.code == codes.UNKNOWN_FIELD)
    assert unknown.hint == 'did you mean "lastReviewed"?'
    assert codes.NO_REVIEW_DATE in {p.code for p in problems}


def test_thousands_of_unknown_fields_are_summarized(spoiled):
    unknown = "".join(f"field{n}: x\n" for n in range(3000))
    problems = spoiled("source: SCCF\n", f"source: SCCF\n{unknown}").problems
    assert len(problems) == MOST_FINDINGS + 1
    assert problems[-1].message == f"{3000 - MOST_FINDINGS} more fields are not in the schema"


def test_one_field_beyond_the_limit_is_summarized(spoiled):
    def unknown(number):
        return "source: SCCF\n" + "".join(f"zz{n}: x\n" for n in range(number))

    assert len(spoiled("source: SCCF\n", unknown(MOST_FINDINGS)).problems) == MOST_FINDINGS
    problems = spoiled("source: SCCF\n", unknown(MOST_FINDINGS + 1)).problems
    assert [(p.message, p.hint, p.fixable) for p in problems[MOST_FINDINGS:]] == [
        ("1 more fields are not in the schema", "", False)
    ]
    assert place(problems[-1])[0] == 6 + MOST_FINDINGS


def test_the_number_of_reported_schema_problems_is_limited(spoiled):
    items = "".join(f"- [{n}]\n" for n in range(3 * MOST_FINDINGS))
    problems = spoiled("- nausea\n- side-effects\n", items).problems
    assert len(problems) == MOST_FINDINGS


@pytest.mark.parametrize(
    ("written", "shown"), [("x" * 60, "x" * 60), ("x" * 61, "x" * 59 + "…"), ("a  b", "a b")]
)
def test_a_wrong_value_is_shown_in_sixty_characters(spoiled, written, shown):
    problem = only(spoiled("status: active", f"status: {written}"))
    assert problem.message == f'`status` may not be "{shown}"'


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("2026-02-30", '"2026-02-30" is not a day of the calendar'),
        ("30.02.2026", '"30.02.2026" is not a date of the form YYYY-MM-DD'),
        ("2026-11-25", "2026-11-25 is in the future: today is 2026-11-24"),
    ],
)
def test_a_wrong_review_date_is_reported_with_its_reason(spoiled, written, message):
    problem = only(spoiled("lastReviewed: 2026-10-01", f"lastReviewed: {written}"))
    assert problem.message == message


@pytest.mark.parametrize(
    ("written", "hint", "fixable"),
    [
        ("quaterly", 'did you mean "quarterly"? (', True),
        ("now and then", "it may be monthly, quarterly, ", False),
        ("q" * 61, "it may be monthly, quarterly, ", False),
    ],
)
def test_a_misspelled_frequency_gets_a_suggestion(spoiled, written, hint, fixable):
    problem = only(spoiled("reviewFrequency: quarterly", f"reviewFrequency: {written}"))
    assert problem.hint.startswith(hint)
    assert problem.hint.rstrip(")").endswith("6 months, 90 days, P6M")
    assert problem.fixable is fixable


# The body


def test_a_body_of_blanks_is_refused(spoiled):
    examined = spoiled("\n# When you feel sick\n\nTell your team when it began.\n", " \n\t\n")
    assert only(examined).code == codes.EMPTY_BODY
    assert place(only(examined)) == (12, 1, 12, 4)


@pytest.mark.parametrize(
    "text",
    [
        "You need to enable JavaScript to run this app.",
        "Please log in to continue",
        "404 Not Found",
        "Access Denied\n\nReference #18.2f",
        "Checking your browser before accessing the site.",
        "Please verify you are human",
        "502 Bad Gateway\nnginx",
        "JavaScript is disabled in your browser",
        "You don\u2019t have permission to access this resource.",
    ],
)
def test_an_error_page_that_a_crawler_saved_is_refused(spoiled, text):
    examined = spoiled("Tell your team when it began.", text)
    problem = only(examined)
    assert problem.code == codes.CRAWL_STUB
    assert problem.span.line == 16
    assert examined.facts is None


def test_a_web_server_phrase_in_a_real_text_is_content(spoiled):
    assert spoiled("Tell your team", f"Please log in to the portal. {LONG}").problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "A video.",
        "![](https://example.org/a.jpg)",
        "Sign your name.",
        "The log in the hearth.",
        "Is it forbidden?",
    ],
)
def test_a_short_text_is_content(spoiled, text):
    assert spoiled("Tell your team when it began.", text).problems == ()


@pytest.mark.parametrize(("words", "content"), [(59, False), (60, True)])
def test_sixty_words_are_content_even_with_a_web_server_phrase(spoiled, words, content):
    # The heading has five words with its mark, and the phrase three.
    text = "404 not found" + " word" * (words - 8)
    examined = spoiled("Tell your team when it began.", text)
    assert (examined.facts is not None) is content


# Files whose bytes are not taken


def test_a_file_over_the_limit_is_refused_unread(rules):
    examined = examine(b"x" * 11, rules=rules, today=date(2026, 11, 24), max_bytes=10)
    assert only(examined).code == TOO_LARGE
    assert "11 bytes" in only(examined).message


@pytest.mark.parametrize("code", [TOO_LARGE, NO_PERMISSION, UNREADABLE])
def test_unreadable_files_have_problems_like_any_other(code):
    problem = unreadable_problem(code, "[Errno 5]")
    assert (problem.code, problem.severity) == (code, Severity.ERROR)
    assert "[Errno 5]" in problem.message
    assert problem.hint


# The schema is the team's


def test_another_vocabulary_is_another_schema_and_no_other_code(schema):
    changed = json.loads(json.dumps(schema))
    changed["properties"]["status"]["enum"] = ["active", "resting"]
    changed["properties"]["reviewFrequency"] = {"type": "string", "enum": ["fortnightly", "1 week"]}
    rules = compile_rules(changed, Fields())
    text = b"---\ntitle: a\nversion: v1\nstatus: rest\nsource: b\nlastReviewed: 2026-01-01\n"
    examined = examine(
        text + b"reviewFrequency: quarterly\n---\nc",
        rules=rules,
        today=date(2026, 2, 1),
        max_bytes=1000,
    )
    hints = [problem.hint for problem in examined.problems]
    assert hints == ['did you mean "resting"? (active, resting)', "it may be fortnightly, 1 week"]


def test_a_library_may_have_other_field_names(schema):
    renamed = json.loads(
        json.dumps(schema)
        .replace("lastReviewed", "last_reviewed_on")
        .replace("reviewFrequency", "review_in")
    )
    names = Fields(last_reviewed="last_reviewed_on", review_frequency="review_in")
    examined = examine(
        b"---\ntitle: a\nversion: v1\nstatus: active\nsource: b\nlast_reviewed_on: 2027-01-01\n---\nc",
        rules=compile_rules(renamed, names),
        today=date(2026, 2, 1),
        max_bytes=1000,
    )
    assert [problem.code for problem in examined.problems] == [
        codes.DATE_IN_FUTURE,
        codes.NO_REVIEW_FREQUENCY,
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda schema: schema.pop("properties"), "has no `properties`"),
        (lambda schema: schema["required"].remove("status"), "must require status"),
        (lambda schema: schema["properties"].pop("lastReviewed"), "fields.last_reviewed"),
        (lambda schema: schema["properties"]["url"].update(type="strin"), "not a JSON Schema"),
        (lambda schema: schema["properties"]["url"].update(pattern="("), "not a JSON Schema"),
        (
            lambda schema: schema["properties"].update(x={"$ref": "https://example.org/x.json"}),
            "not a JSON Schema",
        ),
    ],
)
def test_an_unusable_schema_is_refused_in_one_line(schema, spoil, message):
    changed = json.loads(json.dumps(schema))
    spoil(changed)
    with pytest.raises(ValueError, match=message) as refused:
        compile_rules(changed, Fields())
    assert "\n" not in str(refused.value)


# Never a crash, never slow


VALUES = st.recursive(
    st.text(max_size=20) | st.sampled_from(["2026-01-15", "quarterly", "active", "v1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.data())
def test_any_metadata_is_accepted_or_refused_for_reasons(rules, schema, data):
    names = st.sampled_from([*schema["properties"], "lastReview", "x"])
    metadata = data.draw(st.dictionaries(names, VALUES, max_size=6))
    text = f"---\n{json.dumps(metadata)}\n---\nbody\n"
    examined = examine(text.encode(), rules=rules, today=date(2026, 11, 24), max_bytes=10**6)
    assert isinstance(examined, Examined)
    assert (examined.facts is None) == refuses(examined.problems)
    lines = text.count("\n") + 1
    for problem in examined.problems:
        assert problem.code in CODES
        assert problem.message
        assert 1 <= problem.span.line <= problem.span.end_line <= lines
        json.dumps(problem.as_json())


@given(st.sampled_from(sorted(SEEDS.rglob("*.md"))), st.data())
def test_a_spoiled_sample_is_accepted_or_refused_for_reasons(rules, path, data):
    spoiled = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, 500))
    spoiled[start : start + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    examined = examine(bytes(spoiled), rules=rules, today=date(2026, 11, 24), max_bytes=10**6)
    assert (examined.facts is None) == refuses(examined.problems)


HEAD = "---\ntitle: a\nversion: v1\nstatus: active\nsource: b\n"
FIVE_MIB = 5 * 1024 * 1024


HOSTILE_FRONT_MATTER = {
    "empty tags": lambda times: "tags: [" + "''," * 999 * times + "]\n",
    "unknown fields": lambda times: "".join(f"k{n}:\n" for n in range(8000 * times)),
    "lists in a list": lambda times: "x: [" + "[a]," * 999 * times + "]\n",
    "colons and slashes": lambda times: "url: http" + ":/" * 32000 * times + "\n",
    "digits and points": lambda times: "version2: v" + "1." * 32000 * times + "\n",
    "a comment": lambda times: "#" * (MAX_BYTES - 100) * times + "\n",
}


@pytest.mark.parametrize("make", HOSTILE_FRONT_MATTER.values(), ids=HOSTILE_FRONT_MATTER)
def test_hostile_front_matter_costs_little(examined, make):
    steps_of(lambda: examined(f"{HEAD}{make(1)}---\n"), most=1_000_000)


@pytest.mark.parametrize("make", HOSTILE_FRONT_MATTER.values(), ids=HOSTILE_FRONT_MATTER)
def test_hostile_front_matter_is_not_searched_repeatedly(examined, monkeypatch, make):
    """So much of it that a search of quadratic cost would not end within the limit of a test."""
    monkeypatch.setattr(front_matter, "MAX_BYTES", FIVE_MIB)
    assert examined(f"{HEAD}{make(64)}---\n").problems


@pytest.mark.parametrize(
    "data",
    [
        "---\n" + "---x\n" * (FIVE_MIB // 5 - 1),
        "---\n---" + " " * (FIVE_MIB - 20) + "x",
        HEAD + "---\n" + "\r" * (FIVE_MIB - 100),
        HEAD + "---\n" + "enable " * (FIVE_MIB // 7 - 100),
        "-" * FIVE_MIB,
        "\n" * FIVE_MIB,
    ],
    ids=lambda data: repr(data[50:75]),
)
def test_a_hostile_file_is_checked_in_a_few_passes(examined, data):
    steps_of(lambda: examined(data), most=3_000)


# The real library


@pytest.mark.corpus
def test_the_real_library_is_accepted_except_its_broken_pages(corpus, examined):
    refused, reported = {}, Counter()
    for path in corpus.rglob("*.md"):
        result = examined(path.read_bytes())
        if result.facts is None:
            refused[path.name] = [problem.code for problem in result.problems]
        else:
            reported.update(problem.code for problem in result.problems)
    stubs = [name for name, found in refused.items() if found == [codes.CRAWL_STUB]]
    assert len(stubs) == 7
    # One page more is an e-book's bytes taken for a text, and has an empty title.
    assert {name: found for name, found in refused.items() if name not in stubs} == {
        "publications-patient-education-coping-with-advance-cancer-mobi.md": [
            codes.MISSING_FIELD,
            codes.GARBLED_TEXT,
        ]
    }
    # One of the good pages has a field that the schema does not know. Nothing else is reported.
    assert reported == {codes.UNKNOWN_FIELD: 1}
