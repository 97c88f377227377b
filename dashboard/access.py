"""Who may do what: three roles, each holding the one before it. No Streamlit here.

viewer reads every page but SQL; analyst also asks SQL and exports; operator also acts on runs.

Without a file of rules the dashboard listens on loopback only and everybody there is an operator: it is their machine.
With one (`--access FILE`, PASSATK_ACCESS) readers are known by a header that a proxy sets, or by an OIDC login.
"""

from __future__ import annotations

import ipaddress
import os
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from store.errors import PassatkError

ROLES = ("viewer", "analyst", "operator")
FILE = "PASSATK_ACCESS"
_KEYS = {"by", "user_header", "groups_header", "proxies", "everyone", "roles", "secrets", "login_hours"}
_GROUP = "group:"
#: How long a login lasts where the access file does not say, hours; and the most it may say: Streamlit's cookie ends.
_LOGIN_HOURS, _MOST_HOURS = 12.0, 30 * 24.0
#: What the secrets file's [auth] section must hold.
AUTH = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
#: Whoever guesses a shorter secret, without asking the server, can write a login of anybody.
_SHORTEST_SECRET = 32


class BadAccess(PassatkError):
    """The file that says who may do what is not one."""


class NotAllowed(PassatkError):
    """The reader's role does not reach."""


@dataclass(frozen=True)
class Reader:
    """Somebody at the dashboard: their name (None: nobody said), role (None: may see nothing)."""

    name: str | None
    role: str | None

    def may(self, role: str) -> bool:
        """Whether the reader's role is this one or above it."""
        return self.role is not None and ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class Access:
    """The rules: how readers are known, from which addresses a proxy may speak, and who has which role."""

    by: str = "loopback"
    user_header: str = ""
    groups_header: str = ""
    proxies: tuple[Any, ...] = ()
    everyone: str | None = None
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secrets: str = ""
    login_hours: float = _LOGIN_HOURS

    def reader(self, name: str | None, groups: Iterable[str] = ()) -> Reader:
        """The reader of this name and these groups: the highest role any rule gives them."""
        if self.by == "loopback":
            return Reader(None, "operator")
        if not name:
            return Reader(None, None)
        known = {name.lower(), *(f"{_GROUP}{one.lower()}" for one in groups if one)}
        given = [role for role in ROLES if known & self.roles.get(role, frozenset())]
        return Reader(name, given[-1] if given else self.everyone)

    def trusts(self, address: str | None) -> bool:
        """Whether a connection from this address may say who the reader is."""
        if self.by != "proxy" or not self.proxies:
            return True
        try:
            found = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        return any(found in network for network in self.proxies)

    def of_headers(self, headers: Mapping[str, str]) -> Reader:
        """The reader that the proxy's headers name."""
        values = {name.lower(): value for name, value in headers.items()}
        groups = values.get(self.groups_header, "").split(",") if self.groups_header else []
        return self.reader(values.get(self.user_header), [one.strip() for one in groups])

    def of_claims(self, claims: Mapping[str, Any], now: float | None = None) -> Reader:
        """The reader whom a login's claims name: nobody once the login is older than it may be (`now`: Unix seconds).

        The name is `email`, unless the provider says that it has not verified it, else `sub`.
        """
        issued = claims.get("iat")
        if not isinstance(issued, int | float) or (time.time() if now is None else now) >= self._ends(issued):
            return Reader(None, None)
        email = claims.get("email") if claims.get("email_verified", True) in (True, "true") else None
        name = next((one for one in (email, claims.get("sub")) if isinstance(one, str) and one), None)
        groups = claims.get("groups") or []
        return self.reader(name, [str(one) for one in (groups if isinstance(groups, list) else [groups])])

    def _ends(self, issued: float) -> float:
        return issued + 3600 * self.login_hours


def current() -> Access:
    """The rules in force, from the file that the environment names."""
    path = os.environ.get(FILE)
    if not path:
        return Access()
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError as error:
        raise BadAccess(f"{path} cannot be read ({error.strerror}): it says who may use the dashboard.") from None
    return _read(path, changed)


@lru_cache(maxsize=4)
def _read(path: str, changed: int) -> Access:
    try:
        said = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadAccess(f"{path} is not TOML: {error}.") from None
    return parsed(said, path)


def parsed(said: Mapping[str, Any], path: str) -> Access:
    """Rules from the content of a file; raises BadAccess naming what is wrong in it."""
    unknown = sorted(said.keys() - _KEYS)
    if unknown:
        raise BadAccess(f"{path}: unknown {', '.join(unknown)}; there are: {', '.join(sorted(_KEYS))}.")
    by = said.get("by")
    if by not in ("proxy", "oidc"):
        raise BadAccess(f'{path}: by must be "proxy" (a header names the reader) or "oidc" (a login does).')
    header = str(said.get("user_header", "")).lower()
    if by == "proxy" and not header:
        raise BadAccess(f'{path}: by = "proxy" needs user_header, such as "X-Forwarded-Email".')
    everyone = said.get("everyone")
    if everyone not in (None, *ROLES):
        raise BadAccess(f"{path}: everyone must be one of {', '.join(ROLES)}, or left out to let in only who is named.")
    return Access(
        by,
        header,
        str(said.get("groups_header", "")).lower(),
        _networks(said, path),
        everyone,
        _roles(said, path),
        _secrets(said, path) if by == "oidc" else "",
        _hours(said, path),
    )


def _hours(said: Mapping[str, Any], path: str) -> float:
    hours = said.get("login_hours", _LOGIN_HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= _MOST_HOURS:
        raise BadAccess(f"{path}: login_hours must be a number of hours above 0, at most {_MOST_HOURS:.0f}.")
    return float(hours)


def _secrets(said: Mapping[str, Any], path: str) -> str:
    file = str(said.get("secrets", ""))
    if not file:
        raise BadAccess(
            f'{path}: by = "oidc" needs secrets = "FILE": the TOML file with the provider\'s [auth] section.'
        )
    return str(Path(path).parent / file)


def check_login(rules: Access) -> None:
    """Raise BadAccess unless the secrets file holds what an OIDC login needs; its values are never repeated."""
    if rules.by != "oidc":
        return
    try:
        auth = tomllib.loads(Path(rules.secrets).read_text(encoding="utf-8")).get("auth")
    except OSError as error:
        raise BadAccess(f"{rules.secrets} cannot be read ({error.strerror}): it says who logs readers in.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise BadAccess(f"{rules.secrets} is not TOML.") from None
    auth = auth if isinstance(auth, dict) else {}
    missing = [key for key in AUTH if not isinstance(auth.get(key), str) or not auth[key]]
    if missing:
        raise BadAccess(f"{rules.secrets}: [auth] lacks {', '.join(missing)}.")
    if not auth["redirect_uri"].endswith("/oauth2callback"):
        raise BadAccess(f"{rules.secrets}: redirect_uri must be the readers' address and end in /oauth2callback.")
    if len(auth["cookie_secret"]) < _SHORTEST_SECRET:
        raise BadAccess(
            f"{rules.secrets}: cookie_secret has fewer than {_SHORTEST_SECRET} characters, so a login could be forged: "
            'make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`.'
        )


def _networks(said: Mapping[str, Any], path: str) -> tuple[Any, ...]:
    try:
        return tuple(ipaddress.ip_network(one) for one in said.get("proxies", []))
    except ValueError as error:
        raise BadAccess(f"{path}: proxies must be addresses or networks such as 10.0.0.0/24: {error}.") from None


def _roles(said: Mapping[str, Any], path: str) -> dict[str, frozenset[str]]:
    roles = said.get("roles", {})
    if not isinstance(roles, Mapping) or set(roles) - set(ROLES):
        raise BadAccess(f"{path}: [roles] may name {', '.join(ROLES)}, each with a list of names or {_GROUP}NAME.")
    if not all(isinstance(names, list) and all(isinstance(one, str) for one in names) for names in roles.values()):
        raise BadAccess(f'{path}: every role is a list of names such as ["ann@example.org", "{_GROUP}evals"].')
    return {role: frozenset(one.lower() for one in names) for role, names in roles.items()}


def require(role: str, reader: Reader) -> None:
    """Raise NotAllowed unless the reader has this role."""
    if not reader.may(role):
        who = f"{reader.name} is" if reader.name else "Nobody is named, who is"
        raise NotAllowed(f"{who} not {role}: ask whoever keeps the dashboard's access file.")
