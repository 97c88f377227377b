"""Settings of the workers: read from the environment once, never changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from store.errors import PassatkError


class BadSetting(PassatkError):
    """A setting cannot be read."""


@dataclass(frozen=True)
class WorkerSettings:
    """`broker_url` is None for the embedded broker, which lives in the store's own server.

    `lease_seconds`: how long a batch stays with a worker that gives no sign of life. `patience_seconds`: how long a
    message may be silent before its batch is asked about.
    """

    broker_url: str | None
    lease_seconds: float
    patience_seconds: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> WorkerSettings:
        return cls(
            broker_url=environment.get("PASSATK_BROKER_URL") or None,
            lease_seconds=_seconds(environment, "PASSATK_LEASE_SECONDS", 60.0),
            patience_seconds=_seconds(environment, "PASSATK_PATIENCE_SECONDS", 30.0),
        )


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadSetting(f"{name} is {text!r}; give seconds, more than 0, or leave it unset for {default:g}.")
    return value
