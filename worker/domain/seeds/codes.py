"""The table of problem codes: each code's rule name and default severity.

A released code is never reused for another rule. Only `found` makes problems, so every problem has
a code of this table. Called by parsing, by the rules, and by the commands that explain a code.
"""

from __future__ import annotations

from typing import Final

from worker.domain.seeds.problem import Problem, Severity, Span

# The bytes cannot be read, or are not text.
TOO_LARGE: Final = "CS001"
NO_PERMISSION: Final = "CS002"
UNREADABLE: Final = "CS003"
EMPTY_FILE: Final = "CS004"
NOT_UTF8: Final = "CS005"
NUL_BYTE: Final = "CS006"
GIVEN_UP: Final = "CS007"
NOT_STORABLE: Final = "CS008"

# The front matter is missing or cannot be read.
NO_FRONT_MATTER: Final = "CS010"
UNCLOSED_FRONT_MATTER: Final = "CS011"
FRONT_MATTER_TOO_LARGE: Final = "CS012"
YAML_SYNTAX: Final = "CS013"
NOT_FIELDS: Final = "CS014"
TOO_DEEP: Final = "CS015"
YAML_ANCHOR: Final = "CS016"
YAML_ALIAS: Final = "CS017"
YAML_MERGE: Final = "CS018"
YAML_TAG: Final = "CS019"
DUPLICATE_FIELD: Final = "CS020"
FIELD_NAME: Final = "CS021"
CONTROL_CHARACTER: Final = "CS022"
YAML_TRAP: Final = "CS023"

# A field does not fit the schema or the review clock.
MISSING_FIELD: Final = "CS030"
WRONG_TYPE: Final = "CS031"
NOT_ALLOWED: Final = "CS032"
WRONG_FORM: Final = "CS033"
SCHEMA: Final = "CS034"
NOT_A_DATE: Final = "CS035"
DATE_IN_FUTURE: Final = "CS036"
NOT_A_FREQUENCY: Final = "CS037"
NO_REVIEW_DATE: Final = "CS038"
NO_REVIEW_FREQUENCY: Final = "CS039"
UNKNOWN_FIELD: Final = "CS040"
MISSING_OWNER: Final = "CS041"
UNQUOTED_DATE: Final = "CS060"

# The body is not usable content.
EMPTY_BODY: Final = "CS050"
CRAWL_STUB: Final = "CS051"
GARBLED_TEXT: Final = "CS052"
CONTROL_IN_TEXT: Final = "CS053"
REORDERED_TEXT: Final = "CS054"
SCRIPT: Final = "CS055"
OTHER_HEADING: Final = "CS056"
RELATIVE_LINK: Final = "CS057"
LOST_CHARACTER: Final = "CS058"

# The document does not fit its previous version.
EARLIER_REVIEW: Final = "CS070"
EARLIER_LABEL: Final = "CS071"
SAME_LABEL: Final = "CS072"
BODY_SHRANK: Final = "CS073"

# The document conflicts with others in the library.
SAME_URL: Final = "CS080"
SAME_BODY: Final = "CS081"
SAME_REVIEW_DATE: Final = "CS082"
CONFLICT_COPY: Final = "CS083"

#: Each code's rule name and its severity, unless a team sets another.
CODES: Final[dict[str, tuple[str, Severity]]] = {
    TOO_LARGE: ("file-too-large", Severity.ERROR),
    NO_PERMISSION: ("no-permission", Severity.ERROR),
    UNREADABLE: ("unreadable", Severity.ERROR),
    EMPTY_FILE: ("empty-file", Severity.ERROR),
    NOT_UTF8: ("not-utf8", Severity.ERROR),
    NUL_BYTE: ("nul-byte", Severity.ERROR),
    GIVEN_UP: ("given-up", Severity.ERROR),
    NOT_STORABLE: ("not-storable", Severity.ERROR),
    NO_FRONT_MATTER: ("no-front-matter", Severity.ERROR),
    UNCLOSED_FRONT_MATTER: ("unclosed-front-matter", Severity.ERROR),
    FRONT_MATTER_TOO_LARGE: ("front-matter-too-large", Severity.ERROR),
    YAML_SYNTAX: ("yaml-syntax", Severity.ERROR),
    NOT_FIELDS: ("front-matter-not-fields", Severity.ERROR),
    TOO_DEEP: ("front-matter-too-deep", Severity.ERROR),
    YAML_ANCHOR: ("yaml-anchor", Severity.ERROR),
    YAML_ALIAS: ("yaml-alias", Severity.ERROR),
    YAML_MERGE: ("yaml-merge", Severity.ERROR),
    YAML_TAG: ("yaml-tag", Severity.ERROR),
    DUPLICATE_FIELD: ("duplicate-field", Severity.ERROR),
    FIELD_NAME: ("field-name", Severity.ERROR),
    CONTROL_CHARACTER: ("control-character", Severity.ERROR),
    YAML_TRAP: ("yaml-trap", Severity.WARNING),
    MISSING_FIELD: ("missing-field", Severity.ERROR),
    WRONG_TYPE: ("wrong-type", Severity.ERROR),
    NOT_ALLOWED: ("value-not-allowed", Severity.ERROR),
    WRONG_FORM: ("wrong-form", Severity.ERROR),
    SCHEMA: ("schema", Severity.ERROR),
    NOT_A_DATE: ("not-a-date", Severity.ERROR),
    DATE_IN_FUTURE: ("date-in-future", Severity.ERROR),
    NOT_A_FREQUENCY: ("review-frequency", Severity.ERROR),
    NO_REVIEW_DATE: ("no-review-date", Severity.WARNING),
    NO_REVIEW_FREQUENCY: ("no-review-frequency", Severity.WARNING),
    UNKNOWN_FIELD: ("unknown-field", Severity.INFO),
    MISSING_OWNER: ("missing-owner", Severity.INFO),
    EMPTY_BODY: ("empty-body", Severity.ERROR),
    CRAWL_STUB: ("crawl-stub", Severity.ERROR),
    GARBLED_TEXT: ("garbled-text", Severity.ERROR),
    CONTROL_IN_TEXT: ("control-in-text", Severity.WARNING),
    REORDERED_TEXT: ("reordered-text", Severity.WARNING),
    SCRIPT: ("script", Severity.ERROR),
    OTHER_HEADING: ("other-heading", Severity.INFO),
    RELATIVE_LINK: ("relative-link", Severity.WARNING),
    LOST_CHARACTER: ("lost-character", Severity.WARNING),
    UNQUOTED_DATE: ("unquoted-date", Severity.INFO),
    EARLIER_REVIEW: ("earlier-review", Severity.WARNING),
    EARLIER_LABEL: ("earlier-label", Severity.WARNING),
    SAME_LABEL: ("same-label", Severity.WARNING),
    BODY_SHRANK: ("body-shrank", Severity.ERROR),
    SAME_URL: ("same-url", Severity.WARNING),
    SAME_BODY: ("same-body", Severity.WARNING),
    SAME_REVIEW_DATE: ("same-review-date", Severity.WARNING),
    CONFLICT_COPY: ("conflict-copy", Severity.ERROR),
}

#: Rules that are off unless a team turns them on: they would report nearly every good page.
OFF_BY_DEFAULT: Final = frozenset({MISSING_OWNER, UNQUOTED_DATE})

#: Rules that no setting can change: a file that breaks one has no document to publish.
PROTECTED: Final = frozenset(code for code in CODES if code <= CONTROL_CHARACTER)

_BY_NAME: Final = {rule: code for code, (rule, _) in CODES.items()}

_START = Span.at_line(1)


def found(
    code: str, message: str, *, hint: str = "", span: Span = _START, fixable: bool = False
) -> Problem:
    """Return a problem with the rule name and default severity of its code."""
    rule, severity = CODES[code]
    return Problem(
        code=code,
        rule=rule,
        severity=severity,
        message=message,
        hint=hint,
        span=span,
        fixable=fixable,
    )


def code_of(name: str) -> str | None:
    """Return the code for a code (`CS021`) or a rule name (`field-name`), or None if neither exists.

    Case does not matter, and underscores count as hyphens.
    """
    plain = name.strip().lower().replace("_", "-")
    return _BY_NAME.get(plain) or (plain.upper() if plain.upper() in CODES else None)
