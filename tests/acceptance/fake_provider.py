"""FakeProvider: a small OpenID Connect provider on loopback. Real HTTP, real signed tokens; nobody needs a password.

It can be told to sign a token wrongly, as somebody would who stands in for the provider.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "passatk-dashboard", "a client secret of the tests"
Claims = dict[str, Any]
#: What may be wrong with a token: a change of its claims, or another key to sign it with.
FAULTS: dict[str, Callable[[Claims], Claims]] = {
    "signed by another key": dict,
    "not signed": dict,
    "expired": lambda claims: claims | {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200},
    "of another issuer": lambda claims: claims | {"iss": "http://127.0.0.1:1"},
    "for another client": lambda claims: claims | {"aud": "somebody-else"},
    "of another login": lambda claims: claims | {"nonce": "of-another-login"},
}


@dataclass
class FakeProvider:
    """The provider, its readers by e-mail address with their claims, and the fault of the tokens it gives."""

    readers: Mapping[str, Claims]
    fault: str | None = None
    ended: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    _other: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    _server: ThreadingHTTPServer = field(init=False)

    def __enter__(self) -> FakeProvider:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def keys(self) -> dict[str, Any]:
        return dict(KeySet([self._key]).as_dict(private=False))

    def chooser(self, asked: dict[str, str]) -> str:
        """The page on which a reader says who they are; every name leads back with a code of its own."""
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        links = []
        for name in self.readers:
            code = secrets.token_urlsafe(12)
            self._codes[code] = asked | {"name": name}
            back = urllib.parse.urlencode({"code": code, "state": asked["state"]})
            links.append(f'<p><a href="{html.escape(asked["redirect_uri"])}?{html.escape(back)}">{name}</a></p>')
        return f"<!doctype html><title>Who are you?</title>{''.join(links)}"

    def tokens(self, asked: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The tokens of a code, once, for the client who knows its secret and the verifier of its challenge."""
        known = self._codes.pop(asked.get("code", ""), None)
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode() if authorization else ""
        if known is None or urllib.parse.unquote_plus(client) != f"{CLIENT}:{SECRET}":
            return None
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        if known["code_challenge"] != base64.urlsafe_b64encode(digest).decode().rstrip("="):
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": known["nonce"]}
        signed = self._signed(claims | {"email": known["name"], "sub": known["name"]} | self.readers[known["name"]])
        return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": 300, "id_token": signed}

    def _signed(self, claims: Claims) -> str:
        claims = FAULTS[self.fault](claims) if self.fault else claims
        if self.fault == "not signed":
            parts = ({"alg": "none", "kid": "one"}, claims)
            return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."
        key = self._other if self.fault == "signed by another key" else self._key
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


def _handler(provider: FakeProvider) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"provider": provider})


class _Handler(BaseHTTPRequestHandler):
    provider: FakeProvider

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/.well-known/openid-configuration":
            self._answer(200, json.dumps(self.provider.metadata()), "application/json")
        elif parts.path == "/keys":
            self._answer(200, json.dumps(self.provider.keys()), "application/json")
        elif parts.path == "/authorize":
            self._answer(200, self.provider.chooser(asked), "text/html")
        elif parts.path == "/end":
            self.provider.ended.append(asked.get("id_token_hint", ""))
            self._answer(302, "", "text/plain", {"Location": asked["post_logout_redirect_uri"]})
        else:
            self._answer(404, "", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        given = self.provider.tokens(dict(urllib.parse.parse_qsl(body)), self.headers.get("authorization", ""))
        said = json.dumps(given or {"error": "invalid_grant"})
        self._answer(200 if given else 400, said, "application/json")

    def _answer(self, status: int, text: str, kind: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing is said of requests."""
