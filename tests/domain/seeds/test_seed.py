"""Reading seeds: every kind of bytes is a seed or a problem with a code and a place, never a crash."""

import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import frontmatter
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.steps import steps_of

from worker.domain.seeds import codes
from worker.domain.seeds.facts import Facts, Fields, parse_date, read_facts
from worker.domain.seeds.front_matter import MAX_BYTES, MAX_DEPTH, MAX_ITEMS, SeedHandler
from worker.domain.seeds.problem import Problem
from worker.domain.seeds.seed import Seed, body_sha256, is_plain_note, looks_retracted, parse_seed

TESTS = str(Path(__file__).parents[2])
SAMPLES = [
    path.read_bytes() for path in sorted((Path(__file__).parents[3] / "seeds").rglob("*.md"))
]


def seed_of(data):
    seed = parse_seed(data.encode() if isinstance(data, str) else data)
    assert isinstance(seed, Seed), seed
    return seed


def problem_of(data):
    problems = parse_seed(data.encode() if isinstance(data, str) else data)
    assert isinstance(problems, tuple), problems
    assert len(problems) == 1
    return problems[0]


def fields(front_matter):
    return f"---\n{front_matter}\n---\nbody\n"


# What is a seed


def test_front_matter_and_body_are_kept_as_they_were_written():
    seed = seed_of("---\ntitle: One\n# a remark\n---\n\n  # Heading\ntext  \n\n")
    assert seed == Seed(
        metadata={"title": "One"},
        front_matter="title: One\n# a remark\n",
        body="\n  # Heading\ntext  \n\n",
        body_line=5,
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_all_line_ends_are_accepted(mark, end):
    seed = seed_of(mark + end.join(["---", "title: One", "tags: [a]", "---", "text", "more", ""]))
    assert seed.metadata == {"title": "One", "tags": ["a"]}
    assert seed.front_matter == f"title: One{end}tags: [a]{end}"
    assert seed.body == "text\nmore\n"
    assert seed.body_line == 5


def test_mixed_line_ends_are_accepted():
    seed = seed_of("---\r\ntitle: One\nversion: v1\r\n---\ntext\r\nmore\n")
    assert seed.metadata == {"title": "One", "version": "v1"}
    assert (seed.body, seed.body_line) == ("text\nmore\n", 5)


def test_spaces_may_follow_a_fence():
    assert seed_of("--- \t\ntitle: One\n---  \ntext").body == "text"


def test_a_line_of_hyphens_in_the_body_belongs_to_the_body():
    assert seed_of("---\ntitle: One\n---\nabove\n---\nbelow\n").body == "above\n---\nbelow\n"


@pytest.mark.parametrize("line", ["----", "--- x", " ---", "---x"])
def test_only_a_line_of_three_hyphens_closes_front_matter(line):
    assert problem_of(f"---\ntitle: One\n{line}\n").code == codes.UNCLOSED_FRONT_MATTER


def test_a_body_may_be_missing():
    assert seed_of("---\ntitle: One\n---").body == ""


def test_scalars_stay_as_written():
    written = ["no", "010", "12:30:45", "1.0", "~", "null", "2026-01-15", "0x1F", "1_000", "true"]
    seed = seed_of(fields("\n".join(f"f{n}: {value}" for n, value in enumerate(written))))
    assert list(seed.metadata.values()) == written


def test_an_empty_value_is_an_empty_string():
    assert seed_of(fields("owner:\ntags:\n- a\n-")).metadata == {"owner": "", "tags": ["a", ""]}


def test_quoted_and_plain_values_are_equal():
    plain, quoted = "title: One\ntags: [a]", "'title': \"One\"\ntags:\n  - 'a'"
    assert seed_of(fields(plain)).metadata == seed_of(fields(quoted)).metadata


def test_a_field_may_be_named_content():
    assert seed_of(fields("content: x\nhandler: y")).metadata == {"content": "x", "handler": "y"}


def test_the_handler_serves_python_frontmatter_too():
    post = frontmatter.loads("---\ntitle: no\n---\ntext", handler=SeedHandler())
    assert (post.metadata, post.content) == ({"title": "no"}, "text")
    assert not SeedHandler().detect("title: no")


def test_nesting_is_allowed_up_to_the_limit():
    brackets = MAX_DEPTH - 1  # the fields themselves are the first level
    deep = fields(f"x: {'[' * brackets}{']' * brackets}")
    assert isinstance(parse_seed(deep.encode()), Seed)
    deeper = fields(f"x: {'[' * MAX_DEPTH}{']' * MAX_DEPTH}")
    assert problem_of(deeper).code == codes.TOO_DEEP


# What is none


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", codes.EMPTY_FILE),
        (b" \n\r\n", codes.EMPTY_FILE),
        (b"\xef\xbb\xbf", codes.EMPTY_FILE),
        (b"---\ntitle: caf\xe9\n---\n", codes.NOT_UTF8),
        ("---\ntitle: One\n---\n".encode("utf-16"), codes.NOT_UTF8),
        ("---\ntitle: One\n---\n".encode("utf-16-le"), codes.NUL_BYTE),
        (b"---\ntitle: One\n---\na\0b\n", codes.NUL_BYTE),
        (b"# Title\n", codes.NO_FRONT_MATTER),
        (b"{title: One}\n", codes.NO_FRONT_MATTER),
        (b"\n---\ntitle: One\n---\n", codes.NO_FRONT_MATTER),
        (b"---- \ntitle: One\n----\n", codes.NO_FRONT_MATTER),
        (b"---", codes.UNCLOSED_FRONT_MATTER),
        (b"---\n", codes.UNCLOSED_FRONT_MATTER),
        (b"---\ntitle: One\n", codes.UNCLOSED_FRONT_MATTER),
        (b"---\n---\n", codes.NOT_FIELDS),
        (b"---\n# only a remark\n---\n", codes.NOT_FIELDS),
        (b"---\n- One\n---\n", codes.NOT_FIELDS),
        (b"---\nOne\n---\n", codes.NOT_FIELDS),
        (b"---\ntitle: One: Two\n---\n", codes.YAML_SYNTAX),
        (b"---\n\ttitle: One\n---\n", codes.YAML_SYNTAX),
        (b"---\ntitle: @One\n---\n", codes.YAML_SYNTAX),
        (b"---\ntitle: 'One\n---\n", codes.YAML_SYNTAX),
        (b"---\ntags: [a, b\n---\n", codes.YAML_SYNTAX),
        (b"---\ntitle: One\n...\nversion: v1\n---\n", codes.YAML_SYNTAX),
        (b"---\ntitle: One\n--- x\n---\n", codes.YAML_SYNTAX),
        (b'---\ntitle: "\\ud800"\n---\n', codes.YAML_SYNTAX),
        (b"---\ntitle: &a One\n---\n", codes.YAML_ANCHOR),
        (b"---\n&a title: One\n---\n", codes.YAML_ANCHOR),
        (b"---\ntags: &a [One]\n---\n", codes.YAML_ANCHOR),
        (b"---\ntitle: *a\n---\n", codes.YAML_ALIAS),
        (b"---\n*a : One\n---\n", codes.YAML_ALIAS),
        (b"---\n<<: {title: One}\n---\n", codes.YAML_MERGE),
        (b"---\ntitle: !!python/name:os.system One\n---\n", codes.YAML_TAG),
        (b"---\ntitle: !!str One\n---\n", codes.YAML_TAG),
        (b"---\n!x {title: One}\n---\n", codes.YAML_TAG),
        (b"---\ntitle: One\n'title': Two\n---\n", codes.DUPLICATE_FIELD),
        (b"---\nx: {a: 1, a: 2}\n---\n", codes.DUPLICATE_FIELD),
        (b"---\n? [a]\n: One\n---\n", codes.FIELD_NAME),
        (b"---\n'': One\n---\n", codes.FIELD_NAME),
        (b"---\ntitle: \x07One\n---\n", codes.CONTROL_CHARACTER),
        (b'---\ntitle: "One\\0"\n---\n', codes.CONTROL_CHARACTER),
        (b'---\ntitle: "One\\e[1m"\n---\n', codes.CONTROL_CHARACTER),
    ],
)
def test_each_fault_has_its_code_and_a_hint(data, code):
    problem = problem_of(data)
    assert problem.code == code
    assert (problem.rule, problem.severity) == codes.CODES[code]
    assert problem.message
    assert problem.hint


def test_a_quoted_merge_key_is_a_field_like_any_other():
    assert seed_of(fields("'<<': One")).metadata == {"<<": "One"}


def test_an_asterisk_in_quotes_is_text():
    assert seed_of(fields("title: '*One'")).metadata == {"title": "*One"}


@pytest.mark.parametrize(
    ("data", "line", "column", "end_column"),
    [
        ("---\ntitle: One\ntitle: Two\n---\n", 3, 1, 6),
        ("---\r\ntitle: One\r\ntitle: Two\r\n---\r\n", 3, 1, 6),
        ("---\ntitle: One\nx: é*a &b\nowner: *b\n---\n", 4, 8, 10),
        ("\ufeff---\ntitle: &a One\n---\n", 2, 8, 14),
        ("---\nx: 'a\u2028b'\ntitle: One: Two\n---\n", 3, 11, 12),
        ("---\nü: \x07\n---\n", 2, 4, 5),
        ("---\ntitle: One\n", 1, 1, 4),
    ],
)
def test_a_fault_is_reported_with_its_place(data, line, column, end_column):
    span = problem_of(data).span
    assert (span.line, span.column, span.end_column) == (line, column, end_column)


def test_a_duplicate_field_shows_where_the_first_is():
    assert "first in line 2" in problem_of("---\ntitle: One\nx: y\ntitle: Two\n---\n").message


def test_a_byte_that_is_not_utf8_is_reported_with_offset_line_and_a_guess():
    problem = problem_of("---\ntitle: é caf".encode() + b"\xe9\n---\n")
    assert "byte 17 is 0xe9" in problem.message
    assert "'é'" in problem.message
    assert (problem.span.line, problem.span.column) == (2, 13)


@pytest.mark.parametrize(
    ("before", "line", "column"),
    [
        (b"", 1, 1),
        (b"---\n", 2, 1),
        (b"---\r\na", 2, 2),
        (b"---\ra\r\n\n", 4, 1),
        ("---\näöü".encode(), 2, 4),
        ("\ufeff---".encode(), 1, 4),
    ],
)
@pytest.mark.parametrize(
    ("byte", "code"), [(b"\xb5", codes.NOT_UTF8), (b"\0", codes.NUL_BYTE)], ids=["utf8", "nul"]
)
def test_a_bad_byte_is_reported_at_its_character_with_any_line_ends(
    before, line, column, byte, code
):
    problem = problem_of(before + byte + b" g")
    span = problem.span
    assert (problem.code, span.line, span.column) == (code, line, column)
    assert (span.end_line, span.end_column) == (line, column + 1)
    assert f"byte {len(before)}" in problem.message


def test_a_byte_that_would_be_invisible_has_no_guess():
    assert problem_of(b"---\n\xb5").message.endswith("in Windows-1252 this byte is 'µ'")
    assert problem_of(b"---\n\x81").message.endswith("byte 4 is 0x81"), "nothing in Windows-1252"
    assert problem_of(b"---\n\xa0").message.endswith("byte 4 is 0xa0")


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n"])
def test_a_file_of_nothing_but_blanks_is_empty(data):
    assert problem_of(data).code == codes.EMPTY_FILE


def test_utf16_is_named_in_the_message():
    assert "UTF-16" in problem_of("---\ntitle: One\n---\n".encode("utf-16")).message


def test_fences_of_typographic_dashes_are_explained():
    assert "three hyphens" in problem_of("\u2014-\ntitle: One\n\u2014-\n").hint


def test_front_matter_may_have_at_most_64_kib():
    filler = "# " + "x" * (MAX_BYTES - len("title: One\n# \n")) + "\n"
    assert len(f"title: One\n{filler}") == MAX_BYTES
    assert isinstance(parse_seed(f"---\ntitle: One\n{filler}---\n".encode()), Seed)
    problem = problem_of(f"---\ntitle: One!\n{filler}---\n")
    assert problem.code == codes.FRONT_MATTER_TOO_LARGE


def test_front_matter_is_measured_in_bytes():
    problem = problem_of(f"---\ntitle: {'ü' * (MAX_BYTES // 2)}\n---\n")
    assert problem.code == codes.FRONT_MATTER_TOO_LARGE


def test_a_list_of_thousands_is_refused():
    assert isinstance(parse_seed(fields("tags:" + "\n- a" * MAX_ITEMS).encode()), Seed)
    problem = problem_of(fields("tags:" + "\n- a" * (MAX_ITEMS + 1)))
    assert problem.code == codes.FRONT_MATTER_TOO_LARGE


@pytest.mark.parametrize("opening", ["[", "{", "- ", "? ", "{a: ", "[a,", "[\n"])
@pytest.mark.parametrize("whole_file", [True, False], ids=["as-a-file", "to-the-loader"])
def test_100_000_levels_of_nesting_are_refused_at_once(opening, whole_file):
    # In a process of its own: a parser that recurses in C takes the whole interpreter along.
    program = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {TESTS!r})
        from support.steps import steps_of
        from worker.domain.seeds.front_matter import FrontMatterError, SeedHandler
        from worker.domain.seeds.seed import parse_seed
        nested = {opening!r} * 100_000
        def read():
            if {whole_file}:
                print(parse_seed(("---\\nx: " + nested + "\\n---\\n").encode())[0].code)
            else:
                try:
                    SeedHandler().load(nested)
                except FrontMatterError as error:
                    print(error.code)
        steps_of(read, most=3_000)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in codes.CODES


def test_an_alias_bomb_costs_nothing():
    lists = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    found = []
    steps_of(lambda: found.append(problem_of(fields(f"l0: &l0 [x]\n{lists}"))), most=1_000)
    assert found[0].code == codes.YAML_ANCHOR


# Never a crash


def checked(data):
    result = parse_seed(data)
    if isinstance(result, Seed):
        assert "\r" not in result.body
        assert result.body_line >= 4
        return
    for problem in result:
        assert isinstance(problem, Problem)
        assert problem.span.line >= 1
        assert problem.span.column >= 1
        assert (problem.span.end_line, problem.span.end_column) >= (problem.span.line, 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_seed_or_a_problem(data):
    checked(data)


@given(st.text(max_size=300), st.text(max_size=50))
def test_any_front_matter_is_a_seed_or_a_problem(front_matter, body):
    checked(f"---\n{front_matter}\n---\n{body}".encode(errors="replace"))


YAML_PIECES = st.sampled_from(
    [
        *"[]{},:-?&*!|>'\"%@`#\t\n\r\\ ",
        "a",
        "é",
        "a: ",
        "- ",
        "\n  ",
        "<<: ",
        "---",
        "...",
        "\u2028",
    ]
)


@given(st.lists(YAML_PIECES, max_size=60))
def test_any_yaml_is_a_seed_or_a_problem(pieces):
    checked(f"---\n{''.join(pieces)}\n---\n".encode())


@given(st.sampled_from(SAMPLES), st.data())
def test_a_spoiled_seed_is_a_seed_or_a_problem(sample, data):
    spoiled = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, min(len(spoiled), 600)))
        end = start + data.draw(st.integers(0, 12))
        spoiled[start:end] = data.draw(st.binary(max_size=8))
    checked(bytes(spoiled))


PLAIN_TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
    )
)


@given(
    st.dictionaries(
        PLAIN_TEXT.filter(bool),
        st.one_of(PLAIN_TEXT, st.lists(PLAIN_TEXT, max_size=4)),
        min_size=1,
        max_size=6,
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r")),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_written_seed_reads_back_equal(metadata, body, end):
    front_matter = SeedHandler().export(metadata, default_style="'", width=10**6)
    text = f"---\n{front_matter}\n---\n{body}".replace("\n", end)
    seed = seed_of(text)
    assert seed.metadata == metadata
    assert seed.body == body


# Facts


def test_facts_are_read_from_metadata():
    metadata = {
        "title": " One\n two ",
        "version": "v2",
        "status": "active",
        "sourceType": "02_nci_core",
        "owner": "ada@example.org",
        "reviewerName": "Grace",
        "tags": ["a", "", "b"],
        "lastReviewed": "2026-01-15",
        "reviewFrequency": "quarterly",
    }
    assert read_facts(metadata, Fields()) == Facts(
        title="One two",
        status="active",
        label="v2",
        source_type="02_nci_core",
        owner="ada@example.org",
        tags=("a", "b"),
        last_reviewed=date(2026, 1, 15),
        review_frequency="quarterly",
    )


def test_the_reviewer_answers_without_an_owner():
    assert read_facts({"owner": "", "reviewerName": "Grace"}, Fields()).owner == "Grace"
    assert read_facts({}, Fields()).owner is None


def test_facts_without_metadata_are_none():
    nothing = Facts(
        title="",
        status="",
        label="",
        source_type=None,
        owner=None,
        tags=(),
        last_reviewed=None,
        review_frequency=None,
    )
    assert read_facts({}, Fields()) == nothing
    odd = {"title": ["a"], "status": {"a": "b"}, "version": " ", "tags": [["a"]], "owner": " \n"}
    assert read_facts(odd, Fields()) == nothing


def test_a_single_tag_is_a_list_of_one():
    assert read_facts({"tags": " nausea "}, Fields()).tags == ("nausea",)


def test_the_owner_answers_before_the_reviewer():
    assert read_facts({"owner": "Ada", "reviewerName": "Grace"}, Fields()).owner == "Ada"


def test_every_fact_is_read_from_the_field_that_the_library_names():
    names = Fields(
        title="t", version="v", status="s", source_type="st", owner="o", reviewer="r", tags="k"
    )
    facts = read_facts({"t": "1", "v": "2", "s": "3", "st": "4", "r": "5", "k": ["6"]}, names)
    assert (facts.title, facts.label, facts.status) == ("1", "2", "3")
    assert (facts.source_type, facts.owner, facts.tags) == ("4", "5", ("6",))


def test_the_fields_have_their_usual_names():
    assert Fields() == Fields(
        title="title",
        version="version",
        status="status",
        source_type="sourceType",
        last_reviewed="lastReviewed",
        review_frequency="reviewFrequency",
        owner="owner",
        reviewer="reviewerName",
        review_status="reviewStatus",
        tags="tags",
        url="url",
    )


def test_field_names_come_from_the_library():
    names = Fields(last_reviewed="last_reviewed_on", review_frequency="review_in")
    facts = read_facts({"last_reviewed_on": "2026-01-15", "review_in": "6 months"}, names)
    assert facts.last_reviewed == date(2026, 1, 15)
    assert facts.review_frequency == "6 months"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-30",
        "20260115",
        "2026-W03-4",
        "15.01.2026",
        "2026-1-5",
        "\u0968\u0966\u0968\u096c-01-15",
        None,
    ],
)
def test_only_iso_dates_are_dates(text):
    assert parse_date(text) is None


# The watcher's two questions


@pytest.mark.parametrize(
    "data",
    [b"Buy milk", b"---- \n", b"--\n", b"\n---\n", b" ---\n", b"\xff\xd8\xff\xe0", b"---x\n"],
)
def test_a_text_without_a_fence_is_a_plain_note(data):
    assert is_plain_note(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"---",
        b"---\n",
        b"---\r\n",
        b"--- \t\nx",
        b"\xef\xbb\xbf---\n",
        b"\xff\xfe-\0-\0",
    ],
)
def test_a_fence_or_an_empty_file_is_not_a_plain_note(data):
    assert not is_plain_note(data)


@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: One\nstatus: deprecated\n---\n",
        "---\r\ntitle: One\r\nstatus: 'inactive'\r\n---\r\n",
        '\ufeff---\n"status" : "deprecated" # for good\n---\n',
    ],
)
def test_a_retraction_is_recognized_without_parsing(text):
    assert looks_retracted(text.encode(), Fields())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "---\nstatus: active\n---\nstatus: deprecated\n",
        "---\nreviewStatus: inactive\n---\n",
        "---\nstatus: inactivex\n---\n",
    ],
)
def test_an_active_document_is_not_recognized_as_a_retraction(text):
    assert not looks_retracted(text.encode(), Fields())


def test_a_retraction_is_recognized_under_the_librarys_field_name():
    assert looks_retracted(b"---\nstate+: inactive\n---\n", Fields(status="state+"))


def test_the_sha256_of_a_body_is_taken_of_its_utf8_bytes():
    assert body_sha256("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"


def test_a_retraction_is_searched_only_where_front_matter_can_be():
    filler = b"a: " + b"x" * MAX_BYTES
    assert not looks_retracted(b"---\n" + filler + b"\nstatus: inactive\n---\n", Fields())
    assert looks_retracted(b"---\nstatus: inactive\n" + filler, Fields())
    assert not looks_retracted(b"---\n---\nstatus: inactive\n", Fields())


def test_unclosed_front_matter_can_retract():
    assert looks_retracted(b"---\nstatus: inactive", Fields())
    assert looks_retracted(b"status: inactive\n---\n", Fields())
