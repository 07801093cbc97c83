"""What may be changed in a Python module, one place at a time, and how."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tests.mutation.mutant import Mutant

_COMPARED: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt), ast.Gt: (ast.LtE, ast.GtE), ast.GtE: (ast.Lt, ast.Gt),
}  # fmt: skip
_COMBINED: Mapping[type[ast.operator], type[ast.operator]] = {
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip
_CALLED: Mapping[str, str] = {"any": "all", "all": "any", "min": "max", "max": "min"}
_NOT_SWAPPED = frozenset({"isinstance", "getattr", "min", "max", "TypeVar", "field"})
_SAID = frozenset({"detail", "text"})  # arguments that only people read
_REMOVED = (ast.Expr, ast.AugAssign, ast.Continue, ast.Break, ast.Raise)


def mutants_of(text: str, file: str, within: AbstractSet[str] = frozenset()) -> tuple[Mutant, ...]:
    """Every mutant of one module (of its functions `within`, if any are named), each once."""
    tree = ast.parse(text)
    lines = [line.encode() for line in text.split("\n")]
    before = [0]
    for line in lines:
        before.append(before[-1] + len(line.decode()) + 1)

    def at(row: int, column: int) -> int:  # columns count bytes
        return before[row - 1] + len(lines[row - 1][:column].decode())

    made: set[Mutant] = set()
    for part in _named(tree, within) if within else [tree]:
        for change in _of(part, nested=False):
            node = change.node
            if node.end_lineno is None or node.end_col_offset is None:
                continue
            start, end = at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)
            made.add(Mutant(file, node.lineno, start, text[start:end], change.after))
    return tuple(sorted(made))


def _named(tree: ast.AST, within: AbstractSet[str]) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in within:
            yield node


@dataclass(frozen=True, slots=True)
class _Change:
    node: ast.expr | ast.stmt | ast.pattern
    after: str


def _of(node: ast.AST, *, nested: bool) -> Iterator[_Change]:
    """The changes of a node and of all that stands in it; `nested`: in a block of a function."""
    if _is_told(node):
        return
    if isinstance(node, ast.expr):
        yield from (_Change(node, f"({after})") for after in _expression(node))
    if isinstance(node, ast.stmt):
        yield from _statement(node, nested=nested)
    if isinstance(node, ast.match_case):
        yield from _case(node)
    if isinstance(node, ast.comprehension):
        for test in node.ifs:
            yield from (_Change(test, after) for after in ("(True)", _negated(test)))
    for child in _children(node):
        # A return that ends a function is the function; one in a block leaves early.
        inner = nested or isinstance(node, ast.If | ast.For | ast.Try | ast.match_case)
        in_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _of(child, nested=inner and not in_function)


def _is_told(node: ast.AST) -> bool:
    """Whether it only tells something: to people, to the type checker, or what it imports."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.pattern():
            return True
        case ast.ClassDef(bases=bases):
            return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "_T")]):
            return True
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.keyword(arg=str(name)):
            return name in _SAID
    return False


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Raise():
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.body
            yield from (default for default in node.args.defaults)
            yield from (default for default in node.args.kw_defaults if default is not None)
        case ast.ClassDef():
            yield from node.body
        case ast.AnnAssign():
            if node.value is not None:
                yield node.value
        case _:
            yield from ast.iter_child_nodes(node)


# --- statements ----------------------------------------------------------------------------------


def _statement(node: ast.stmt, *, nested: bool) -> Iterator[_Change]:
    """Without it, where a function may do without."""
    match node:
        case ast.If(test=test) | ast.While(test=test):
            yield _Change(test, _negated(test))
        case ast.Return() if nested:
            yield _Change(node, "pass")
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield _Change(node, "pass")
        case _ if isinstance(node, _REMOVED):
            yield _Change(node, "pass")


def _case(node: ast.match_case) -> Iterator[_Change]:
    """A case that never comes, and one that comes whatever its guard says."""
    if node.guard is None:
        yield _Change(node.pattern, f"{ast.unparse(node.pattern)} if False")
    else:
        yield _Change(node.guard, "(True)")
        yield _Change(node.guard, _negated(node.guard))


def _negated(test: ast.expr) -> str:
    return f"(not ({ast.unparse(test)}))"


# --- expressions ---------------------------------------------------------------------------------


def _expression(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Compare(ops=ops):
            for number, sign in enumerate(ops):
                for other in _COMPARED[type(sign)]:
                    yield _with(node, lambda n, i=number, o=other: n.ops.__setitem__(i, o()))
        case ast.BoolOp(op=sign, values=values):
            swapped = ast.Or() if isinstance(sign, ast.And) else ast.And()
            yield _with(node, lambda n: setattr(n, "op", swapped))
            for number in range(len(values)):
                yield _with(node, lambda n, i=number: n.values.pop(i))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield ast.unparse(operand)
        case ast.IfExp(test=test):
            yield _with(node, lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), test)))
        case ast.BinOp(op=sign) if type(sign) in _COMBINED:
            yield _with(node, lambda n: setattr(n, "op", _COMBINED[type(sign)]()))
            yield ast.unparse(node.left)
        case ast.Subscript(value=value, slice=ast.Slice()):
            yield ast.unparse(value)
        case ast.Constant(value=value):
            yield from _constant(value)
        case ast.Call():
            yield from _call(node)


def _constant(value: object) -> Iterator[str]:
    match value:
        case bool():
            yield repr(not value)
        case int() | float():
            yield repr(value + 1)
        case str():
            yield repr(f"{value}~")


def _call(node: ast.Call) -> Iterator[str]:
    called = node.func.id if isinstance(node.func, ast.Name) else ""
    if called in _CALLED:
        yield _with(node, lambda n: setattr(n, "func", ast.Name(_CALLED[called])))
    two = len(node.args) == 2 and not any(isinstance(one, ast.Starred) for one in node.args)
    if two and called not in _NOT_SWAPPED:
        yield _with(node, lambda n: n.args.reverse())


def _with(node: ast.expr, change: Callable[..., object]) -> str:
    """The text of the node once it is changed."""
    other = copy.deepcopy(node)
    change(other)
    return ast.unparse(other)
