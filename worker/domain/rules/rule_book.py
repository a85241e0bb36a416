"""The rule book: why each rule is there, with an example of what is wrong and one that is right.

One entry a code of `worker.domain.seeds.codes`. `content-sync rules` lists them, `content-sync explain`
prints one. Examples show only the lines that matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from worker.domain.seeds import codes


@dataclass(frozen=True, slots=True)
class Entry:
    """What is told of a rule: the first sentence of `why` says what is found."""

    why: str
    wrong: str
    right: str

    @property
    def summary(self) -> str:
        """Return what the rule finds, in one sentence."""
        return self.why.partition(". ")[0].rstrip(".")


_BYTES: Final = {
    codes.TOO_LARGE: Entry(
        "The file is larger than the setting `intake.max_file_bytes`. A page of five megabytes is"
        " mostly a book or an accident, and would hold up all others.",
        "handbook.md, 12 MB",
        "handbook/01-before.md, 80 kB\nhandbook/02-after.md, 90 kB",
    ),
    codes.NO_PERMISSION: Entry(
        "The service's user may not read the file. Its last good version is served until it can.",
        "-rw------- editor editor nausea.md",
        "-rw-r--r-- editor editor nausea.md",
    ),
    codes.UNREADABLE: Entry(
        "The file could not be read, for a reason of the disk or the share. It is tried again.",
        "nausea.md: Input/output error",
        "nausea.md on a disk that answers",
    ),
    codes.EMPTY_FILE: Entry(
        "The file is empty. Programs that save by truncating leave such files behind when they crash;"
        " an empty page must not replace a good one.",
        "(nothing)",
        "---\ntitle: Nausea\n---\n\n# Nausea",
    ),
    codes.NOT_UTF8: Entry(
        "The file is not UTF-8. In another encoding letters and signs, such as the µ of a dose, come"
        " out as others without a word.",
        "50 \\xb5g, saved as Windows-1252",
        "50 µg, saved as UTF-8",
    ),
    codes.NUL_BYTE: Entry(
        "The file holds a NUL byte. It is no text, or was cut off by a crash; databases refuse it.",
        "nausea.md, written by a word processor",
        "nausea.md, exported as plain text",
    ),
    codes.GIVEN_UP: Entry(
        "Taking in the file failed or ended the worker three times. It is not tried again until it is"
        " saved anew, so that it holds up no other; the last good version is served.",
        "nausea.md, whose workers ran out of memory",
        "nausea.md, saved again in parts",
    ),
}

_FRONT_MATTER: Final = {
    codes.NO_FRONT_MATTER: Entry(
        "The file does not begin with front matter. Without it nobody knows the page's status,"
        " source or review.",
        "# Nausea\n\nTell your team.",
        "---\ntitle: Nausea\nstatus: active\n---\n\n# Nausea",
    ),
    codes.UNCLOSED_FRONT_MATTER: Entry(
        "The second line `---` is missing. The whole page would be read as fields.",
        "---\ntitle: Nausea\n\n# Nausea",
        "---\ntitle: Nausea\n---\n\n# Nausea",
    ),
    codes.FRONT_MATTER_TOO_LARGE: Entry(
        "The front matter is larger than 64 KiB, or a list in it has over 1,000 items. Mostly the"
        " closing line `---` is missing.",
        "---\ntitle: Nausea\n(the whole page)\n---",
        "---\ntitle: Nausea\n---\n(the whole page)",
    ),
    codes.YAML_SYNTAX: Entry(
        "The front matter is not valid YAML. A colon in a value and a quote that is not closed are"
        " the usual reasons.",
        "title: Nausea: what helps",
        "title: 'Nausea: what helps'",
    ),
    codes.NOT_FIELDS: Entry(
        "The front matter is no list of fields. Other tools take such a page for one without metadata,"
        " and say nothing.",
        "---\n- Nausea\n---",
        "---\ntitle: Nausea\n---",
    ),
    codes.TOO_DEEP: Entry(
        "Values are nested deeper than 20 levels. Deep nesting crashes YAML readers; no page needs it.",
        "tags: [[[[[[[[[[[[[[[[[[[[[nausea]]]]]]]]]]]]]]]]]]]]]",
        "tags: [nausea]",
    ),
    codes.YAML_ANCHOR: Entry(
        "A value begins with `&`, a YAML anchor. Anchors and aliases can make 300 bytes grow to"
        " gigabytes.",
        "source: &NCI",
        "source: '&NCI'",
    ),
    codes.YAML_ALIAS: Entry(
        "A value begins with `*`, a YAML alias. See CS016.",
        "title: *Important* news",
        "title: '*Important* news'",
    ),
    codes.YAML_MERGE: Entry(
        "A field is called `<<`, a YAML merge. What a page says of itself has to stand in it.",
        "<<: {status: active}",
        "status: active",
    ),
    codes.YAML_TAG: Entry(
        "A value begins with `!`, a YAML tag. Tags can make careless readers run programs.",
        "title: !important Nausea",
        "title: '!important Nausea'",
    ),
    codes.DUPLICATE_FIELD: Entry(
        "A field is given twice. Most tools silently take the last, so that two people read two"
        " different pages.",
        "status: deprecated\nstatus: active",
        "status: deprecated",
    ),
    codes.FIELD_NAME: Entry(
        "A field's name is empty or no plain text. YAML allows lists as names; nobody means them.",
        "[status]: active",
        "status: active",
    ),
    codes.CONTROL_CHARACTER: Entry(
        "The front matter holds a control character. It is invisible, came with a copy, and can steer"
        " terminals and mail.",
        'title: "Nausea\\e[2J"',
        "title: Nausea",
    ),
    codes.YAML_TRAP: Entry(
        "A value without quotes that other programs read as something else. This service keeps values"
        " as they are written; readers of YAML 1.1, most of today's, take `no` for false, `010` for 8"
        " and `12:30` for 750.",
        "language: no",
        "language: 'no'",
    ),
}

_FIELDS: Final = {
    codes.MISSING_FIELD: Entry(
        "A field that the schema requires is missing or empty.",
        "title: Nausea\nversion: v1",
        "title: Nausea\nversion: v1\nstatus: active\nsource: Our nurses",
    ),
    codes.WRONG_TYPE: Entry(
        "A value is a list where the schema asks for a text, or the other way about.",
        "tags: nausea",
        "tags: [nausea]",
    ),
    codes.NOT_ALLOWED: Entry(
        "A value is not one of the words that the schema allows. Routes, filters and the chatbot go by"
        " these words; a misspelt one is found by none of them.",
        "status: actve",
        "status: active",
    ),
    codes.WRONG_FORM: Entry(
        "A value does not have the form that the schema asks for, as a pattern or a length.",
        "version: 2",
        "version: v2",
    ),
    codes.SCHEMA: Entry(
        "A value breaks another rule of the schema. The message is the schema validator's own.",
        "(whatever the team's schema forbids)",
        "(what it allows)",
    ),
    codes.NOT_A_DATE: Entry(
        "The review date is no date. The review clock starts from it.",
        "lastReviewed: 2026-02-30",
        "lastReviewed: 2026-02-28",
    ),
    codes.DATE_IN_FUTURE: Entry(
        "The review date is in the future. Nobody has reviewed the page on that day yet, and its next"
        " review would come too late.",
        "lastReviewed: 2062-01-15",
        "lastReviewed: 2026-01-15",
    ),
    codes.NOT_A_FREQUENCY: Entry(
        "The review frequency is none that the clock understands. The page would never fall due.",
        "reviewFrequency: quaterly",
        "reviewFrequency: quarterly",
    ),
    codes.NO_REVIEW_DATE: Entry(
        "An active page has no review date. Nobody will be told when its review is due.",
        "status: active\nreviewFrequency: quarterly",
        "status: active\nreviewFrequency: quarterly\nlastReviewed: 2026-01-15",
    ),
    codes.NO_REVIEW_FREQUENCY: Entry(
        "An active page has no review frequency. Unless `review.default_cadences` has one for it,"
        " nobody will be told when its review is due.",
        "status: active\nlastReviewed: 2026-01-15",
        "status: active\nlastReviewed: 2026-01-15\nreviewFrequency: quarterly",
    ),
    codes.UNKNOWN_FIELD: Entry(
        "A field is not in the schema. It is kept, but a misspelt name means that the field which was"
        " meant is missing.",
        "last_reviewed: 2026-01-15",
        "lastReviewed: 2026-01-15",
    ),
    codes.MISSING_OWNER: Entry(
        "Neither an owner nor a reviewer is named. Reviews of such a page go to whoever the routes"
        " name for all. Off by default: a library that routes by folder needs no owners.",
        "title: Nausea",
        "title: Nausea\nowner: Asha",
    ),
    codes.UNQUOTED_DATE: Entry(
        "A date has no quotes. Readers of YAML 1.1 make a date of it and not a text, which fails when"
        " it is written as JSON. Off by default; `content-sync validate --fix` puts the quotes.",
        "lastReviewed: 2026-01-15",
        "lastReviewed: '2026-01-15'",
    ),
}

_TEXT: Final = {
    codes.EMPTY_BODY: Entry(
        "There is no text after the front matter. An empty page answers no patient.",
        "---\ntitle: Nausea\n---",
        "---\ntitle: Nausea\n---\n\nTell your team when it began.",
    ),
    codes.CRAWL_STUB: Entry(
        "The text is short, and is what a web server says instead of the page: enable JavaScript, log"
        " in, not found. Its metadata may be perfect all the same.",
        "You need to enable JavaScript to run this app.",
        "Tell your team when it began.",
    ),
    codes.GARBLED_TEXT: Entry(
        "More than one in a hundred characters is U+FFFD, which stands for a lost one. The file was no"
        " text, or went through a wrong encoding.",
        "\ufffd\ufffdeV^\ufffd BOOKMOBI \ufffd",
        "Coping with advanced cancer",
    ),
    codes.CONTROL_IN_TEXT: Entry(
        "The text holds a control character. It is invisible and came with a copy, often from a PDF.",
        "Take it\\x0c with food.",
        "Take it with food.",
    ),
    codes.REORDERED_TEXT: Entry(
        "A value or the text holds an invisible mark that reorders what is shown. A reader may see"
        " another dose than the one that is stored. Joiners and plain direction marks are fine.",
        "Take \\u202e05\\u202c mg.",
        "Take 50 mg.",
    ),
    codes.SCRIPT: Entry(
        "The text holds a script, an event handler or a link that is a program. Where the page is"
        " shown as HTML, a browser would run it.",
        '<img src="a.png" onerror="steal()">',
        "![A hand](https://example.org/a.png)",
    ),
    codes.OTHER_HEADING: Entry(
        "The first heading of the first level is not the title. One of the two may be of another"
        " page. Case, emphasis and a longer ending of either do not count.",
        "title: Nausea\n---\n# Constipation",
        "title: Nausea\n---\n# Nausea",
    ),
    codes.RELATIVE_LINK: Entry(
        "A link or a picture has no host, and the page has no `url` from which it could be completed."
        " Links to other documents of the folder (`other.md`) are fine.",
        "[Side effects](/about/side-effects)",
        "[Side effects](https://example.org/about/side-effects)",
    ),
    codes.LOST_CHARACTER: Entry(
        "A character of the text is lost and shown as U+FFFD. In a dose that may have been the unit.",
        "50 \ufffdg a day",
        "50 µg a day",
    ),
}

_BEFORE: Final = {
    codes.EARLIER_REVIEW: Entry(
        "The review date is before that of the version before. Mostly an older copy of the file was"
        " put back.",
        "lastReviewed: 2025-10-01 (before: 2026-01-15)",
        "lastReviewed: 2026-01-15",
    ),
    codes.EARLIER_LABEL: Entry(
        "The version label goes back. Mostly an older copy of the file was put back.",
        "version: v2 (before: v3)",
        "version: v3",
    ),
    codes.SAME_LABEL: Entry(
        "The text changed under the same version label, so that whoever cites the label cites two"
        " texts. White space alone does not count. The service numbers versions by itself: a team"
        " that does not use labels sets this to off.",
        "version: v1 (another text than before)",
        "version: v2",
    ),
    codes.BODY_SHRANK: Entry(
        "The text lost more than half of its characters. That is what a failed download or an editor's"
        " accident looks like, so the last good version stays. A changed version label says that the"
        " cut is meant, and so does a status other than active: then it is a warning. Texts below 500"
        " characters are left alone.",
        "version: v1 (12,000 characters before, 900 now)",
        "version: v2",
    ),
}

_LIBRARY: Final = {
    codes.SAME_URL: Entry(
        "Several documents have one `url`. One of them is mostly a forgotten copy that is never"
        " updated again.",
        "a.md: url: https://example.org/nausea\nb.md: url: https://example.org/nausea",
        "a.md: url: https://example.org/nausea",
    ),
    codes.SAME_BODY: Entry(
        "Several documents have one text. A chatbot finds it twice, and keeps the copy when the"
        " original is withdrawn.",
        "nausea.md and nausea-copy.md",
        "nausea.md",
    ),
    codes.SAME_REVIEW_DATE: Entry(
        "More than 50 files, and more than half of them all, have one review date. Nobody reads so"
        " many in a day: the date is an import's, and all of their reviews fall due together. It is"
        " told once, at the first of the files.",
        "lastReviewed: 2025-12-30 (in 1,349 of 1,432 files)",
        "lastReviewed: (the day on which each was read)",
    ),
}

#: What is told of each code.
RULE_BOOK: Final[dict[str, Entry]] = {
    **_BYTES,
    **_FRONT_MATTER,
    **_FIELDS,
    **_TEXT,
    **_BEFORE,
    **_LIBRARY,
}
