"""Headers that keep a page to itself: nothing is loaded from, sent to, or framed by any other host."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from starlette.middleware import Middleware

from dashboard import access, login, own_address

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


_HOST = re.compile(rb"[\w.:\[\]-]{1,255}")
#: Whoever asks only whether the server is up may come past the proxy: `passatk dashboard start`, a load balancer.
_OPEN = ("/_stcore/health", "/api/ready")
#: Files that pages made for their readers, found by names that are hard to guess and easy to pass on.
_FILES = "/media/"
_BY_PROXY = b"Come by the proxy in front of this dashboard.\n"
_NO_ROLE = b"You have no role here: log in, or ask whoever keeps the dashboard's access file.\n"


def content_security_policy() -> str:
    """Only this server, plus the inline scripts of Streamlit's page and the one put into it, known by their hashes.

    {host}: by which name the reader came, for browsers to which 'self' does not mean this server's websockets.
    """
    page = files("streamlit").joinpath("static", "index.html").read_bytes()
    inline = [*_INLINE.findall(page), own_address.SCRIPT]
    hashes = [base64.b64encode(hashlib.sha256(script).digest()).decode() for script in inline]
    scripts = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'{host}",
            "worker-src 'self' blob:",
            "frame-ancestors 'self'",
            "form-action 'self'",
            "base-uri 'self'",
            "object-src 'none'",
        )
    )


def headers() -> list[Middleware]:
    """The middleware that sets them on every answer."""
    values = {
        "content-security-policy": content_security_policy(),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",  # other hosts are told nothing; a login is led back to its page
        "cross-origin-opener-policy": "same-origin",
    }
    return [Middleware(_Headers, values={name.encode(): value.encode() for name, value in values.items()})]


class _Headers:
    """Adds headers to every HTTP answer, and lets in only whom the access rules let speak."""

    def __init__(self, app: Any, values: dict[bytes, bytes]) -> None:
        self._app = app
        self._values = values

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = login.changed(scope, list(message["headers"]), message["status"])
                message["headers"] = [*own, *_headed(self._values, scope)]
            await send(message)

        client = (scope.get("client") or (None,))[0]
        asks = scope["type"] == "websocket" or (scope["type"] == "http" and scope["path"] not in _OPEN)
        if asks and not access.current().trusts(client):
            await _refuse(scope, sent if scope["type"] == "http" else send, _BY_PROXY)
            return
        if scope["type"] == "http" and scope["path"].startswith(_FILES) and not _reader(scope).may("viewer"):
            await _refuse(scope, sent, _NO_ROLE)
            return
        await self._app(scope, receive, sent if scope["type"] == "http" else send)


def _headed(values: dict[bytes, bytes], scope: Any) -> list[tuple[bytes, bytes]]:
    """The headers of one answer: websockets only to the host that was asked."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    places = b" ws://%b wss://%b" % (host, host) if _HOST.fullmatch(host) else b""
    return [(name, value.replace(b"{host}", places)) for name, value in values.items()]


def _reader(scope: Any) -> access.Reader:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return login.reader_of(headers, login.cookies_of(scope))


async def _refuse(scope: Any, send: Any, text: bytes) -> None:
    """Only the proxies named in the access file may connect: anybody else could claim to be anybody."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text})
