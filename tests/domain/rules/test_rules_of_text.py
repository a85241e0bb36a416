"""The gates on a body: lost characters, hidden ones, programs, headings, links; and YAML's traps."""

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from support.steps import steps_of

from worker.domain.seeds import codes
from worker.domain.seeds.problem import Severity
from worker.domain.seeds.scalars import yaml_1_1

TEXT = "Tell your team when it began."


def place(problem):
    span = problem.span
    return span.line, span.column, span.end_line, span.end_column


def only(examined):
    assert len(examined.problems) == 1, examined.problems
    return examined.problems[0]


# Lost characters


def test_a_text_of_lost_characters_is_refused(spoiled):
    problem = only(spoiled(TEXT, "BOOK" + "\ufffd" * 5))
    assert (problem.code, problem.severity) == (codes.GARBLED_TEXT, Severity.ERROR)
    assert place(problem) == (16, 5, 16, 6)


def test_a_lost_character_in_a_good_text_is_a_warning_at_its_place(spoiled):
    problem = only(spoiled("when it began", "of 50 \ufffdg"))
    assert (problem.code, problem.severity) == (codes.LOST_CHARACTER, Severity.WARNING)
    assert place(problem) == (16, 22, 16, 23)


@pytest.mark.parametrize(("lost", "more"), [(1, ""), (2, ", and 1 more"), (4, ", and 3 more")])
def test_lost_characters_are_counted_beyond_the_first(spoiled, lost, more):
    problem = only(spoiled("when it began", "\ufffd" * lost))
    assert problem.message == f"a character is lost (U+FFFD){more}"


@pytest.mark.parametrize(
    ("lost", "characters", "code"),
    [
        (4, 10, codes.LOST_CHARACTER),
        (5, 10, codes.GARBLED_TEXT),
        (5, 499, codes.GARBLED_TEXT),
        (5, 500, codes.LOST_CHARACTER),
        (6, 500, codes.GARBLED_TEXT),
    ],
)
def test_five_lost_characters_and_more_than_one_in_a_hundred_are_refused(
    examined, lost, characters, code
):
    body = "\ufffd" * lost + "x" * (characters - lost)
    head = "title: a\nversion: v1\nstatus: inactive\nsource: b\n"
    assert only(examined(f"---\n{head}---\n{body}")).code == code


# Hidden characters


@pytest.mark.parametrize("character", ["\x07", "\x0c", "\x1b", "\x7f", "\x85", "\x9b"])
def test_a_control_character_in_the_body_is_reported_at_its_place(spoiled, character):
    problem = only(spoiled("your team", f"your {character}team{character}"))
    assert problem.code == codes.CONTROL_IN_TEXT
    assert place(problem) == (16, 11, 16, 12)
    assert "and 1 more" in problem.message


@pytest.mark.parametrize("mark", ["\u202a", "\u202e", "\u2066", "\u2069"])
def test_a_mark_that_reorders_text_is_reported_in_body_and_metadata(spoiled, mark):
    assert only(spoiled("your team", f"your {mark}team")).code == codes.REORDERED_TEXT
    problem = only(spoiled("source: SCCF", f"source: SC{mark}CF"))
    assert (problem.code, place(problem)) == (codes.REORDERED_TEXT, (5, 9, 5, 14))


@pytest.mark.parametrize(
    ("number", "more"),
    [(1, ""), (2, ", and 1 more"), (1000, ", and 999 more"), (1001, ", and over 1,000 more")],
)
def test_hidden_characters_are_counted_up_to_a_thousand(spoiled, number, more):
    problem = only(spoiled("your team", "\x07" * number))
    assert problem.message == f"the body contains the control character U+0007{more}"


def test_control_characters_are_reported_before_marks(spoiled):
    assert only(spoiled("your team", "\u202e\x07")).code == codes.CONTROL_IN_TEXT


@pytest.mark.parametrize("text", ["क्\u200dष", "a\u200eb", "naïve – “quoted”\u00a0text", "a\tb"])
def test_letters_of_all_scripts_and_their_joiners_are_valid(spoiled, text):
    assert spoiled(TEXT, text).problems == ()


def test_a_file_with_crlf_holds_no_control_characters(examined):
    text = "---\ntitle: a\nversion: v1\nstatus: inactive\nsource: x\n---\nb\n"
    assert examined(text.replace("\n", "\r\n")).problems == ()


# Programs


PROGRAMS = pytest.mark.parametrize(
    "text",
    [
        "<script>steal()</script>",
        "<SCRIPT src=//x>",
        "<img src=x onerror=alert(1)>",
        '<img src="x"onload="y()">',
        "<a\nonclick = 'x'>",
        "[Look](javascript:alert(1))",
        "[Look]( JavaScript:alert(1))",
        "[x]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "[Look](data:text/html,hello)",
        '<a href="vbscript:x">',
    ],
)
NO_PROGRAMS = pytest.mark.parametrize(
    "text",
    [
        "Updated <MM/DD/YYYY>.",
        "a < b, and on = off > c",
        "What javascript: means.",
        "<b>Bold</b> <br/> <sup>2</sup>",
        "A script on how to tell the children",
        "<https://example.org/online=1>",
        "<scripture> is no script",
    ],
)
#: Texts so long that where tags or links are many their bytes are asked first for a sign of a program.
_LINE = "Take it with water, on a day like this.\n"
LONG_TEXTS = {
    "plain": _LINE * 4_000,
    "many tags": (_LINE + "Take <b>one</b>.\n") * 4_000,
    "many links": _LINE * 4_000 + "[x]\n" * 51_000,
}
LONG = pytest.mark.parametrize("long", LONG_TEXTS.values(), ids=LONG_TEXTS)


@PROGRAMS
def test_a_program_in_the_text_is_refused(spoiled, text):
    problem = only(spoiled(TEXT, text))
    assert (problem.code, problem.severity) == (codes.SCRIPT, Severity.ERROR)
    assert problem.span.line == 16


@LONG
@PROGRAMS
def test_a_program_in_a_long_text_is_refused_at_its_place(spoiled, text, long):
    problem = only(spoiled(TEXT, f"{long}é {text}"))
    assert (problem.code, problem.span.line) == (codes.SCRIPT, 16 + long.count("\n"))


@NO_PROGRAMS
def test_signs_and_plain_tags_are_content(spoiled, text):
    assert spoiled(TEXT, text).problems == ()


@LONG
@NO_PROGRAMS
def test_signs_and_plain_tags_are_content_in_a_long_text_too(spoiled, text, long):
    assert spoiled(TEXT, f"{long}{text}").problems == ()


# The first heading


@pytest.mark.parametrize(
    "heading",
    [
        "#  When YOU feel  sick ",
        "# When you feel *sick* #",
        "# When you feel sick - NCI",
        "# When you feel",
        "When you feel sick\n===",
        "## Overview",
        "Some text first, and no heading",
        "```\n# a comment in code\n```",
        "# [When you feel sick](https://example.org)",
    ],
)
def test_a_heading_may_repeat_the_title_or_be_absent(spoiled, heading):
    assert spoiled("# When you feel sick", heading).problems == ()


@pytest.mark.parametrize(
    ("heading", "where"),
    [("# Constipation", (14, 3, 14, 15)), ("Constipation\n===", (14, 1, 14, 13))],
)
def test_a_first_heading_of_another_page_is_an_info(spoiled, heading, where):
    examined = spoiled("# When you feel sick", heading)
    problem = only(examined)
    assert (problem.code, problem.severity) == (codes.OTHER_HEADING, Severity.INFO)
    assert place(problem) == where
    assert examined.facts is not None


# Relative links


@pytest.mark.parametrize(
    "link", ["[a](/b)", "[a](b/c?d)", "![a](pic.png)", "[a](../b)", "[a](<b>)"]
)
def test_a_relative_link_is_a_problem_without_a_url(spoiled, link):
    problem = only(spoiled(TEXT, f"See {link} and {link}."))
    assert (problem.code, problem.severity) == (codes.RELATIVE_LINK, Severity.WARNING)
    assert "and 1 more" in problem.message
    assert problem.span.line == 16


def test_a_relative_link_is_valid_with_a_url(examined):
    text = (
        "---\ntitle: a\nversion: v1\nstatus: inactive\nsource: x\nurl: https://example.org/a\n---\n"
    )
    assert examined(text + "[a](/b)").problems == ()


@pytest.mark.parametrize(
    "link",
    ["https://a.org/b", "mailto:a@b.org", "tel:+1", "#place", "//a.org", "other.md", "../b/c.md#d"],
)
def test_absolute_urls_anchors_and_documents_are_valid_links(spoiled, link):
    assert spoiled(TEXT, f"See [a]({link}).").problems == ()


def test_further_relative_links_are_counted(spoiled):
    problem = only(spoiled(TEXT, "[a](/a) and\n[b](b.html) [c](<c d>)"))
    assert problem.message.endswith("(and 2 more)")
    assert place(problem) == (16, 5, 16, 7)
    assert not only(spoiled(TEXT, "[a](/a)")).message.endswith("more)")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a <script>", (16, 3, 16, 10)),
        ("a <img\n src=x onerror=y>", (16, 3, 17, 16)),
        ("[a](javascript:b)", (16, 3, 16, 16)),
    ],
)
def test_a_program_is_reported_at_its_place(spoiled, text, where):
    assert place(only(spoiled(TEXT, text))) == where


def test_a_heading_is_searched_only_at_the_beginning(spoiled):
    heading = "# When you feel sick"
    far = "word " * 800
    assert spoiled(heading, f"{far}\n\n# Another page").problems == ()
    assert only(spoiled(heading, f"{far[:-60]}\n\n# Another page")).code == codes.OTHER_HEADING


@pytest.mark.parametrize(
    "heading",
    [
        "# When you feel sick: what helps",
        "# When you",
        "# WHEN *you* feel [sick](https://example.org)",
        "When you feel sick\n===",
        "# When you feel sick ##",
        "## Another page",
        "Another page\n---",
        "```\n# Another page\n```",
    ],
)
def test_a_heading_that_begins_like_the_title_is_accepted(spoiled, heading):
    assert spoiled("# When you feel sick", heading).problems == ()


# YAML 1.1


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("no", "false"),
        ("Yes", "true"),
        ("ON", "true"),
        ("off", "false"),
        ("n", "false"),
        ("~", "nothing"),
        ("null", "nothing"),
        ("010", "the number 8"),
        ("0x1F", "the number 31"),
        ("0b11", "the number 3"),
        ("1_000", "the number 1000"),
        ("+5", "the number 5"),
        ("12:30", "the number 750"),
        ("12:30:45", "the number 45045"),
        ("09:30", None),
        ("1.10", "the number 1.1"),
        ("1e3", None),
        (".5", "the number 0.5"),
        (".inf", "infinity or not-a-number"),
        ("2001-12-14 21:59:43", "a point in time"),
        ("true", None),
        ("5", None),
        ("1.5", None),
        ("2026-01-15", None),
        ("v1", None),
        ("0", None),
        ("08", None),
        ("1-800-4-CANCER", None),
        ("nothing", None),
        ("-", None),
        ("...", None),
        ("0_", "the number 0"),
        ("0x_", None),
    ],
)
def test_a_finding_shows_what_other_programs_read(written, meaning):
    assert yaml_1_1(written) == meaning


@given(st.text(alphabet="0123456789abefinoxyNOX_:.+-~ ", max_size=10).map(str.strip))
@example("0x_")
@example("0b_")
@example("-0_")
@example("1:5_0")
def test_a_trap_is_a_value_that_yaml_1_1_does_not_read_as_text(text):
    reading = yaml_1_1(text)
    try:
        read = yaml.safe_load(f"a: {text}")
    except (yaml.YAMLError, ValueError, IndexError):
        return  # the reader itself refuses it
    value = read["a"] if isinstance(read, dict) and set(read) == {"a"} else None
    if isinstance(value, str) and value == text:
        assert reading is None or text.lower() in {"yes", "no", "on", "off", "y", "n"}
    elif isinstance(value, int | float) and str(value) != text and not isinstance(value, bool):
        assert reading is not None
        if isinstance(value, int):
            assert reading == f"the number {value}"


def test_a_value_without_quotes_is_a_warning_at_its_place(spoiled):
    problem = only(spoiled("source: SCCF", "source: no"))
    assert (problem.code, problem.severity) == (codes.YAML_TRAP, Severity.WARNING)
    assert place(problem) == (5, 9, 5, 11)
    assert "'no'" in problem.hint


@pytest.mark.parametrize("written", ["'no'", '"no"', "|-\n  no", ">-\n  no"])
def test_a_quoted_value_is_the_same_for_all_readers(spoiled, written):
    assert spoiled("source: SCCF", f"source: {written}").problems == ()


def test_a_trap_late_in_a_value_is_reported(spoiled):
    problems = spoiled("tags:", "extra: [[a, {b: no}]]\ntags:").problems
    [problem] = [problem for problem in problems if problem.code == codes.YAML_TRAP]
    assert problem.severity is Severity.WARNING
    assert place(problem) == (9, 17, 9, 19)
    assert problem.hint == "put it in quotes: `'no'`"


def test_a_number_of_more_than_forty_digits_is_left_alone(spoiled):
    assert only(spoiled("source: SCCF", f"source: 0{'1' * 39}")).code == codes.YAML_TRAP
    assert spoiled("source: SCCF", f"source: 0{'1' * 40}").problems == ()


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("Null", "nothing"),
        ("y", "true"),
        ("OFF", "false"),
        ("-12:30", "the number -750"),
        ("+1:30.5", "the number 90.5"),
        ("1:00:00", "the number 3600"),
        ("-0x1_0", "the number -16"),
        ("-017", "the number -15"),
        ("-.INF", "infinity or not-a-number"),
        (".NaN", "infinity or not-a-number"),
        ("1_0.5", "the number 10.5"),
        ("1.", "the number 1.0"),
        ("1.0e+3", "the number 1000.0"),
        ("2001-1-1T1:00:00Z", "a point in time"),
    ],
)
def test_further_forms_of_yaml_1_1_are_reported(written, meaning):
    assert yaml_1_1(written) == meaning


def test_a_quoted_value_does_not_hide_later_traps(spoiled):
    problem = only(
        spoiled("source: SCCF\nsourceType: 02", "source: 'no'\nowner: no\nsourceType: 02")
    )
    assert (problem.code, place(problem)[0]) == (codes.YAML_TRAP, 6)


@pytest.mark.parametrize("quoted", ["'no'", '"no"', "|\n  no", ">\n  no"])
def test_each_kind_of_quotes_makes_a_value_a_text(spoiled, quoted):
    assert codes.YAML_TRAP not in [
        p.code for p in spoiled("source: SCCF", f"source: {quoted}").problems
    ]


def test_an_item_of_a_list_is_reported_too(spoiled):
    problem = only(spoiled("- nausea", "- 12:30"))
    assert (problem.code, place(problem)) == (codes.YAML_TRAP, (10, 3, 10, 8))


# Never slow

MIB = 1024 * 1024
HEAD = "---\ntitle: a\nversion: v1\nstatus: inactive\nsource: x\n---\n"


@pytest.mark.parametrize(
    "body",
    [
        "<a on" * MIB,
        "<a " + " on" * MIB,
        "<a on" + "x" * 4 * MIB,
        "](" * 2 * MIB,
        "](" + " " * 4 * MIB,
        "](a" * MIB,
        "](a.md" * (MIB // 2),
        "x\n" * 2 * MIB,
        "\ufffd" * MIB,
        "\x07" * 4 * MIB,
        "\u202e" * MIB,
        " " * 4 * MIB + "x",
        "# " + "[" * 4 * MIB,
        "# " + "\\" * 4 * MIB,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_hostile_text_is_checked_in_a_few_passes(examined, body):
    steps_of(lambda: examined(HEAD + body), most=3_000)


# Places

PIECES = st.sampled_from(
    [
        *("\n", " ", "# ", "===\n", "```\n", "<a ", "on=", ">", "<script", "](", ")", "/x"),
        *("\ufffd", "\x0c", "\u202e", "\r", "\r\n", "\u2028", "word", "😀", "[a](/b)"),
        "404 not found",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["no", "a", "'no'", "\u202ex"]))
def test_every_place_is_in_the_file_and_has_an_extent(examined, body, title):
    head = f"---\ntitle: {title}\nversion: v1\nstatus: active\nsource: x\n---\n"
    lines = (head + body).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for problem in examined(head + body).problems:
        line, column, end_line, end_column = place(problem)
        assert (line, column) < (end_line, end_column)
        assert 1 <= column <= len(lines[line - 1])
        assert end_column <= len(lines[end_line - 1]) + 1
