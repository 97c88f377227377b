"""Which problem of a benchmark a foreign record is about; and benchmarks made of the problems that a file carries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path

import sqlalchemy as sa

from store.benchmark_formats import BadFile, ProblemRecord, storable
from store.benchmarks import Benchmark, find_benchmark
from store.fingerprint import combined, fingerprint
from store.importers.records import ImportedGroup, ProblemName
from store.problem_tags import tags_of
from store.tables import benchmarks, problems


class KnownProblems:
    """The problems of a stored benchmark, found by text, by key, or (where a file has neither) by position."""

    def __init__(self, connection: sa.Connection, benchmark: Benchmark) -> None:
        self.benchmark = benchmark
        columns = problems.c
        query = sa.select(columns.problem_id, columns.key, columns.prompt, columns.position)
        rows = connection.execute(query.where(columns.benchmark_id == benchmark.benchmark_id)).all()
        self._by_key: dict[str, int] = {row.key: row.problem_id for row in rows}
        self._by_position: dict[int, int] = {row.position: row.problem_id for row in rows}
        self._by_text: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            self._by_text[row.prompt.strip()].append(row.problem_id)
        self.keys: dict[int, str] = {row.problem_id: row.key for row in rows}

    def find(self, group: ImportedGroup) -> int:
        """The key of the group's problem. Raises BadFile when the benchmark has no such problem, or several."""
        name = group.problem
        by_text = self._by_texts(name)
        by_key = next((self._by_key[key] for key in name.keys if key in self._by_key), None)
        if by_key is not None and (by_key in by_text or len(by_text) != 1):
            return by_key
        by_position = self._by_position.get(name.position) if name.position is not None and not name.keys else None
        if len(by_text) == 1:
            return by_text[0]
        if by_position is not None and (by_position in by_text or not name.texts):
            return by_position
        if by_text:
            raise BadFile(f'{group.place}: several problems have this prompt; say which one as "task_id".')
        raise BadFile(
            f"{group.place}: benchmark {self.benchmark.label} has no {name}; import the benchmark these samples are of."
        )

    def _by_texts(self, name: ProblemName) -> list[int]:
        return next((found for text in name.texts if (found := self._by_text.get(text.strip()))), [])

    def finish(self, connection: sa.Connection) -> Benchmark:
        """Nothing is left to do: the benchmark is as it was."""
        return self.benchmark


class NewProblems:
    """A benchmark that comes to be of the problems a file carries, in the order they are met.

    With `connection` None nothing is stored: keys are counted up, as a dry run needs them.
    """

    def __init__(self, connection: sa.Connection | None, name: str, format_name: str, path: Path) -> None:
        self._connection = connection
        self._records: dict[str, int] = {}
        self._hashes: list[str] = []
        self.keys: dict[int, str] = {}
        self.benchmark = Benchmark(0, name, 1, 0, format_name)
        if connection is not None:
            # The hash and the count are known when the last problem was read: they are set before anybody sees them.
            values = {"name": name, "version": 1, "content_hash": "", "format": format_name, "source": str(path)}
            statement = sa.insert(benchmarks).values(**values, problem_count=1).returning(benchmarks.c.benchmark_id)
            self.benchmark = replace(self.benchmark, benchmark_id=connection.execute(statement).scalar_one())

    def find(self, group: ImportedGroup) -> int:
        """The key of the group's problem, stored when it is met first. Raises BadFile when the file lacks its text."""
        key = _key_of(group, len(self._records))
        if key in self._records:
            return self._records[key]
        if group.record is None:
            raise BadFile(
                f"{group.place}: the file does not carry {group.problem} itself; import its benchmark with "
                "`passatk benchmark import` and name it with --benchmark."
            )
        record = _storable(replace(group.record, key=key), group.place)
        self._records[key] = self._stored(record)
        self.keys[self._records[key]] = key
        self._hashes.append(fingerprint(asdict(record)))
        return self._records[key]

    def _stored(self, record: ProblemRecord) -> int:
        position = len(self._records)
        if self._connection is None:
            return position
        values = {"benchmark_id": self.benchmark.benchmark_id, "position": position, **asdict(record)}
        values["tags"] = tags_of(record.metadata)
        statement = sa.insert(problems).values(values).returning(problems.c.problem_id)
        return int(self._connection.execute(statement).scalar_one())

    def finish(self, connection: sa.Connection) -> Benchmark:
        """The benchmark with its hash and count, which are known now."""
        self.benchmark = replace(self.benchmark, problem_count=len(self._records))
        values = {"content_hash": combined(self._hashes), "problem_count": len(self._records)}
        chosen = benchmarks.c.benchmark_id == self.benchmark.benchmark_id
        connection.execute(sa.update(benchmarks).where(chosen).values(values))
        return self.benchmark


def _key_of(group: ImportedGroup, met: int) -> str:
    name = group.problem
    if name.keys:
        return name.keys[0]
    if name.position is not None:
        return str(name.position)
    return f"text-{fingerprint(name.texts[0].strip())[:16]}" if name.texts else str(met)


def _storable(record: ProblemRecord, place: str) -> ProblemRecord:
    for name in ("key", "prompt", "reference_answer", "tests"):
        storable(getattr(record, name) or "", place, name)
    if not record.prompt:
        raise BadFile(f'{place}: the text of problem "{record.key}" is empty.')
    return record


def problems_for(
    connection: sa.Connection, name: str, format_name: str, path: Path, *, carried: bool, dry: bool
) -> KnownProblems | NewProblems:
    """The stored benchmark of that name, or a new one where none is and the file carries its problems."""
    # Two imports that make one benchmark at once: the second waits and finds it.
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(name))))
    bare = name.partition("@")[0]
    stored = connection.execute(sa.select(benchmarks.c.benchmark_id).where(benchmarks.c.name == bare).limit(1)).first()
    if stored is None and carried and "@" not in name and name.strip():
        return NewProblems(None if dry else connection, name, format_name, path)
    return KnownProblems(connection, find_benchmark(connection, name))
