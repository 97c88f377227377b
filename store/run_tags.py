"""Words that people file runs under: they change no sample and may be changed at any time."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from store.errors import PassatkError
from store.runs import Run
from store.tables import runs

_LONGEST, _MOST = 40, 50


class BadTag(PassatkError):
    """A word that cannot be a tag."""


def checked_tags(words: Iterable[str]) -> list[str]:
    """The words without white space around them, each once. Raises BadTag."""
    found = list(dict.fromkeys(word.strip() for word in words))
    for word in found:
        if not 1 <= len(word) <= _LONGEST or not word.isprintable() or "," in word:
            raise BadTag(f'"{word}" cannot be a tag: give 1 to {_LONGEST} printable characters without a comma.')
    return found


def change_tags(connection: sa.Connection, run: Run, add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Put tags on a run, take others off; all it has then, in order. Raises BadTag, also for one that is not there."""
    query = sa.select(runs.c.tags).where(runs.c.run_id == run.run_id).with_for_update()
    held = [str(word) for word in connection.execute(query).scalar_one()]
    off = checked_tags(remove)
    missing = [word for word in off if word not in held]
    if missing:
        has = ", ".join(held) or "none"
        raise BadTag(f'Run {run.name} has no tag "{missing[0]}"; it has {has}.')
    tags = sorted({*held, *checked_tags(add)} - set(off))
    if len(tags) > _MOST:
        raise BadTag(f"Run {run.name} would have {len(tags)} tags; {_MOST} is the most.")
    connection.execute(sa.update(runs).where(runs.c.run_id == run.run_id).values(tags=tags))
    return tags
