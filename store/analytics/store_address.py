"""Where the Postgres to mirror is, learnt without starting it and without the store's own connections."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from store.analytics.errors import SourceUnreachable
from store.settings import StoreSettings

_DATABASE = "passatk"
_USER = "postgres"
# Lines of a postmaster.pid, counted from 0: process id, data folder, start time, port, socket folder, listen address.
_PID, _PORT, _SOCKET, _HOST = 0, 3, 4, 5


def store_address(settings: StoreSettings) -> str:
    """The libpq URL of the store: the given one, or that of the embedded server, which must be running."""
    return settings.database_url or _embedded_address(settings.home)


def _embedded_address(home: Path) -> str:
    try:
        lines = (home / "postgres" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        _check_running(int(lines[_PID]))
        port, host = int(lines[_PORT]), lines[_SOCKET].strip() or lines[_HOST].strip()
    except PermissionError:
        raise SourceUnreachable(
            f"The embedded store in {home} belongs to another user: refresh as that user."
        ) from None
    except (OSError, ValueError, IndexError):
        raise SourceUnreachable(
            f"The embedded store in {home} does not run: start it with `passatk store up`."
        ) from None
    return f"postgresql://{_USER}@/{_DATABASE}?host={quote(host, safe='/')}&port={port}"


def _check_running(process: int) -> None:
    try:
        os.kill(process, 0)
    except PermissionError:
        return  # it runs, as another user, which is how root starts it


def shown_address(url: str) -> str:
    """The address without its password, for people."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    shown = f"{scheme}://{user.partition(':')[0]}{at}{place}"
    base, question, query = shown.partition("?")
    kept = "&".join(part for part in query.split("&") if not part.lower().startswith(("password=", "sslpassword=")))
    return base + (question + kept if kept else "")
