"""Inserts many rows at once: their values are made ready column by column, and the driver does the rest.

SQLAlchemy itself makes a dictionary and a tuple of each row and asks for the type of each value, which
takes a first load longer than the database does. The statement, the types and so what is stored are
SQLAlchemy's here too. Decides and commits nothing. Called by the modules of `worker.store`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine import Dialect

from worker.store.engine import insert_into

#: Makes a value of a column ready for the driver; None where the driver takes it as it is.
_Ready = Callable[[Any], Any] | None


def insert_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    if_new: bool = False,
) -> None:
    """Insert rows, which all have the same columns; commits nothing.

    With `if_new` rows are left alone whose unique key is there already.
    """
    if not rows:
        return
    dialect = connection.dialect
    sql, columns = _prepare(dialect, table, tuple(rows[0]), if_new=if_new)
    ready = zip(*(_column(rows, name, make_ready) for name, make_ready in columns), strict=True)
    values: Any = list(ready)
    if not dialect.positional:
        names = [name for name, _ in columns]
        values = [dict(zip(names, row, strict=True)) for row in values]
    connection.exec_driver_sql(sql, values if len(values) > 1 else values[0])


@lru_cache(maxsize=64)
def _prepare(
    dialect: Dialect, table: Table, names: tuple[str, ...], *, if_new: bool
) -> tuple[str, list[tuple[str, _Ready]]]:
    """Return the statement, and its columns in their order with what makes their values ready."""
    insert = insert_into(dialect, table).inline()
    statement = insert.on_conflict_do_nothing() if if_new else insert
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    return compiled.string, [
        (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in compiled.positiontup or names
    ]


def _column(rows: Sequence[dict[str, Any]], name: str, make_ready: _Ready) -> Iterable[Any]:
    if make_ready is None:
        return [row[name] for row in rows]
    return _made_ready((row[name] for row in rows), make_ready)


def _made_ready(values: Iterable[Any], make_ready: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield the values ready; one that stands in row after row, as the time of now, is made so once."""
    last, ready = None, make_ready(None)
    for value in values:
        if value is not last:
            last, ready = value, make_ready(value)
        yield ready
