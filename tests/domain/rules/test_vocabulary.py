"""What rules take from a team's schema: words, examples, required fields and severities."""

from __future__ import annotations

import pytest

from worker.domain.rules.vocabulary import compile_rules
from worker.domain.seeds import codes
from worker.domain.seeds.codes import OFF_BY_DEFAULT, found
from worker.domain.seeds.problem import Severity
from worker.domain.seeds.seed import Fields

NEEDED = {name: {} for name in ("title", "version", "status", "lastReviewed", "reviewFrequency")}


def a_schema(**properties):
    return {
        "properties": NEEDED | properties,
        "required": ["title", "version", "status"],
    }


def compiled(severities=None, **properties):
    return compile_rules(a_schema(**properties), Fields(), severities)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, ()),
        (True, ()),
        ({"enum": ["a", 1, "b", None]}, ("a", "b")),
        ({"items": {"enum": ["a"]}}, ("a",)),
        ({"anyOf": [{"enum": ["a"]}, {"oneOf": [{"enum": ["b"]}]}]}, ("a", "b")),
        ({"oneOf": [{"enum": ["a"]}], "allOf": [{"enum": ["b"]}], "enum": ["c"]}, ("c", "a", "b")),
    ],
)
def test_the_allowed_words_of_a_field_are_found_anywhere_in_the_schema(schema, words):
    assert compiled(field=schema).words["field"] == words


@pytest.mark.parametrize(
    ("schema", "examples"),
    [({}, ()), (True, ()), ({"examples": ["a", 2, "b"]}, ("a", "b"))],
)
def test_examples_are_texts(schema, examples):
    assert compiled(field=schema).examples["field"] == examples


def test_known_and_required_fields_come_from_the_schema():
    rules = compiled(field={})
    assert rules.known == {*NEEDED, "field"}
    assert rules.required == {"title", "version", "status"}


def test_a_team_can_weaken_silence_or_enable_rules():
    rules = compiled(
        {
            codes.SAME_URL: Severity.ERROR,
            codes.SAME_BODY: None,
            codes.MISSING_OWNER: Severity.INFO,
        }
    )
    assert rules.off == OFF_BY_DEFAULT - {codes.MISSING_OWNER} | {codes.SAME_BODY}
    problems = [
        found(code, "message") for code in (codes.SAME_URL, codes.SAME_BODY, codes.SAME_LABEL)
    ]
    assert [(p.code, p.severity) for p in rules.weigh(problems)] == [
        (codes.SAME_URL, Severity.ERROR),
        (codes.SAME_LABEL, Severity.WARNING),
    ]


def test_rules_have_the_severities_of_the_table_by_default():
    assert compiled().off == OFF_BY_DEFAULT
    assert compiled().severities == {}


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_a_schema_knows_each_field_that_the_service_reads(name):
    schema = a_schema()
    schema["properties"] = {known: {} for known in NEEDED if known != name}
    with pytest.raises(ValueError, match=f"the schema does not define {name}, which the setting"):
        compile_rules(schema, Fields())


@pytest.mark.parametrize("name", ["title", "version", "status"])
def test_a_schema_requires_what_every_document_has(name):
    schema = a_schema()
    schema["required"] = [needed for needed in schema["required"] if needed != name]
    with pytest.raises(ValueError, match=f"the schema must require {name}"):
        compile_rules(schema, Fields())


@pytest.mark.parametrize(
    "wrong", [{"type": "txt"}, {"$ref": "https://example.org/other.json"}, {"pattern": "("}]
)
def test_an_invalid_or_remote_schema_is_refused_in_one_line(wrong):
    with pytest.raises(ValueError, match="the schema is not a JSON Schema: ") as caught:
        compiled(field=wrong)
    assert "\n" not in str(caught.value)


def test_all_that_a_schema_lacks_and_all_that_is_wrong_is_said_at_once():
    schema = {
        "properties": {
            "title": {"type": "txt"},
            "version": {},
            "source": {"pattern": "("},
            "url": {"$ref": "https://example.org/other.json"},
        },
        "required": ["version"],
    }
    with pytest.raises(ValueError, match="the schema") as caught:
        compile_rules(schema, Fields(default_status="on"))
    message = str(caught.value)
    assert "\n" not in message
    for fault in (
        "the schema does not define status, which the setting fields.status names",
        "the schema does not define lastReviewed, ",
        "the schema does not define reviewFrequency, ",
        "the schema must require title",
        "the setting defaults.status is 'on', not one of active, inactive, deprecated",
        "the schema is not a JSON Schema: title: ",
        "the schema is not a JSON Schema: source: ",
        "the schema is not a JSON Schema: url: ",
    ):
        assert message.count(fault) == 1, fault


@pytest.mark.parametrize("part", [{"enum": 5}, {"anyOf": 3}, {"examples": {}}, {"items": [1]}])
def test_a_keyword_of_the_wrong_type_is_named_with_its_field(part):
    with pytest.raises(ValueError, match="the schema is not a JSON Schema: field: "):
        compiled(field=part)


@pytest.mark.parametrize("schema", [[], 5, "x", None])
def test_a_file_that_is_no_object_is_no_schema(schema):
    with pytest.raises(ValueError, match="the schema is not a JSON object"):
        compile_rules(schema, Fields())


def test_what_is_wrong_outside_of_the_fields_is_said_too():
    schema = {**a_schema(), "required": ["title", "version", "status", 3]}
    with pytest.raises(ValueError, match="the schema is not a JSON Schema: 3 is not of type"):
        compile_rules(schema, Fields())


def test_a_field_that_is_switched_off_or_has_a_default_is_not_required():
    schema = {**a_schema(source={}), "required": ["title", "version", "status", "source"]}
    bare = compile_rules(schema, Fields(version="", status="", default_status="active"))
    assert bare.required == {"title", "source"}
    assert bare.validator.is_valid({"title": "a", "source": "b"})
    named = compile_rules(schema, Fields(version="", default_status="active"))
    assert named.required == {"title", "source"}
    assert compile_rules(schema, Fields()).required == {"title", "version", "status", "source"}


def test_a_schema_need_not_know_a_field_that_is_switched_off():
    schema = a_schema()
    for name in ("version", "status"):
        del schema["properties"][name]
        schema["required"].remove(name)
    rules = compile_rules(schema, Fields(version="", status="", default_status="active"))
    assert "status" not in rules.known
