"""Plans as a spreadsheet returns them: sorted, shortened, edited, and never run as a formula."""

import csv
import io
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.errors import ConfigurationError
from worker.reviews.plan_csv import COLUMNS, PlanLine, read_plan, write_plan

HEAD = "path,due_on,planned_on"


def a_row(**fields):
    return {
        "path": "a.md", "title": "Nausea", "owner": "Asha", "risk": "A",
        "last_reviewed": "2025-12-30", "due_on": "2026-03-30", "planned_on": "2026-03-02", **fields,
    }  # fmt: skip


@pytest.fixture
def file(tmp_path):
    return tmp_path / "review-plan.csv"


def test_a_plan_reads_back_as_written(file):
    write_plan(file, [a_row(), a_row(path="b, c.md", planned_on=None, owner=None)], replace=False)
    assert read_plan(file).lines == (
        PlanLine(line=2, path="a.md", due_on=date(2026, 3, 30), planned_on=date(2026, 3, 2)),
        PlanLine(line=3, path="b, c.md", due_on=date(2026, 3, 30), planned_on=None),
    )


def test_a_spreadsheet_recognizes_the_encoding_and_every_column(file):
    write_plan(file, [a_row(title="మందులు")], replace=False)
    data = file.read_bytes()
    assert data.startswith(b"\xef\xbb\xbfpath,title,owner,risk,last_reviewed,due_on,planned_on\r\n")
    assert "మందులు" in data.decode()


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://x","y")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1",
        "\uff1d1+1", "'=1", "''", "'quoted' first",
    ],
)  # fmt: skip
def test_no_text_from_a_document_runs_as_a_formula(file, text):
    write_plan(file, [a_row(path=text, title=text, owner=text)], replace=False)
    _, row = csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""))
    assert all(cell.startswith("'") for cell in row[:3])
    assert read_plan(file).lines[0].path == text


@given(path=st.text(min_size=1).filter(str.strip))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_path_reads_back_as_written(file, path):
    path = path.encode("utf-8", "replace").decode()
    write_plan(file, [a_row(path=path)], replace=True)
    plan = read_plan(file)
    assert [line.path for line in plan.lines] == [path]
    assert plan.problems == ()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_may_be_moved_added_or_separated_by_semicolons(file, separator, mark, end):
    lines = (
        ("Planned_on", "note", "path", "due_on"),
        ("2026-03-02", "ask Asha", "a.md", "2026-03-30"),
        ("", "", "", ""),
        ("", "", "b.md", "2026-04-30"),
    )
    text = mark + end.join(separator.join(line) for line in lines)
    file.write_bytes(text.encode())
    plan = read_plan(file)
    assert plan.problems == ()
    assert [(one.line, one.path, one.planned_on) for one in plan.lines] == [
        (2, "a.md", date(2026, 3, 2)),
        (4, "b.md", None),
    ]


def test_all_errors_are_reported_at_once_with_their_lines(file):
    lines = (
        HEAD,
        "a.md,2026-03-30,2.3.2026",
        '"b\n.md",2026-03-30,',
        "a.md,2026-03-30,2026-03-02",
        ",2026-03-30,2026-03-02",
        "c.md,30/03/2026,2026-02-30",
    )
    file.write_text("\n".join(lines))
    plan = read_plan(file)
    assert [line.path for line in plan.lines] == ["b\n.md"]
    assert plan.problems == (
        (2, "planned_on '2.3.2026' is not a date; write it as YYYY-MM-DD"),
        (5, "a.md is already on line 2"),
        (6, "the path is missing"),
        (7, "due_on '30/03/2026' is not a date; write it as YYYY-MM-DD"),
        (7, "planned_on '2026-02-30' is not a date; write it as YYYY-MM-DD"),
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no column path, due_on, planned_on"),
        (b"path,title\na.md,x\n", "no column due_on, planned_on"),
        ("path,due_on,planned_on\nä".encode("latin-1"), "not UTF-8"),
        (b"PK\x03\x04\x00\x00", "no column"),
        (HEAD.encode() + b"\n" + b"x" * 200_000, "not CSV"),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused_in_one_line(file, data, said):
    file.write_bytes(data)
    with pytest.raises(ConfigurationError, match=said):
        read_plan(file)


def test_an_existing_plan_is_replaced_only_on_request(file, tmp_path):
    file.write_text("somebody's work")
    with pytest.raises(ConfigurationError, match="--yes"):
        write_plan(file, [], replace=False)
    assert file.read_text() == "somebody's work"
    write_plan(file, [], replace=True)
    assert file.read_text(encoding="utf-8-sig") == ",".join(COLUMNS) + "\n"
    with pytest.raises(ConfigurationError, match="cannot write"):
        write_plan(tmp_path / "nowhere" / "plan.csv", [], replace=False)
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_plan(tmp_path / "nowhere.csv")
