"""passatk doctor: each check against a sound house and against the fault it is there for."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from store import schema
from store.connection import transaction
from store.model_registry import ensure_model
from store.settings import StoreSettings
from workers import doctor
from workers.broker_check import check_broker
from workers.doctor_command import doctor as command
from workers.findings import Trouble
from workers.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[2]


def _states(*options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = CliRunner().invoke(command, ["--quick", "--format", "json", *options], catch_exceptions=False)
    report = json.loads(done.output)
    return done.exit_code, {finding["subject"]: finding for finding in report["findings"]}


def test_a_sound_house(store: StoreSettings) -> None:
    status, found = _states()
    assert status == 0, found
    assert found["store"]["state"] == found["schema"]["state"] == found["broker"]["state"] == "ok"
    assert "schema analytics and not schema store" in found["reader role"]["text"]
    assert set(found) == {check.subject for check in doctor.CHECKS if not check.slow}


def test_text_is_one_line_each(store: StoreSettings) -> None:
    done = CliRunner().invoke(command, ["--quick"], catch_exceptions=False)
    lines = done.output.splitlines()
    assert len(lines) == 1 + sum(not check.slow for check in doctor.CHECKS)
    assert all(line.split()[0] in ("ok", "warn", "fail") for line in lines[:-1])


def test_a_store_that_is_not_there_fails_and_the_rest_is_still_tried(
    store: StoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSATK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    status, found = _states()
    assert status == 1
    assert found["store"]["state"] == "fail"
    assert "PASSATK_DATABASE_URL" in found["store"]["text"]
    assert found["broker"]["mend"] == "start the store"
    assert "schema" not in found
    assert found["disk"]["state"] in ("ok", "warn")


def test_tables_of_another_version(store: StoreSettings, workshop: Any) -> None:
    workshop.rows("UPDATE public.alembic_version SET version_num = '0001'")
    status, found = _states()
    assert status == 1
    assert found["schema"] == {
        "subject": "schema",
        "state": "fail",
        "text": f"revision 0001, this passatk needs {schema.head_revision()}",
        "mend": "run `passatk store up`",
    }


def test_a_broker_that_does_not_answer() -> None:
    with pytest.raises(Trouble, match="does not answer"):
        check_broker_at("redis://127.0.0.1:1/0")


def check_broker_at(url: str) -> None:
    from workers.app import app

    before = {name: app.conf.get(name) for name in ("broker_url", "broker_transport_options")}
    app.conf.update(broker_url=url, broker_transport_options={})
    try:
        check_broker(WorkerSettings(broker_url=url, lease_seconds=60, patience_seconds=30))
    finally:
        app.conf.update(before)


def test_a_setting_that_nothing_reads() -> None:
    finding = doctor.settings({"PASSATK_BROKER": "amqp://", "PASSATK_HOME": "/x"})
    assert (finding.state, finding.text) == ("warn", "nothing reads PASSATK_BROKER")


def test_every_setting_is_known_to_the_doctor() -> None:
    named = set()
    for folder in ("store", "workers", "dashboard"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    value = node.args[0].value
                    named |= {value} if isinstance(value, str) and re.fullmatch(r"PASSATK_[A-Z_]+", value) else set()
    assert {name for name in named if name != "PASSATK_"} <= doctor.SETTINGS


def test_a_model_that_lies_elsewhere(store: StoreSettings, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with transaction() as connection:
        ensure_model(connection, f"here={folder}", "vllm")
    assert doctor.model_paths().state == "ok"
    (folder / "config.json").unlink()
    assert doctor.model_paths().state == "warn"
    assert str(folder) in doctor.model_paths().text


def test_an_empty_mirror_is_no_failure(store: StoreSettings) -> None:
    finding = doctor.mirror()
    assert (finding.state, finding.mend) == ("warn", "run `passatk mirror refresh`")
    assert finding.text.endswith("is empty"), "what to run is said once"
