"""What a browser brings along beside its address: the login of an OIDC reader, and a mark of the browser itself.

Streamlit's own routes log in and out and sign the cookie; here it is read where there is no session to ask, and a
reader who logged in is led back to the page they had asked for.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from streamlit.auth_util import get_cookie_with_chunks, get_origin_from_redirect_uri
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from dashboard import access
from dashboard.access import Reader

#: A random mark of the browser: what one browser asked for is not given to another.
BROWSER = "passatk_browser"
_RETURN = "passatk_return"
LOGIN, CALLBACK = "/auth/login", "/oauth2callback"
#: The address a reader is led back to is kept in a cookie, which browsers cut at 4,096 bytes; and so long, seconds.
_LONGEST, _RETURN_SECONDS = 3500, 600
_MARK_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Holder:
    """Whose something is: a reader, in one of their browsers."""

    reader: str | None
    browser: str | None


def holder(reader: Reader, cookies: Mapping[str, str]) -> Holder:
    """The holder of what this reader asks for with these cookies."""
    return Holder(reader.name, cookies.get(BROWSER))


def reader_of(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Reader:
    """Who asks over plain HTTP, by the rules in force: the proxy's header, or the login in the cookie."""
    rules = access.current()
    if rules.by == "oidc":
        return rules.of_claims(claims_of(cookies))
    return rules.of_headers(headers)


def claims_of(cookies: Mapping[str, str]) -> dict[str, Any]:
    """The claims of the login in these cookies; none where its signature, age or origin is not right."""
    secret = get_cookie_secret()

    def signed(name: str) -> bytes | None:
        value = cookies.get(name)
        return None if value is None else decode_signed_value(secret, name, value.encode("latin-1", "replace"))

    found = get_cookie_with_chunks(signed, USER_COOKIE_NAME)
    try:
        claims = json.loads(found or b"{}")
    except ValueError:
        return {}
    logged_in = isinstance(claims, dict) and claims.get("is_logged_in") is True
    return claims if logged_in and claims.get("origin") == get_origin_from_redirect_uri() else {}


def cookies_of(scope: Any) -> dict[str, str]:
    """The cookies of a request."""
    jar: SimpleCookie = SimpleCookie()
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                jar.load(value.decode("latin-1"))
            except CookieError:
                return {}
    return {name: one.value for name, one in jar.items()}


def changed(scope: Any, headers: list[tuple[bytes, bytes]], status: int) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with the mark of the browser, and the way back of a login, where they are due."""
    path = scope["path"]
    if path == LOGIN:
        back = _asked_from(scope)
        return [*headers, _cookie(_RETURN, quote(back, safe="/"), CALLBACK, _RETURN_SECONDS)] if back else headers
    if path == CALLBACK and 300 <= status < 400:
        return _led_back(headers, cookies_of(scope).get(_RETURN))
    is_page = (b"content-type", b"text/html") in [(name, value.split(b";")[0]) for name, value in headers]
    if is_page and BROWSER not in cookies_of(scope):
        return [*headers, _cookie(BROWSER, secrets.token_urlsafe(18), "/", _MARK_SECONDS)]
    return headers


def _asked_from(scope: Any) -> str | None:
    """The page of ours from which a login was asked for: its path and query."""
    said = dict(scope["headers"])
    parts = urlsplit(said.get(b"referer", b"").decode("latin-1"))
    if not parts.netloc or parts.netloc.encode() != said.get(b"host"):
        return None
    return _own(parts.path + (f"?{parts.query}" if parts.query else ""))


def _own(address: str) -> str | None:
    """An address below this server, and no other: browsers read `//` and a backslash as the start of a host."""
    own = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if own and len(quote(address, safe="/")) <= _LONGEST else None


def _led_back(headers: list[tuple[bytes, bytes]], kept: str | None) -> list[tuple[bytes, bytes]]:
    back = _own(unquote(kept)) if kept else None
    logged_in = any(name == b"set-cookie" and value.startswith(USER_COOKIE_NAME.encode()) for name, value in headers)
    if back is None or not logged_in:
        return headers
    kept_headers = [(name, value) for name, value in headers if name != b"location"]
    return [
        *kept_headers,
        (b"location", quote(back, safe="/?&=%+-_.~,:;@!$'()*").encode()),
        _cookie(_RETURN, "", CALLBACK, 0),
    ]


def _cookie(name: str, value: str, path: str, seconds: int) -> tuple[bytes, bytes]:
    return b"set-cookie", f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax".encode()
