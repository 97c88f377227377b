"""Catalogued queries: one .sql file a concept, its header saying what it answers and what it takes.

What several share stands once in `sql/parts`: a line `-- include: NAME` stands for the lines of `sql/parts/NAME.sql`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from store.analytics.errors import UnknownQuery
from store.analytics.literals import Value, literal

_HEADER = re.compile(r"^-- (?P<field>title|question|grain|source|parameter|column)(?: (?P<name>\w+))?(?P<rest>.*)$")
_PARAMETER = re.compile(r"^ \((?P<kind>[^,)]+)(?:, default (?P<default>[^)]+))?\): (?P<text>.+)$")
_COLUMN = re.compile(r"^(?: \[(?P<unit>[^\]]+)\])?: (?P<text>.+)$")
_PLACE = re.compile(r"\$(\w+)")
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One parameter; without a default it is required.

    kind is text(s), integer(s), integer list (its order counts), number(s), or alternatives parted by |.
    """

    name: str
    kind: str
    default: str | None
    text: str

    @property
    def required(self) -> bool:
        return self.default is None


@dataclass(frozen=True)
class Column:
    """One column of the answer."""

    name: str
    unit: str | None
    text: str


@dataclass(frozen=True)
class CatalogueEntry:
    """A query by name: what it answers, one row stands for what (grain), and the text of its SQL."""

    name: str
    title: str
    question: str
    grain: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    source: str
    sql: str

    def filled(self, values: Mapping[str, Value]) -> str:
        """The SQL with every $place filled with a literal: text that runs as it stands, in psql too."""
        return _PLACE.sub(lambda place: literal(values[place.group(1)]), self.sql)


@cache
def catalogue() -> dict[str, CatalogueEntry]:
    """Every catalogued query by name."""
    folder = files("store.analytics").joinpath("sql")
    found = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return {
        name.removesuffix(".sql"): parse_concept(
            name.removesuffix(".sql"), folder.joinpath(name).read_text(encoding="utf-8")
        )
        for name in found
    }


def concept(name: str) -> CatalogueEntry:
    """The query of this name; raises UnknownQuery naming the known ones."""
    found = catalogue().get(name)
    if found is None:
        raise UnknownQuery(f'No query "{name}"; there are: {", ".join(catalogue())}.')
    return found


def parse_concept(name: str, text: str) -> CatalogueEntry:
    """Read a concept file; raises ValueError where its header is not one, or includes what is not there."""
    header: dict[str, str] = {}
    parameters: list[Parameter] = []
    columns: list[Column] = []
    lines = _INCLUDE.sub(lambda line: _part(name, line.group(1)), text).splitlines()
    count = next((place for place, line in enumerate(lines) if not line.startswith("--")), len(lines))
    for line in lines[:count]:
        match = _HEADER.match(line)
        if match is None:
            raise ValueError(f"{name}.sql: not a header line: {line}")
        field, rest = match["field"], match["rest"]
        if field == "parameter":
            parameters.append(_parameter(name, match["name"], rest))
        elif field == "column":
            columns.append(_column(name, match["name"], rest))
        else:
            header[field] = rest.removeprefix(": ").strip()
    missing = {"title", "question", "grain", "source"} - header.keys()
    if missing or not columns:
        raise ValueError(f"{name}.sql: the header lacks {', '.join(sorted(missing)) or 'columns'}")
    sql = "\n".join(lines[count:]).strip()
    return CatalogueEntry(name, **header, parameters=tuple(parameters), columns=tuple(columns), sql=sql)


def _part(query: str, name: str) -> str:
    file = files("store.analytics").joinpath("sql", "parts", f"{name}.sql")
    if not file.is_file():
        raise ValueError(f"{query}.sql: there is no part {name} to include")
    return file.read_text(encoding="utf-8").rstrip("\n")


def _parameter(query: str, name: str, rest: str) -> Parameter:
    match = _PARAMETER.match(rest)
    if match is None:
        raise ValueError(f"{query}.sql: parameter {name} is not `NAME (KIND, default VALUE): text`")
    return Parameter(name, match["kind"], match["default"], match["text"])


def _column(query: str, name: str, rest: str) -> Column:
    match = _COLUMN.match(rest)
    if match is None:
        raise ValueError(f"{query}.sql: column {name} is not `NAME [unit]: text`")
    return Column(name, match["unit"], match["text"])
