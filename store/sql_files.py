"""The queries that are files, from the package."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The text of store/sql/NAME.sql."""
    return files("store").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
