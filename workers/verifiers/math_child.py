"""The process in which formulas are parsed and compared: it may hang or die, its parent starts another.

Symbolic comparison can run for ever (towers of powers), and the library's own limits are alarms that only a main
thread can take. Here the kernel ends the process when one question has used its CPU seconds: no Python need run.

One JSON object a line in, one out: `{"gold", "answer"}` -> `{"gold_parsed", "parsed", "equal", "kind", "value"}`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

#: Formulas deeper than this overflow a stack before they mean anything.
_DEEPEST = 200


def main(cpu_seconds: float, memory_bytes: int) -> None:
    """Answer until standard input ends."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints is no answer
    sys.setrecursionlimit(5_000)
    _load()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    channel.write("ready\n")
    channel.flush()
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # SIGPROF is left as it is: it ends the process
        answer = _answer(json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


def _load() -> None:
    import logging

    logging.disable(logging.CRITICAL)
    _parsed("\\frac{1}{2}")  # grammars and tables are built at the first use


def _answer(question: dict[str, str]) -> dict[str, Any]:
    try:
        return _compared(question["gold"], question["answer"])
    except MemoryError:
        return {"memory": True}


def _compared(gold_text: str, answer_text: str) -> dict[str, Any]:
    from math_verify import verify

    gold, answer = _parsed(gold_text), _parsed(answer_text)
    equal = False
    if gold is not None and answer is not None:
        equal = bool(verify([gold], [answer], allow_set_relation_comp=True, timeout_seconds=None))
    kind, value = _rough(answer)
    return {
        "gold_parsed": gold is not None,
        "parsed": answer is not None,
        "equal": equal,
        "kind": kind,
        "value": value,
    }


def _parsed(text: str) -> Any:
    """The formula as sympy has it, or None. Only LaTeX is read: the library's reader of plain expressions is `eval`."""
    from math_verify import LatexExtractionConfig, parse

    if _depth(text) > _DEEPEST:
        return None
    try:
        found = parse(
            f"\\boxed{{{text}}}",
            extraction_config=[LatexExtractionConfig(boxed_match_priority=0)],
            fallback_mode="no_fallback",
            parsing_timeout=None,
        )
    except (RecursionError, ArithmeticError):
        return None
    return found[0] if found else None


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "{([") - (character in "})]")
        deepest = max(deepest, depth)
    return deepest


def _rough(expression: Any) -> tuple[str, str | None]:
    """What decides quickly that two formulas differ: their kind, and of plain numbers the value to 15 digits."""
    from sympy import Expr

    if expression is None:
        return "none", None
    if not isinstance(expression, Expr):
        return "other", None
    try:
        return ("number", str(expression.evalf(15))) if expression.is_number else ("expression", None)
    except (ArithmeticError, TypeError, ValueError):
        return "other", None
