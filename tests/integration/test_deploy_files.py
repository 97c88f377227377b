"""What lies in deploy/ passes the linter of its own kind, runs nothing as root, and holds no secret."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from store.command import passatk

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("passatk-*"))


def _tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine: pip install -e '.[test]', or apt-get install systemd")
    return found


def _documents(path: Path) -> list[dict[str, object]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def test_compose_follows_its_specification() -> None:
    command = [_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_follow_kubernetes(path: Path) -> None:
    done = subprocess.run(
        [_tool("kubernetes-validate"), "--strict", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_linter_that_passes_everything_would_be_none(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((DEPLOY / "kubernetes" / "verify.yaml").read_text().replace("replicas: 2", "replicas: two"))
    done = subprocess.run(
        [_tool("kubernetes-validate"), "--strict", str(wrong)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0


def test_the_image_file_has_no_complaint(tmp_path: Path) -> None:
    linter = _tool("hadolint")
    done = subprocess.run([linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "Dockerfile"
    wrong.write_text((DEPLOY / "Dockerfile").read_text().replace("python:3.11-slim-bookworm", "python"))
    assert subprocess.run([linter, str(wrong)], capture_output=True, check=False).returncode != 0


def test_units_verify(tmp_path: Path) -> None:
    for unit in UNITS:
        # The one thing a unit needs of the machine it is checked on: its program.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/passatk/bin/passatk", "/bin/true"))
    units = [str(tmp_path / unit.name.replace("@.", "@0.")) for unit in UNITS]
    command = [_tool("systemd-analyze"), "verify", "--man=no", *units]
    for name in ("passatk-generate@.service",):
        shutil.copy(tmp_path / name, tmp_path / name.replace("@.", "@0."))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "passatk" in line]
    assert (done.returncode, said) == (0, []), done.stderr


def _pods(document: dict[str, object]) -> list[dict[str, object]]:
    found = []

    def search(node: object) -> None:
        if isinstance(node, dict):
            if "containers" in node:
                found.append(node)
            for value in node.values():
                search(value)
        if isinstance(node, list):
            for value in node:
                search(value)

    search(document)
    return found


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_pods_are_not_root_and_ask_for_what_they_need(path: Path) -> None:
    for document in _documents(path):
        for pod in _pods(document):
            assert pod["securityContext"]["runAsNonRoot"] is True  # type: ignore[index]
            for container in pod["containers"]:  # type: ignore[attr-defined]
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["resources"]["requests"]
                assert container["resources"]["limits"]["memory"]
                if document["kind"] == "Deployment":
                    assert "livenessProbe" in container


def test_drawing_goes_to_gpus() -> None:
    (pod,) = [pod for document in _documents(DEPLOY / "kubernetes" / "generate.yaml") for pod in _pods(document)]
    assert pod["nodeSelector"]
    (container,) = pod["containers"]  # type: ignore[misc]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["terminationGracePeriodSeconds"] > 60  # type: ignore[operator]


def test_the_image_is_not_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users[-1] not in ("root", "0")
    assert [line for line in lines if line.startswith("FROM ") and ":" not in line] == []


def test_no_file_holds_a_secret() -> None:
    secret = re.compile(r"(password|secret|token|api[_-]?key)\s*[:=]\s*['\"]?[A-Za-z0-9+/]{6,}", re.IGNORECASE)
    address = re.compile(r"(postgres|postgresql|amqps?|rediss?)://[^\s\"']*:[^\s\"'@]+@")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            text = path.read_text()
            assert not address.search(text), path
            named = [line for line in text.splitlines() if secret.search(line) and "Name" not in line]
            assert [line for line in named if "/run/secrets/" not in line and "secrets/" not in line] == [], path


def _commands() -> list[list[str]]:
    found = [
        shlex.split(line.split("passatk ", 1)[1])
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    for path in MANIFESTS:
        found += [
            container["args"]
            for document in _documents(path)
            for pod in _pods(document)
            for container in pod["containers"]
        ]  # type: ignore[attr-defined]
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    found += [service["command"] for name, service in services.items() if name != "mirror" and "command" in service]
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_is_one_that_passatk_has(words: list[str]) -> None:
    """The words are parsed by the command itself, and nothing is run."""
    command: click.Command = passatk
    context = click.Context(command)
    words = [word.replace("910%i", "9100") for word in words]
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context("passatk", list(words))
