"""Settings, queue names and broker options of the workers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.broker import broker_options
from workers.errors import BrokerUnknown
from workers.queues import VERIFY_QUEUE, draw_queue
from workers.settings import BadSetting, WorkerSettings


def test_defaults() -> None:
    settings = WorkerSettings.from_environment({"PASSATK_BROKER_URL": "", "PASSATK_LEASE_SECONDS": ""})
    assert settings == WorkerSettings(broker_url=None, lease_seconds=60.0, patience_seconds=30.0)


def test_what_is_set_is_taken() -> None:
    given_ = {
        "PASSATK_BROKER_URL": "redis://r/1",
        "PASSATK_LEASE_SECONDS": "0.5",
        "PASSATK_PATIENCE_SECONDS": "1e3",
    }
    assert WorkerSettings.from_environment(given_) == WorkerSettings("redis://r/1", 0.5, 1000.0)


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", "1 s", " "])
@pytest.mark.parametrize("name", ["PASSATK_LEASE_SECONDS", "PASSATK_PATIENCE_SECONDS"])
def test_seconds_that_cannot_be(name: str, text: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} is {text!r}; give seconds, more than 0"):
        WorkerSettings.from_environment({name: text})


def test_a_plain_name_is_its_own_queue() -> None:
    assert draw_queue("tiny-8m") == "generate.tiny-8m"
    assert draw_queue("tiny") != VERIFY_QUEUE


def test_different_models_never_share_a_queue() -> None:
    names = [
        "qwen",
        "Qwen",
        "QWEN",
        "org/qwen",
        "org-qwen",
        "org_qwen",
        "org.qwen",
        "org qwen",
        "-qwen",
        "qwen-",
        "模型",
        "модель",
        "",
        "x" * 100,
        "x" * 101,
        "x" * 38,
        "x" * 39,
    ]
    queues = {draw_queue(name) for name in names}
    assert len(queues) == len(names)
    # The embedded broker writes every sign as an underscore: the names must differ then, too.
    assert len({re.sub(r"\W", "_", queue) for queue in queues}) == len(names)


@given(st.text())
def test_a_queue_has_a_name_every_broker_takes(name: str) -> None:
    assert re.fullmatch(r"generate\.[a-z0-9-]{1,38}", draw_queue(name))
    assert draw_queue(name) == draw_queue(name)


def _options(url: str) -> dict[str, Any]:
    return broker_options(WorkerSettings(url, 60, 30))


def test_each_broker_gets_its_options() -> None:
    assert _options("redis://host/0") == {
        "broker_url": "redis://host/0",
        "broker_transport_options": {"visibility_timeout": 60},
    }
    assert _options("amqp://host//")["broker_transport_options"] == {"confirm_publish": True}
    assert _options("memory://")["broker_transport_options"] == {}


@pytest.mark.parametrize("url", ["sqs://queue", "http://host", "localhost:6379", "postgresql://host/db"])
def test_other_brokers_are_refused(url: str) -> None:
    with pytest.raises(BrokerUnknown, match=r"give amqp://.*redis://.*or leave it unset"):
        _options(url)
