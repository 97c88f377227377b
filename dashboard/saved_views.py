"""Views that people gave a name: a page and its choices, kept in one file of the dashboard's home. No Streamlit here.

Every reader sees all of them. A view holds choices, not numbers: opened later it shows the snapshot that is read then.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from store.errors import PassatkError
from store.settings import StoreSettings

#: Most views, longest name and longest query that are kept.
MOST, LONGEST_NAME, _LONGEST_QUERY = 200, 80, 16_000


class BadView(PassatkError):
    """A view cannot be saved as asked, or the file of views is not one."""


@dataclass(frozen=True)
class SavedView:
    """A page and its parameters under a name; `by` is who saved it (None: nobody is named here)."""

    name: str
    path: str
    query: Mapping[str, Sequence[str]]
    by: str | None
    at: str

    @property
    def parameters(self) -> dict[str, list[str]]:
        return {name: list(values) for name, values in self.query.items()}


def file() -> Path:
    """Where the views are kept."""
    return StoreSettings.from_environment().home / "dashboard-views.json"


def listed() -> list[SavedView]:
    """Every view by name; raises BadView where the file cannot be read."""
    return sorted(_read(file()), key=lambda view: view.name.lower())


def save(name: str, path: str, query: Mapping[str, Sequence[str]], by: str | None) -> SavedView:
    """Keep a view; a view of that name is replaced by whoever saved it, and refused to others."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadView(f"A view needs a name of at most {LONGEST_NAME} printable characters.")
    if len(json.dumps(dict(query))) > _LONGEST_QUERY:
        raise BadView("This view holds too much to be saved. Shorten its query.")
    made = SavedView(name, path, query, by, datetime.now(UTC).isoformat(timespec="seconds"))
    with _changing() as views:
        known = views.get(name)
        if known is not None and known.by != by:
            raise BadView(f'"{name}" was saved by {known.by or "somebody else"}. Choose another name.')
        if known is None and len(views) >= MOST:
            raise BadView(f"There are {MOST} saved views already. Delete one first.")
        views[name] = made
    return made


def delete(name: str) -> None:
    """Forget a view; one that is gone already is no error."""
    with _changing() as views:
        views.pop(name, None)


@contextmanager
def _changing() -> Iterator[dict[str, SavedView]]:
    """The views by name, written back whole: readers see the state before or the one after."""
    path = file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            views = {view.name: view for view in _read(path)}
            yield views
            beside = path.with_suffix(".new")
            beside.write_text(json.dumps([asdict(view) for view in views.values()], indent=1), encoding="utf-8")
            beside.replace(path)
    except OSError as error:
        raise BadView(f"Views cannot be kept in {path}: {error.strerror}.") from None


def _read(path: Path) -> list[SavedView]:
    try:
        return [SavedView(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise BadView(f"{path} does not hold saved views ({error}). Mend or remove it.") from None
