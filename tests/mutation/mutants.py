"""The mutants of a domain module: each changes one place. Pure: nothing runs here.

- `logic`: comparisons, membership, `and`/`or`, `not`, conditions, arithmetic, returns, `break` and
  `continue`, and the numbers and truth values inside functions.
- `constants`: numbers and truth values of modules and classes, and all strings but prose.

Left out, since no behaviour hangs on them: docstrings, annotations, decorators (`slots`, cache sizes),
type aliases and flags (`|` outside functions), `__all__`, imports for types, the words of f-strings,
and strings with a blank inside, which are messages.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, singledispatch
from itertools import islice
from pathlib import Path
from types import CodeType

DOMAIN = Path(__file__).resolve().parents[2] / "worker/domain"
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    one: other
    for pair in (
        (ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.In, ast.NotIn),
        (ast.Is, ast.IsNot), (ast.And, ast.Or), (ast.Add, ast.Sub), (ast.Mult, ast.FloorDiv),
        (ast.BitAnd, ast.BitOr), (ast.LShift, ast.RShift), (ast.USub, ast.UAdd),
        (ast.Break, ast.Continue),
    )
    for one, other in (pair, pair[::-1])
}  # fmt: skip

Change = tuple[str, Callable[[], None]]  # in words with its line, and what makes it


@dataclass(kw_only=True)
class Mutant:
    """One change of a module; a test reaches it that runs one of `lines`."""

    module: str
    number: int
    kind: str
    lines: range
    what: str
    outcome: str = "waits"

    def compile(self) -> CodeType:
        """Return the code of the module with this change."""
        tree = _parse(self.module)
        _, _, (_, change) = next(islice(_visit(tree), self.number, None))
        change()
        path = str(DOMAIN / f"{self.module}.py")
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


def find_mutants(module: str) -> list[Mutant]:
    """Return every mutant of a module, always in the same order."""
    return [
        Mutant(module=module, number=number, kind=kind, lines=lines, what=what)
        for number, (kind, lines, (what, _)) in enumerate(_visit(_parse(module)))
    ]


def _parse(module: str) -> ast.Module:
    return ast.parse((DOMAIN / f"{module}.py").read_bytes())


def _visit(
    node: ast.AST, first: int = 1, *, within: bool = False
) -> Iterator[tuple[str, range, Change]]:
    """Go through a tree; `first` is the line of the statement, `within` is true inside functions."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return
        case ast.BinOp(op=ast.BitOr()) if not within:
            return
    first = node.lineno if isinstance(node, ast.stmt | ast.ExceptHandler) else first
    for change in _changes(node):
        constant = isinstance(node, ast.Constant)
        logic = not constant or (within and not isinstance(node.value, str | bytes))
        lines = range(first, getattr(node, "end_lineno", first) + 1)
        yield "logic" if logic else "constants", lines, change
    within = within or isinstance(node, ast.FunctionDef | ast.Lambda)
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "format_spec"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            words = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
            if isinstance(child, ast.AST) and not words:
                yield from _visit(child, first, within=within)


@singledispatch
def _changes(_node: ast.AST) -> Iterator[Change]:
    yield from ()


@_changes.register
def _compare(node: ast.Compare) -> Iterator[Change]:
    for at, operator in enumerate(node.ops):
        if (other := SWAPS.get(type(operator))) is not None:
            what = f"{type(operator).__name__} -> {other.__name__}"
            yield f"{node.lineno}: {what}", partial(node.ops.__setitem__, at, other())


@_changes.register
def _operate(node: ast.BoolOp | ast.BinOp | ast.AugAssign | ast.UnaryOp) -> Iterator[Change]:
    if (other := SWAPS.get(type(node.op))) is not None:
        what = f"{type(node.op).__name__} -> {other.__name__}"
        yield f"{node.lineno}: {what}", partial(setattr, node, "op", other())
    elif isinstance(node.op, ast.Not):
        change = partial(setattr, node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        yield f"{node.lineno}: without `not`", change


@_changes.register
def _decide(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
        change = partial(setattr, node, "test", ast.UnaryOp(ast.Not(), node.test))
        yield f"{node.test.lineno}: condition negated", change


@_changes.register
def _filter(node: ast.comprehension) -> Iterator[Change]:
    for at, test in enumerate(node.ifs):
        if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            change = partial(node.ifs.__setitem__, at, ast.UnaryOp(ast.Not(), test))
            yield f"{test.lineno}: condition negated", change


@_changes.register
def _return(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not isinstance(node.value, ast.Constant):
        yield f"{node.lineno}: return None", partial(setattr, node, "value", ast.Constant(None))


@_changes.register
def _leave(node: ast.Break | ast.Continue) -> Iterator[Change]:
    other = SWAPS[type(node)]
    yield f"{node.lineno}: to {other.__name__}", partial(setattr, node, "__class__", other)


@_changes.register
def _constant(node: ast.Constant) -> Iterator[Change]:
    match node.value:
        case bool():
            other: object = not node.value
        case int() | float():
            other = node.value + 1
        case str() if " " not in node.value.strip():
            other = f"XX{node.value}XX"
        case bytes() if b" " not in node.value.strip():
            other = b"XX%bXX" % node.value
        case _:
            return
    yield (
        f"{node.lineno}: {node.value!r:.40} -> {other!r:.44}",
        partial(setattr, node, "value", other),
    )
