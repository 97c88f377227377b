"""HTTP to one endpoint: retried with back-off that honours the server's hints, and never telling the key."""

import email.utils
import http.client
import json
import logging
import random
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from workers.engines.door import CLOSED
from workers.engines.rate_limit import RateLimit
from workers.errors import EngineFailed, EngineMisconfigured

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0
#: Statuses after which the same request may succeed: timeouts, conflicts, limits, and all of the 500s.
_PASSING = frozenset({408, 409, 425, 429})


class Refused(Exception):
    """The endpoint answered with a status that trying again does not mend; `message` is the server's own."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the status apart from the words."""
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


class Endpoint:
    """An API below `base_url`, for any thread. The key is sent to it and shown nowhere."""

    def __init__(
        self, base_url: str, key: str | None, timeout: float, attempts: int, requests: RateLimit | None = None
    ) -> None:
        """Raise EngineMisconfigured unless the address is http(s) without a user or password in it."""
        parts = urllib.parse.urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineMisconfigured(f"base_url must be like http://host:8000/v1, not {parts.scheme}://...")
        if parts.username or parts.password:
            raise EngineMisconfigured("base_url must hold no credentials; put the key into PASSATK_OPENAI_API_KEY")
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._timeout = timeout
        self._attempts = attempts
        self._requests = requests or RateLimit(None)
        self._opener = urllib.request.build_opener(_NoRedirect)
        self.closed = threading.Event()
        self._not_before = 0.0  # monotonic; a limit hit by one request holds for all of them

    def close(self) -> None:
        """End every pause; requests that were waiting fail."""
        self.closed.set()

    def call(self, path: str, body: Mapping[str, Any] | None = None, attempts: int | None = None) -> Any:
        """GET `path`, or POST a JSON body to it; the decoded answer.

        Raises Refused for an answer that stays the same, EngineFailed when every attempt failed.
        """
        failure = "closed"
        for attempt in range(attempts or self._attempts):
            self._wait()
            self._requests.take(1, self.closed)  # trying again counts too
            try:
                return self._once(path, body)
            except urllib.error.HTTPError as error:
                failure = self._passing(error)
                pause = hinted_pause(dict(error.headers.items()), time.time())
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
                failure = self._hide(f"{type(error).__name__}: {getattr(error, 'reason', error)}")
                pause = None
            _log.warning("%s%s: %s (attempt %d)", self.base_url, path, failure, attempt + 1)
            self._pause(attempt, pause)
        raise EngineFailed(f"{self.base_url}{path} failed {attempts or self._attempts} times, the last with {failure}")

    def _once(self, path: str, body: Mapping[str, Any] | None) -> Any:
        headers = {"Accept": "application/json", "User-Agent": "passatk"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body).encode()
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        url = path if "://" in path else self.base_url + path
        request = urllib.request.Request(url, data=data, headers=headers)
        with self._opener.open(request, timeout=self._timeout) as answer:
            content = answer.read()
            # A limit that this very request used up: the next one would only be refused.
            self._hold(used_up(dict(answer.headers.items())))
            return json.loads(content)

    def _passing(self, error: urllib.error.HTTPError) -> str:
        """Describe an error status that may pass; raise Refused for one that will not."""
        with error:
            message = self._hide(server_message(error.read(65536)))
        if error.code in _PASSING or error.code >= 500:
            return f"{error.code}: {message}"
        raise Refused(error.code, message) from None

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _wait(self) -> None:
        while (left := self._not_before - time.monotonic()) > 0 and not self.closed.is_set():
            self.closed.wait(left)
        if self.closed.is_set():
            raise EngineFailed(CLOSED)

    def _hold(self, seconds: float | None) -> None:
        """Send nothing for so long."""
        if seconds is not None:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _pause(self, attempt: int, hint: float | None) -> None:
        """Hold everything for as long as the server asks; without a hint, only this request, longer each time."""
        if hint is not None:
            self._hold(hint)
            return
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
        # Jitter, or all that failed together would come back together.
        self.closed.wait(longest * random.uniform(0.5, 1.0))


def used_up(headers: Mapping[str, str]) -> float | None:
    """Seconds until a limit that is used up is open again, by `x-ratelimit-remaining-*` and `x-ratelimit-reset-*`.

    The longest of them, for requests and for tokens; None where nothing is used up, or nothing is said.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    waits = [
        _duration(lower.get(f"{prefix}reset{kind}"))
        for prefix in ("x-ratelimit-", "ratelimit-")
        for kind in ("-requests", "-tokens", "")
        if lower.get(f"{prefix}remaining{kind}", "").strip() == "0"
    ]
    return max((wait for wait in waits if wait is not None), default=None)


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


def _duration(text: str | None) -> float | None:
    """Seconds of "20", "1.5s", "6m0s" or "250ms"; None for anything else, and for what is longer than an hour."""
    if not text:
        return None
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        found = _DURATION.fullmatch(text)
        if found is None:
            return None
        hours, minutes, whole, thousandths = (float(part or 0) for part in found.groups())
        seconds = hours * 3600 + minutes * 60 + whole + thousandths / 1000
    # A larger number is a point in time.
    return seconds if 0 <= seconds <= 3600 else None


def hinted_pause(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms`, `Retry-After` (seconds, or an HTTP date; `now` is Unix time), or the
    `x-ratelimit-` headers of a limit that is used up."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds, hint = lower.get("retry-after-ms"), lower.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if hint is not None:
            return max(0.0, float(hint))
    except ValueError:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(str(hint)).timestamp() - now)
        except ValueError:
            return None
    return used_up(headers)


def server_message(content: bytes) -> str:
    """The server's words in one line of at most 300 characters: of `{"error": {"message": ...}}` the message."""
    text = content.decode("utf-8", "replace")
    try:
        decoded = json.loads(text)
        error = decoded.get("error", decoded)
        text = error.get("message", text) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        pass
    return " ".join(str(text).split())[:300]
