"""The process of a program that is run as a whole: its input is standard input, its output is judged elsewhere.

It compiles the program, hands the code back so that the next test need not, closes the channel and only then runs it:
from there on the program holds descriptors 0 to 2 and nothing that leads to whoever judges.
"""

from __future__ import annotations

import atexit
import marshal
import os
import sys
from types import CodeType, ModuleType
from typing import Any

from workers.sandbox.inside.candidate import CHANNEL, COMPILE_ERRORS, compiled, describe, text_of, where
from workers.sandbox.inside.frames import Reader, send

#: Messages to the program's process, and its answers.
SOURCE, CODE = 21, 22
CODED, NO_SYNTAX = 31, 32

_LONGEST_TRACE = 4000


def run(limit: int) -> None:
    """Take one message from CHANNEL, run the program it holds, and end this process as the interpreter would."""
    status = 1
    try:
        code = _code(*Reader(CHANNEL, limit).read())
        os.close(CHANNEL)
        status = _status_of(code)
    finally:
        os._exit(status)


def _code(tag: int, body: bytes) -> CodeType:
    if tag == CODE:
        code: CodeType = marshal.loads(body)
        return code
    try:
        code = compiled(body.decode("utf-8", "surrogatepass"))
    except COMPILE_ERRORS as error:
        send(CHANNEL, NO_SYNTAX, describe(error))
        os._exit(0)
    send(CHANNEL, CODED, marshal.dumps(code))
    return code


def _status_of(code: CodeType) -> int:
    """Run the code as `__main__`; threads, exit functions and buffers are waited for. Returns the exit status."""
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["program"]
    status = 0
    try:
        exec(code, module.__dict__)
    except SystemExit as error:
        status = _asked_for(error.code)
    except BaseException as error:
        _say(error)
        status = 1
    return _wound_up(status)


def _asked_for(code: Any) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    os.write(2, (text_of(code) + "\n").encode("utf-8", "replace"))
    return 1


def _say(error: BaseException) -> None:
    told = f"{where(error.__traceback__)}\n{type(error).__name__}: {text_of(error)}"
    os.write(2, told[-_LONGEST_TRACE:].encode("utf-8", "replace"))


def _wound_up(status: int) -> int:
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.__stdout__):
            if stream is not None and not stream.closed:
                stream.flush()
    except BaseException as error:
        _say(error)
        return status or 120
    return status
