"""Wrong programs made from right ones: one small change each, by rewriting the syntax tree.

The operators are the classic ones of mutation testing (DeMillo, Lipton, Sayward 1978): comparisons, constants,
arithmetic, connectives, results.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_BINARY: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}  # fmt: skip


def mutants(program: str, most: int) -> list[str]:
    """At most `most` programs that differ from `program` in one place, spread over its places; [] for no Python.

    Results first, then comparisons, then the rest, so that the few that are run are the ones least likely to be the
    same program in other words.
    """
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    original = ast.unparse(tree)
    found: dict[str, None] = {}
    for change in _changes(tree):
        changed = copy.deepcopy(tree)
        node = _at(changed, change[0])
        _apply(node, change[1])
        text = ast.unparse(ast.fix_missing_locations(changed))
        if text != original:
            found[text + "\n"] = None
    return _spread(list(found), most)


def _changes(tree: ast.AST) -> list[tuple[int, str]]:
    """(place in the walk, kind of change), by kind."""
    kinds: dict[str, list[int]] = {"result": [], "compare": [], "binary": [], "join": [], "constant": []}
    for place, node in enumerate(ast.walk(tree)):
        kind = _kind(node)
        if kind is not None:
            kinds[kind].append(place)
    return [(place, kind) for kind, places in kinds.items() for place in places]


def _kind(node: ast.AST) -> str | None:
    if isinstance(node, ast.Return) and node.value is not None:
        return "result"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        return "compare"
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return "binary"
    if isinstance(node, ast.BoolOp):
        return "join"
    if isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        return "constant"
    return None


def _at(tree: ast.AST, wanted: int) -> ast.AST:
    walk: Iterator[ast.AST] = ast.walk(tree)
    for _ in range(wanted):
        next(walk)
    return next(walk)


def _apply(node: ast.AST, kind: str) -> None:
    if isinstance(node, ast.Return):
        same = isinstance(node.value, ast.Constant) and node.value.value is None
        node.value = ast.Constant(value=1 if same else None)
    elif isinstance(node, ast.Compare):
        node.ops[0] = _COMPARE[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp):
        node.op = _BINARY[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1


def _spread(texts: list[str], most: int) -> list[str]:
    """The first half of `most` as they come, the rest evenly over what is left."""
    if len(texts) <= most:
        return texts
    first = texts[: most // 2]
    rest = texts[most // 2 :]
    wanted = most - len(first)
    return first + [rest[at * len(rest) // wanted] for at in range(wanted)]
