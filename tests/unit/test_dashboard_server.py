"""Starting and finding the background dashboard, without starting one."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dashboard import cli, server
from dashboard.security import content_security_policy


@pytest.fixture
def busy() -> tuple[socket.socket, int]:
    """A listening socket and its port."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken, int(taken.getsockname()[1])


def test_a_taken_port_is_said(busy: tuple[socket.socket, int]) -> None:
    taken, port = busy
    with taken, pytest.raises(server.PortTaken, match=str(port)):
        server.free_port("127.0.0.1", port)


def test_the_first_free_port_is_taken_from_8501_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_is_free", lambda _address, port: port >= 8503)
    assert server.free_port("127.0.0.1", None) == 8503
    monkeypatch.setattr(server, "_is_free", lambda _address, _port: False)
    with pytest.raises(server.PortTaken, match="8501 to 8600"):
        server.free_port("127.0.0.1", None)


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", '{"pid": 1}', json.dumps({"pid": 2**30, "address": "127.0.0.1", "port": 1})]
)
def test_a_pid_file_of_nobody_is_no_dashboard(tmp_path: Path, text: str) -> None:
    server.pid_file(tmp_path).write_text(text)
    assert server.running(tmp_path) is None


def test_a_pid_given_to_another_process_is_not_stopped(tmp_path: Path) -> None:
    mine = {"pid": os.getpid(), "address": "127.0.0.1", "port": 1}
    server.pid_file(tmp_path).write_text(json.dumps(mine))
    assert server.running(tmp_path) is None
    assert not server.stop(tmp_path)


def test_elsewhere_than_loopback_any_name_is_allowed_unless_names_are_given() -> None:
    assert not [part for part in server.command(server.Listen(), 1) if "allowedHosts" in part]
    assert "--server.allowedHosts=*" in server.command(server.Listen("0.0.0.0"), 1)
    named = server.command(server.Listen("0.0.0.0", hosts=("a.example",)), 1)
    assert "--server.allowedHosts=a.example" in named
    assert "--server.allowedHosts=*" not in named


def test_an_address_of_many_colons_is_written_in_brackets() -> None:
    assert server.Running(1, "::1", 8501).url == "http://[::1]:8501"


def test_options_before_a_sub_command_are_refused() -> None:
    done = CliRunner().invoke(cli.dashboard, ["--port", "9999", "status"])
    assert done.exit_code == 2
    assert "after `status`" in done.output


def test_a_name_is_no_address() -> None:
    with pytest.raises(cli.BadAddress, match="such as 127"):
        CliRunner().invoke(cli.dashboard, ["start", "--address", "example"], catch_exceptions=False)


def test_the_command_is_what_the_entry_point_promises() -> None:
    assert isinstance(cli.dashboard, click.Group)
    assert {"run", "start", "stop", "status"} <= set(cli.dashboard.commands)


def test_the_policy_knows_the_inline_script_by_its_hash_and_allows_no_other_host() -> None:
    policy = content_security_policy()
    assert "'sha256-" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'unsafe-inline'" not in policy
    assert "http:" not in policy
    assert "https:" not in policy
