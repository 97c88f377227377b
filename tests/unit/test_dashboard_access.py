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
        ({"by": "oidc"}, "needs secrets"),
        ({"by": "oidc", "secrets": "s.toml", "login_hours": 0}, "login_hours must"),
        ({"by": "oidc", "secrets": "s.toml", "login_hours": "2"}, "login_hours must"),
    ],
)
def test_a_bad_file_is_one_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(access.BadAccess) as caught:
        access.parsed(RULES | change, "rules.toml")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


NOW = 1_800_000_000.0
LOGIN = {"by": "oidc", "secrets": "s.toml", "login_hours": 2, "roles": RULES["roles"]}


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "Ann@x"}, "operator"),
        ({"email": "ann@x", "email_verified": True}, "operator"),
        ({"email": "ann@x", "email_verified": False}, None),
        ({"email": "ann@x", "email_verified": False, "sub": "vic@x"}, "viewer"),
        ({"sub": "bob", "groups": ["other", "evals"]}, "analyst"),
        ({"sub": "bob", "groups": "evals"}, "analyst"),
        ({"email": ["ann@x"]}, None),
        ({"email": "ann@x", "iat": NOW - 7201}, None),
        ({"email": "ann@x", "iat": "now"}, None),
        ({}, None),
    ],
)
def test_claims_name_a_reader_while_their_login_lasts(claims: dict[str, object], role: str | None) -> None:
    assert access.parsed(LOGIN, "f").of_claims({"iat": NOW - 7199} | claims, NOW).role == role


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (None, "cannot be read"),
        ("[auth", "is not TOML"),
        ("[other]", "lacks redirect_uri, cookie_secret, client_id"),
        ('redirect_uri = "http://h/"', "must be the readers' address"),
        ('cookie_secret = "short and dear"', "fewer than 32"),
    ],
)
def test_a_login_without_its_secrets_is_one_line_that_repeats_none(
    tmp_path: Path, said: str | None, wrong: str
) -> None:
    whole = {key: f"{key} of thirty-two characters or more" for key in access.AUTH}
    whole["redirect_uri"] = "http://h/oauth2callback"
    file = tmp_path / "secrets.toml"
    if said is not None and said[0] != "[":
        key, value = said.split(" = ")
        whole[key] = value.strip('"')
        said = "[auth]\n" + "\n".join(f'{key} = "{value}"' for key, value in whole.items())
    if said is not None:
        file.write_text(said)
    rules = access.parsed(LOGIN | {"secrets": str(file)}, "rules.toml")
    with pytest.raises(access.BadAccess, match=wrong) as caught:
        access.check_login(rules)
    assert "\n" not in str(caught.value)
    assert "dear" not in str(caught.value)


def test_listening_elsewhere_without_rules_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(access.FILE, raising=False)
    monkeypatch.setenv("PASSATK_HOME", str(tmp_path))
    done = CliRunner().invoke(dashboard, ["start", "--address", "0.0.0.0"])
    assert isinstance(done.exception, access.PassatkError)
    assert access.FILE in str(done.exception)


def test_an_error_points_at_its_place() -> None:
    assert pointed("syntax error (at character 11: 'FRO x')", "SELECT 1,\nFRO x").splitlines()[-1].index("^") == 8
