"""The candidate's process: it loads one untrusted program and answers calls to its functions over a descriptor.

Nothing here is trusted once the program runs, for they share this process: it can answer for itself and for nobody
else. It never held the tests (its ancestors never saw them), so it cannot read the expected values anywhere.
"""

from __future__ import annotations

import os
import pickle
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any

from workers.sandbox.inside.frames import Reader, send
from workers.sandbox.inside.plain_data import NotPlain, encode

#: Messages to the candidate, and its answers.
LOAD, CALL, TEST_HERE = 1, 2, 3
VALUE, VALUE_AND_ARGUMENTS, RAISED, OPAQUE, NO_SYNTAX = 11, 12, 13, 14, 15

CHANNEL = 3
_LONGEST_TEXT = 4000
COMPILE_ERRORS = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)
_MUTABLE = (list, dict, set, bytearray)


def serve(limit: int) -> None:
    """Answer messages on CHANNEL until it closes; never returns to the caller's code."""
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    reader = Reader(CHANNEL, limit)
    try:
        while True:
            tag, body = reader.read()
            send(CHANNEL, *_answer(module.__dict__, tag, body))
    except (EOFError, OSError):
        os._exit(0)


def _answer(names: dict[str, Any], tag: int, body: bytes) -> tuple[int, bytes]:
    try:
        if tag == CALL:
            return _call(names, body)
        return _load(names, body) if tag == LOAD else _test_here(names, body)
    except BaseException as error:
        return RAISED, describe(error)


def _load(names: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    try:
        code = compiled(body.decode("utf-8", "surrogatepass"))
    except COMPILE_ERRORS as error:
        return NO_SYNTAX, describe(error)
    exec(code, names)
    return VALUE, encode(None)


def compiled(source: str) -> CodeType:
    """The program's code. Raises one of COMPILE_ERRORS."""
    return compile(source, "<program>", "exec", dont_inherit=True)


def _call(names: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    name, arguments, keywords = pickle.loads(body)
    function = names[name] if name in names else _missing(name)
    value = function(*arguments, **keywords)
    try:
        if any(isinstance(argument, _MUTABLE) for argument in arguments):
            return VALUE_AND_ARGUMENTS, encode((value, arguments))
        return VALUE, encode(value)
    except NotPlain as error:
        return _opaque(value, error)


def _opaque(value: Any, error: NotPlain) -> tuple[int, bytes]:
    try:
        return VALUE, encode(value)
    except NotPlain:
        return OPAQUE, encode(str(error)[:200])


def _missing(name: str) -> Any:
    raise NameError(f"name {name!r} is not defined")


def _test_here(names: dict[str, Any], body: bytes) -> tuple[int, bytes]:
    """Run the tests in this process, beside the program: only for tests whose arguments are not plain data."""
    prompt, tests, entry_point = pickle.loads(body)
    del prompt
    exec(compile(tests, "<tests>", "exec", dont_inherit=True), names)
    if entry_point:
        names["check"](names[entry_point])
    return VALUE, encode(None)


def describe(error: BaseException) -> bytes:
    """(names of the error's class and its bases, message, where it happened, error number) as plain data."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
    number = error.errno if isinstance(error, OSError) else None
    return encode(
        ([type(error).__name__[:80], *kinds], text_of(error), where(error.__traceback__), number, _in_tests(error))
    )


def text_of(error: object) -> str:
    """The text of an exception or of anything else, whatever its class does."""
    try:
        return str(error)[:_LONGEST_TEXT]
    except BaseException:
        return ""


def where(traceback: TracebackType | None) -> str:
    """The traceback's last lines without source text: nothing is read from files for it."""
    lines = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename in ("<program>", "<tests>"):
            lines.append(f"{code.co_filename} line {traceback.tb_lineno} in {code.co_name[:80]}")
        traceback = traceback.tb_next
    return "\n".join(lines[-8:])


def _in_tests(error: BaseException) -> bool:
    """Whether the innermost frame belongs to the tests (which then failed) rather than to the program."""
    innermost, traceback = "", error.__traceback__
    while traceback is not None:
        innermost, traceback = traceback.tb_frame.f_code.co_filename, traceback.tb_next
    return innermost == "<tests>"
