"""An interpreter for the assertions that models write: literals, comparisons, a few functions, calls to a candidate.

Generated tests are no more to be trusted than candidates, so the judging process never executes one: it walks the tree
of those that are plain, and anything else is left to the candidate's own process.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

#: Larger results are refused: an expression must not cost more than the call it checks.
_LARGEST_INTEGER = 1 << 4096
_LONGEST = 1_000_000

_COMPARE: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda one, other: one in other, ast.NotIn: lambda one, other: one not in other,
}  # fmt: skip
_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_UNARY: Mapping[type, Callable[[Any], Any]] = {
    ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert,
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (abs, all, any, bool, dict, float, frozenset, int, len, list, max, min, round, set, sorted, str,
                     sum, tuple)
}  # fmt: skip
_MODULE_FUNCTIONS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("math", "isclose"): math.isclose, ("math", "sqrt"): math.sqrt, ("math", "isnan"): math.isnan,
}  # fmt: skip
_CONSTANTS: Mapping[tuple[str, str], float] = {
    ("math", "pi"): math.pi,
    ("math", "inf"): math.inf,
    ("math", "e"): math.e,
}


class NotPlainExpression(Exception):
    """This test is more than the interpreter knows."""


class TooLarge(Exception):
    """A value of the test's own is beyond what it may be."""


def plain_assertion(source: str, entry_point: str) -> ast.expr | None:
    """The condition of a test that is one plain assertion with a call to the candidate; None for any other.

    Raises SyntaxError, ValueError, RecursionError or MemoryError where it is no Python.
    """
    body = ast.parse(source.strip()).body
    if len(body) != 1 or not isinstance(body[0], ast.Assert):
        return None
    try:
        called = _check(body[0].test, entry_point)
    except NotPlainExpression:
        return None
    return body[0].test if called else None


def _check(node: ast.expr, entry_point: str) -> bool:
    """Whether the expression calls the candidate. Raises NotPlainExpression for what cannot be evaluated here."""
    called = False
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            name = _function_name(part.func)
            if name == entry_point:
                called = True
            elif name not in _FUNCTIONS and name not in _MODULE_FUNCTIONS:
                raise NotPlainExpression
            if any(keyword.arg is None for keyword in part.keywords):
                raise NotPlainExpression
        elif isinstance(part, ast.Constant):
            if not isinstance(part.value, (int, float, complex, str, bytes, bool, type(None))):
                raise NotPlainExpression
        elif not isinstance(part, _KNOWN_NODES) or (isinstance(part, ast.Dict) and None in part.keys):
            raise NotPlainExpression
    _check_names(node)
    return called


_KNOWN_NODES = (
    ast.Compare, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Subscript, ast.Slice,
    ast.Name, ast.Attribute, ast.keyword, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def _check_names(node: ast.expr) -> None:
    """Names stand only where a function is called, attributes only for what `math` has."""
    functions = {id(part.func) for part in ast.walk(node) if isinstance(part, ast.Call)}
    owners = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and id(part) not in functions and id(part) not in owners:
            raise NotPlainExpression
        if isinstance(part, ast.Attribute) and id(part) not in functions and _function_name(part) not in _CONSTANTS:
            raise NotPlainExpression


def _function_name(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return None


class Evaluation:
    """Evaluates checked expressions; `call(arguments, keywords)` is the candidate."""

    def __init__(self, entry_point: str, call: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> None:
        self._entry_point = entry_point
        self._call = call

    def value(self, node: ast.expr) -> Any:
        """The expression's value. Raises what Python would, or TooLarge."""
        kind = type(node)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            items = [self.value(item) for item in node.elts]
            return items if kind is ast.List else tuple(items) if kind is ast.Tuple else set(items)
        if isinstance(node, ast.Dict):
            return {self._key(key): self.value(value) for key, value in zip(node.keys, node.values, strict=True)}
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        return self._operated(node)

    def _key(self, node: ast.expr | None) -> Any:
        if node is None:
            raise NotPlainExpression
        return self.value(node)

    def _called(self, node: ast.Call) -> Any:
        arguments = tuple(self.value(argument) for argument in node.args)
        keywords = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        name = _function_name(node.func)
        if name == self._entry_point:
            return self._call(arguments, keywords)
        function = _FUNCTIONS.get(name) or _MODULE_FUNCTIONS[name]
        return function(*arguments, **keywords)

    def _compared(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        result: Any = True
        for operation, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            result = _COMPARE[type(operation)](left, right)
            if not result:
                return result
            left = right
        return result

    def _operated(self, node: ast.expr) -> Any:
        if isinstance(node, ast.UnaryOp):
            return _UNARY[type(node.op)](self.value(node.operand))
        if isinstance(node, ast.BoolOp):
            return self._joined(node)
        if isinstance(node, ast.BinOp):
            return _bounded(node.op, self.value(node.left), self.value(node.right))
        if isinstance(node, ast.Subscript):
            return self.value(node.value)[self._index(node.slice)]
        if isinstance(node, ast.Attribute):
            return _CONSTANTS[_function_name(node)]
        raise NotPlainExpression

    def _joined(self, node: ast.BoolOp) -> Any:
        stops_at = isinstance(node.op, ast.Or)
        result: Any = None
        for part in node.values:
            result = self.value(part)
            if bool(result) is stops_at:
                break
        return result

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            return slice(*(None if part is None else self.value(part) for part in parts))
        return self.value(node)


def _bounded(kind: ast.operator, left: Any, right: Any) -> Any:
    """A binary operation whose result stays small; texts are not formatted."""
    if isinstance(kind, ast.Mod) and isinstance(left, (str, bytes)):
        raise TooLarge
    if isinstance(kind, ast.Pow) and not (_small(left, 1 << 64) and _small(right, 64)):
        raise TooLarge
    if isinstance(kind, ast.Mult):
        for one, other in ((left, right), (right, left)):
            if hasattr(one, "__len__") and not (isinstance(other, int) and len(one) * abs(other) <= _LONGEST):
                raise TooLarge
    operation = _BINARY.get(type(kind))
    if operation is None:
        raise NotPlainExpression
    result = operation(left, right)
    if isinstance(result, int) and abs(result) > _LARGEST_INTEGER:
        raise TooLarge
    return result


def _small(value: Any, limit: int) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= limit
