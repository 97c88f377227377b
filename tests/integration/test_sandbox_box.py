"""The container for one command: what it shows, what it bounds, and that nothing of it stays."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from workers.errors import SandboxUnavailable
from workers.sandbox.box import BoxLimits, BoxPlan, BoxRun, open_box, run_in_box

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="no bwrap: apt install bubblewrap")


def _sh(script: str, limits: BoxLimits | None = None, **plan: object) -> BoxRun:
    return run_in_box(BoxPlan(["/bin/sh", "-c", script], **plan), limits or BoxLimits())


def test_it_runs_a_command_on_its_files_and_hears_it() -> None:
    run = _sh("cat /in/a/b; echo told >&3; echo err >&2; exit 7", files={"a/b": b"given"})
    assert (run.returncode, run.stdout, run.stderr, run.channel) == (7, b"given", b"err\n", b"told\n")


def test_nothing_of_the_host_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSATK_SECRET", "canary-in-the-environment")
    secret = tmp_path / "secret"
    secret.write_text("canary-in-a-file")
    secret.chmod(0o644)
    said = _sh(f"cat {secret} /etc/passwd /etc/shadow; env; ls /home /root /tmp; cat /proc/*/environ; id -u").stdout
    assert b"canary" not in said
    assert b"root:" not in said
    assert said.strip().splitlines()[-1] != b"0"


def test_nothing_can_be_written_but_the_scratch(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    script = (
        f"for d in / /in /usr /dev /proc {tmp_path}; do echo x > $d/written && echo $d; done; echo x > written && pwd"
    )
    assert _sh(script).stdout == b"/scratch\n"
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = _sh(f"ls /sys/class/net; perl -MIO::Socket -e 'exit !IO::Socket::INET->new(\"127.0.0.1:{port}\")'")
        assert run.returncode != 0
        assert b"eth" not in run.stdout


def test_it_may_not_build_containers_of_its_own() -> None:
    assert _sh("unshare --user --map-root-user true").returncode != 0


def test_time_is_bounded() -> None:
    assert _sh("while :; do :; done", BoxLimits(cpu_seconds=1, wall_seconds=60)).limit == "cpu_time"
    started = time.monotonic()
    run = _sh("sleep 300 & sleep 300", BoxLimits(wall_seconds=1))
    assert run.limit == "wall_time"
    assert time.monotonic() - started < 60


def test_space_is_bounded() -> None:
    limits = BoxLimits(scratch_bytes=1 << 20, output_bytes=1 << 20, memory_bytes=256 << 20)
    assert b"No space" in _sh("for n in 1 2 3; do head -c 700000 /dev/zero > $n; done", limits).stderr
    assert len(_sh("yes", limits).stdout) == 1 << 20
    assert _sh("head -c 900000000 /dev/zero | tail -c 800000000 > /dev/null", limits).returncode != 0


def test_nothing_stays() -> None:
    marker = f"sleep {os.getpid()}1234"
    _sh(f"({marker} &) ; (setsid {marker} &) ; exit 0")
    deadline = time.monotonic() + 20
    while _running(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(marker)
    assert not [name for name in os.listdir("/tmp") if name.startswith("passatk-box-") and _is_old(name)]


def _running(command: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if command.encode() == (entry / "cmdline").read_bytes().replace(b"\0", b" ").strip():
                    return True
            except OSError:
                continue
    return False


def _is_old(name: str) -> bool:
    try:
        return Path("/tmp", name).stat().st_uid == os.geteuid() and not os.listdir(f"/tmp/{name}")
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the sandbox's user may not enter")
def test_folders_that_only_root_may_enter_are_shown_where_they_are_named(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    (hidden / "inner").mkdir(parents=True)
    (hidden / "inner" / "file").write_text("shown")
    hidden.chmod(0o700)
    (hidden / "inner").chmod(0o755)
    inner = str(hidden / "inner")
    assert _sh(f"cat {inner}/file; ls /run", readable={inner: inner}).stdout == b"shown"
    assert os.path.ismount("/run/0") is False


def test_one_that_stays_is_spoken_to() -> None:
    process = open_box(BoxPlan(["/bin/cat"]), BoxLimits())
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"hello\n")
    assert process.stdout.readline() == b"hello\n"
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_without_bubblewrap_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap"):
        _sh("true")
