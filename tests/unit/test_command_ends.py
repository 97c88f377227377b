"""How a command ends: one line for a person, and an exit status for a script."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from store import command
from store.errors import PassatkError


class _Unusable(PassatkError):
    """An error that a person can mend."""


def _mendable() -> None:
    raise _Unusable("No run is called x.\nSee `passatk run list`.")


def _ctrl_c() -> None:
    raise KeyboardInterrupt


def _tidying_fails_after_ctrl_c() -> None:
    try:
        try:
            raise KeyboardInterrupt
        finally:
            raise OSError("another command is already in progress")  # as a driver's rollback does
    except OSError as error:
        raise _Unusable("The store cannot be reached.") from error


def _ends(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> int:
    monkeypatch.setattr(command, "passatk", click.Command("work", callback=work))
    monkeypatch.setattr("sys.argv", ["passatk"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("work", [_ctrl_c, _tidying_fails_after_ctrl_c])
def test_an_interruption_is_said_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], work: Callable[[], None]
) -> None:
    assert _ends(monkeypatch, work) == 130
    assert capsys.readouterr().err.strip() == command.INTERRUPTED


def test_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends(monkeypatch, _mendable) == 1
    assert capsys.readouterr().err == "Error: No run is called x. See `passatk run list`.\n"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "passatk", click.Command("work", callback=lambda: [][0]))
    monkeypatch.setattr("sys.argv", ["passatk"])
    with pytest.raises(IndexError):
        command.main()
