"""The rule book: the reason for each rule, with a wrong and a right example.

It has one entry for each code of `worker.domain.seeds.codes`. `content-sync rules` lists them, and
`content-sync explain` prints one. Examples show only the lines that matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from worker.domain.seeds import codes


@dataclass(frozen=True, slots=True)
class Entry:
    """The explanation of a rule; the first sentence of `why` says what the rule finds."""

    why: str
    wrong: str
    right: str

    @property
    def summary(self) -> str:
        """Return what the rule finds, as one sentence."""
        return self.why.partition(". ")[0].rstrip(".")


_BYTES: Final = {
    codes.TOO_LARGE: Entry(
        "The file is larger than the setting `intake.max_file_bytes`. A page of five megabytes is"
        " usually a book or an accident, and would delay all other pages.",
        "handbook.md, 12 MB",
        "handbook/01-before.md, 80 kB\nhandbook/02-after.md, 90 kB",
    ),
    codes.NO_PERMISSION: Entry(
        "The service has no permission to read the file. The last good version stays published.",
        "-rw------- editor editor nausea.md",
        "-rw-r--r-- editor editor nausea.md",
    ),
    codes.UNREADABLE: Entry(
        "The file could not be read because of the disk or the share. The service tries again.",
        "nausea.md: Input/output error",
        "nausea.md on a working disk",
    ),
    codes.EMPTY_FILE: Entry(
        "The file is empty. Programs that truncate a file before they write it leave it empty when they"
        " crash. An empty page must not replace a good one.",
        "(nothing)",
        "---\ntitle: Nausea\n---\n\n# Nausea",
    ),
    codes.NOT_UTF8: Entry(
        "The file is not UTF-8. In another encoding, characters such as the µ of a dose silently turn"
        " into others.",
        "50 \\xb5g, saved as Windows-1252",
        "50 µg, saved as UTF-8",
    ),
    codes.NUL_BYTE: Entry(
        "The file contains a NUL byte. It is not text, or a crash cut it off. Databases refuse it.",
        "nausea.md, saved by a word processor",
        "nausea.md, exported as plain text",
    ),
    codes.GIVEN_UP: Entry(
        "Ingesting the file failed or crashed the worker three times. The service does not try again"
        " until the file is saved, so that it does not block the others. The last good version stays"
        " published.",
        "nausea.md, which made workers run out of memory",
        "nausea.md, split into parts",
    ),
    codes.NOT_STORABLE: Entry(
        "The database refuses what the file contains. The message says what it cannot hold. The last good"
        " version stays published, and the other files are stored.",
        "nausea.md, with a title that the database cannot hold",
        "nausea.md, with a shorter title",
    ),
}

_FRONT_MATTER: Final = {
    codes.NO_FRONT_MATTER: Entry(
        "The file does not begin with front matter. Without it the page has no status, source or"
        " review date.",
        "# Nausea\n\nTell your team.",
        "---\ntitle: Nausea\nstatus: active\n---\n\n# Nausea",
    ),
    codes.UNCLOSED_FRONT_MATTER: Entry(
        "The second line `---` is missing. Without it, the whole page reads as fields.",
        "---\ntitle: Nausea\n\n# Nausea",
        "---\ntitle: Nausea\n---\n\n# Nausea",
    ),
    codes.FRONT_MATTER_TOO_LARGE: Entry(
        "The front matter is larger than 64 KiB, or a list in it has over 1,000 items. Usually the"
        " closing line `---` is missing.",
        "---\ntitle: Nausea\n(the whole page)\n---",
        "---\ntitle: Nausea\n---\n(the whole page)",
    ),
    codes.YAML_SYNTAX: Entry(
        "The front matter is not valid YAML. The usual reasons are a colon in a value and a quote that"
        " is not closed.",
        "title: Nausea: what helps",
        "title: 'Nausea: what helps'",
    ),
    codes.NOT_FIELDS: Entry(
        "The front matter does not consist of fields. Other tools silently treat such a page as one"
        " without metadata.",
        "---\n- Nausea\n---",
        "---\ntitle: Nausea\n---",
    ),
    codes.TOO_DEEP: Entry(
        "Values are nested deeper than 20 levels. Deep nesting crashes YAML readers, and no page needs"
        " it.",
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
        "A field is called `<<`, a YAML merge. A page must name its own fields.",
        "<<: {status: active}",
        "status: active",
    ),
    codes.YAML_TAG: Entry(
        "A value begins with `!`, a YAML tag. Tags can make unsafe readers run programs.",
        "title: !important Nausea",
        "title: '!important Nausea'",
    ),
    codes.DUPLICATE_FIELD: Entry(
        "A field appears twice. Most tools silently use the last one, and the author may mean the"
        " first.",
        "status: deprecated\nstatus: active",
        "status: deprecated",
    ),
    codes.FIELD_NAME: Entry(
        "A field's name is empty or not plain text. YAML allows lists as names, but nobody intends"
        " them.",
        "[status]: active",
        "status: active",
    ),
    codes.CONTROL_CHARACTER: Entry(
        "The front matter contains a control character. It is invisible, usually comes from copied"
        " text, and can control terminals and mail programs.",
        'title: "Nausea\\e[2J"',
        "title: Nausea",
    ),
    codes.YAML_TRAP: Entry(
        "Other programs read a value without quotes as something else. This service keeps values as"
        " they are written. Most other programs use YAML 1.1 and read `no` as false, `010` as 8 and"
        " `12:30` as 750.",
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
        "A value is a list where the schema requires text, or text where it requires a list.",
        "tags: nausea",
        "tags: [nausea]",
    ),
    codes.NOT_ALLOWED: Entry(
        "A value is not one of the words that the schema allows. Routes, filters and the chatbot use"
        " these words, and none of them finds a misspelt one.",
        "status: actve",
        "status: active",
    ),
    codes.WRONG_FORM: Entry(
        "A value does not have the form that the schema requires, such as a pattern or a length.",
        "version: 2",
        "version: v2",
    ),
    codes.SCHEMA: Entry(
        "A value breaks another rule of the schema. The message comes from the schema validator.",
        "(a value that the team's schema forbids)",
        "(a value that it allows)",
    ),
    codes.NOT_A_DATE: Entry(
        "The review date is not a date. The next review is scheduled from it.",
        "lastReviewed: 2026-02-30",
        "lastReviewed: 2026-02-28",
    ),
    codes.DATE_IN_FUTURE: Entry(
        "The review date is in the future. Nobody can have reviewed the page on that day, and its next"
        " review would be due too late.",
        "lastReviewed: 2062-01-15",
        "lastReviewed: 2026-01-15",
    ),
    codes.NOT_A_FREQUENCY: Entry(
        "The review frequency is not one that Content Sync knows. The page would never be due.",
        "reviewFrequency: quaterly",
        "reviewFrequency: quarterly",
    ),
    codes.NO_REVIEW_DATE: Entry(
        "An active page has no review date. Nobody is notified when its review is due.",
        "status: active\nreviewFrequency: quarterly",
        "status: active\nreviewFrequency: quarterly\nlastReviewed: YYYY-MM-DD",
    ),
    codes.NO_REVIEW_FREQUENCY: Entry(
        "An active page has no review frequency. Unless `review.default_cadences` has one for it,"
        " nobody is notified when its review is due.",
        "status: active\nlastReviewed: 2026-01-15",
        "status: active\nlastReviewed: 2026-01-15\nreviewFrequency: quarterly",
    ),
    codes.UNKNOWN_FIELD: Entry(
        "A field is not in the schema. It is kept. If its name is misspelt, the field that was meant is"
        " missing.",
        "last_reviewed: 2026-01-15",
        "lastReviewed: 2026-01-15",
    ),
    codes.MISSING_OWNER: Entry(
        "The page names neither an owner nor a reviewer. Notices of its reviews are sent only to the"
        " routes for all pages. Off by default: a library that routes by folder needs no owners.",
        "title: Nausea",
        "title: Nausea\nowner: Asha",
    ),
    codes.UNQUOTED_DATE: Entry(
        "A date has no quotes. Readers of YAML 1.1 read it as a date, not as text, and fail when they"
        " write it as JSON. Off by default; `content-sync validate --fix` adds the quotes.",
        "lastReviewed: 2026-01-15",
        "lastReviewed: '2026-01-15'",
    ),
}

_BODY: Final = {
    codes.EMPTY_BODY: Entry(
        "The page has no body after the front matter. An empty page answers no question.",
        "---\ntitle: Nausea\n---",
        "---\ntitle: Nausea\n---\n\nTell your team when it began.",
    ),
    codes.CRAWL_STUB: Entry(
        "The body is short, and is what a web server sends instead of the page: enable JavaScript, log"
        " in, not found. The metadata may still be perfect.",
        "You need to enable JavaScript to run this app.",
        "Tell your team when it began.",
    ),
    codes.GARBLED_TEXT: Entry(
        "More than one in a hundred characters is U+FFFD, which replaces a lost character. The file was"
        " not text, or was read in the wrong encoding.",
        "\ufffd\ufffdeV^\ufffd BOOKMOBI \ufffd",
        "Coping with advanced cancer",
    ),
    codes.CONTROL_IN_TEXT: Entry(
        "The body contains a control character. It is invisible and usually comes from copied text,"
        " often from a PDF.",
        "Take it\\x0c with food.",
        "Take it with food.",
    ),
    codes.REORDERED_TEXT: Entry(
        "A value or the body contains an invisible mark that reorders text. A reader may see another"
        " dose than the stored one. Joiners and plain direction marks are allowed.",
        "Take \\u202e05\\u202c mg.",
        "Take 50 mg.",
    ),
    codes.SCRIPT: Entry(
        "The body contains a script, an event handler or a script as a link target. A browser runs it"
        " where the page is shown as HTML.",
        '<img src="a.png" onerror="steal()">',
        "![A hand](https://example.org/a.png)",
    ),
    codes.OTHER_HEADING: Entry(
        "The first heading of the first level differs from the title. One of the two may belong to"
        " another page. Case, emphasis and a longer ending of either do not count.",
        "title: Nausea\n---\n# Constipation",
        "title: Nausea\n---\n# Nausea",
    ),
    codes.RELATIVE_LINK: Entry(
        "The address of a link or a picture has no host, and the page has no `url` to complete it."
        " Links to other documents in the folder (`other.md`) are allowed.",
        "[Side effects](/about/side-effects)",
        "[Side effects](https://example.org/about/side-effects)",
    ),
    codes.LOST_CHARACTER: Entry(
        "A character of the body is lost and replaced by U+FFFD. In a dose it may have been the unit.",
        "50 \ufffdg a day",
        "50 µg a day",
    ),
}

_BEFORE: Final = {
    codes.EARLIER_REVIEW: Entry(
        "The review date is before the one of the previous version. Usually somebody restored an older"
        " copy of the file.",
        "lastReviewed: 2025-10-01 (before: 2026-01-15)",
        "lastReviewed: 2026-01-15",
    ),
    codes.EARLIER_LABEL: Entry(
        "The version label goes back. Usually somebody restored an older copy of the file.",
        "version: v2 (before: v3)",
        "version: v3",
    ),
    codes.SAME_LABEL: Entry(
        "The body changed but the version label did not, so one label refers to two different bodies."
        " White space alone does not count. The service numbers versions itself, and a team that does"
        " not use labels turns this rule off.",
        "version: v1 (with a changed body)",
        "version: v2",
    ),
    codes.BODY_SHRANK: Entry(
        "The body lost more than half of its characters. A failed download or an accident in an editor"
        " looks like this, so the last good version stays published. With a changed version label, or a"
        " status other than active, the cut counts as intended, and this is a warning. Bodies below 500"
        " characters are not checked.",
        "version: v1 (12,000 characters before, 900 now)",
        "version: v2",
    ),
}

_LIBRARY: Final = {
    codes.SAME_URL: Entry(
        "Several documents have the same `url`. Usually one of them is a forgotten copy that nobody"
        " updates.",
        "a.md: url: https://example.org/nausea\nb.md: url: https://example.org/nausea",
        "a.md: url: https://example.org/nausea",
    ),
    codes.SAME_BODY: Entry(
        "Several documents have the same body. A chatbot finds it twice, and keeps the copy when the"
        " original is withdrawn.",
        "nausea.md and nausea-copy.md",
        "nausea.md",
    ),
    codes.SAME_REVIEW_DATE: Entry(
        "More than 50 files, and more than half of all files, have the same review date. Nobody reads"
        " so many in a day: the date comes from an import, and all these reviews become due together."
        " It is reported once, at the first file.",
        "lastReviewed: 2025-12-30 (in 1,349 of 1,432 files)",
        "lastReviewed: (the day on which each page was reviewed)",
    ),
    codes.CONFLICT_COPY: Entry(
        "The name of the file says that a program copied it from another page. Programs that"
        " synchronise folders, merge tools and file managers make such copies. Published, a copy is"
        " a second page with other content, such as another dose. A page that needs such a name can"
        " be renamed, and a team whose pages have such names sets `conflict-copy` to warning.",
        "nausea.sync-conflict-20261129-101500-ABCDEFG.md\nnausea (Asha's conflicted copy).md"
        "\nnausea - Copy.md\nnausea (1).md",
        "nausea.md",
    ),
}

#: The entry of each code.
RULE_BOOK: Final[dict[str, Entry]] = {
    **_BYTES,
    **_FRONT_MATTER,
    **_FIELDS,
    **_BODY,
    **_BEFORE,
    **_LIBRARY,
}
