"""Who may do what: rules from a file, headers of a proxy, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboard import access
from dashboard.cli import dashboard
from dashboard.queries import pointed

RULES = {
    "by": "proxy",
    "user_header": "X-Forwarded-Email",
    "groups_header": "X-Groups",
    "proxies": ["10.0.0.0/24"],
    "roles": {"viewer": ["vic@x"], "analyst": ["group:evals"], "operator": ["ann@x"]},
}


@pytest.mark.parametrize(
    ("headers", "role"),
    [
        ({"x-forwarded-email": "Ann@x"}, "operator"),
        ({"X-Forwarded-Email": "bob@x", "X-Groups": "other, evals"}, "analyst"),
        ({"x-forwarded-email": "vic@x"}, "viewer"),
        ({"x-forwarded-email": "eve@x"}, None),
        ({}, None),
    ],
)
def test_headers_name_a_reader_and_rules_a_role(headers: dict[str, str], role: str | None) -> None:
    assert access.parsed(RULES, "f").of_headers(headers).role == role


def test_roles_hold_the_ones_before_them() -> None:
    assert access.Reader("a", "operator").may("viewer")
    assert not access.Reader("a", "viewer").may("analyst")
    assert not access.Reader("a", None).may("viewer")
    with pytest.raises(access.NotAllowed):
        access.require("analyst", access.Reader("a", "viewer"))


def test_only_the_proxy_may_connect() -> None:
    rules = access.parsed(RULES, "f")
    assert rules.trusts("10.0.0.9")
    assert not rules.trusts("10.0.1.9")
    assert not rules.trusts(None)
    assert access.Access().trusts("10.0.1.9")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": "magic"}, "by must be"),
        ({"user_header": ""}, "needs user_header"),
        ({"proxies": ["nowhere"]}, "proxies must be"),
        ({"everyone": "king"}, "everyone must be"),
        ({"roles": {"king": []}}, "[roles] may name"),
        ({"colour": 1}, "unknown colour"),
    ],
)
def test_a_bad_file_is_one_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(access.BadAccess) as caught:
        access.parsed(RULES | change, "rules.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_listening_elsewhere_without_rules_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(access.FILE, raising=False)
    monkeypatch.setenv("PASSATK_HOME", str(tmp_path))
    done = CliRunner().invoke(dashboard, ["start", "--address", "0.0.0.0"])
    assert isinstance(done.exception, access.PassatkError)
    assert access.FILE in str(done.exception)


def test_an_error_points_at_its_place() -> None:
    assert pointed("syntax error (at character 11: 'FRO x')", "SELECT 1,\nFRO x").splitlines()[-1].index("^") == 8
