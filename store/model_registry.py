"""Language models and what they cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from store.errors import PassatkError
from store.tables import models, prices

#: US$; above it an amount is a slip of the keyboard.
_LARGEST_PRICE = 1_000_000_000


class ModelUnknown(PassatkError):
    """No such model."""


class BadPrice(PassatkError):
    """A price that cannot be."""


@dataclass(frozen=True)
class Model:
    """A language model: the name people use, and where the engine finds it."""

    model_id: int
    name: str
    location: str
    backend: str


def parse_model(text: str) -> tuple[str, str]:
    """(name, location) of `NAME=LOCATION` or of a plain folder or hub name.

    A folder becomes an absolute path, so that workers find it from wherever they start.
    """
    name, separator, location = text.partition("=")
    location = location if separator else text
    if not name or not location:
        raise ModelUnknown(f'"{text}" names no model: give a folder, a hub name, or NAME=FOLDER.')
    folder = Path(location).expanduser()
    if folder.is_dir():
        return name.rstrip("/"), str(folder.resolve())
    if location.startswith((".", "/", "~")) or location.count("/") > 1:
        raise ModelUnknown(f"No model folder {location}: give a folder that holds config.json, or a hub name.")
    return name, location


def ensure_model(connection: sa.Connection, text: str, backend: str) -> Model:
    """The model called `text`, registered when new. A known name keeps its location unless one is given."""
    known = connection.execute(_select().where(models.c.name == text)).one_or_none()
    if known is not None:
        if known.backend == "none" and backend != "none":
            raise ModelUnknown(
                f'Model "{text}" is known from imported samples alone; draw with it under another name: NAME={text}.'
            )
        return Model(*known)
    name, location = (text, text) if backend == "none" else parse_model(text)
    statement = insert(models).values(name=name, location=location, backend=backend).on_conflict_do_nothing()
    connection.execute(statement)
    model = find_model(connection, name)
    if model.location != location:
        raise ModelUnknown(f'Model "{name}" is registered at {model.location}; give {location} another name.')
    return model


def options_of(connection: sa.Connection, model: Model) -> dict[str, Any]:
    """Options that every engine of a model is opened with."""
    return dict(connection.execute(sa.select(models.c.options).where(models.c.model_id == model.model_id)).scalar_one())


def give_options(connection: sa.Connection, model: Model, options: Mapping[str, Any]) -> None:
    """Add options for a model's engines. One that is set already, to something else, stays: samples came from it."""
    stored = options_of(connection, model)
    for name, value in options.items():
        if name in stored and stored[name] != value:
            raise ModelUnknown(
                f'Model "{model.name}" has the engine option {name}={stored[name]}, not {value}: give the model '
                f"another name, as in --model NAME={model.location}."
            )
    connection.execute(
        sa.update(models).where(models.c.model_id == model.model_id).values(options={**stored, **options})
    )


def give_adapter(connection: sa.Connection, model: Model, name: str, folder: Path | None) -> None:
    """Let a model's engines load a LoRA adapter; without a folder it must be known already. Raises ModelUnknown."""
    adapters = dict(options_of(connection, model).get("adapters", {}))
    if folder is None:
        if name not in adapters:
            known = ", ".join(adapters) or "none"
            raise ModelUnknown(f'Model "{model.name}" has no adapter "{name}" (it has {known}): give {name}=FOLDER.')
        return
    place = folder.expanduser().resolve()
    if not (place / "adapter_config.json").is_file():
        raise ModelUnknown(f'Adapter "{name}": {place} has no adapter_config.json, as PEFT writes it.')
    if adapters.setdefault(name, str(place)) != str(place):
        raise ModelUnknown(f'Model "{model.name}" has an adapter "{name}" at {adapters[name]}: give another name.')
    values = {"options": {**options_of(connection, model), "adapters": adapters}}
    connection.execute(sa.update(models).where(models.c.model_id == model.model_id).values(values))


def _select() -> sa.Select[int, str, str, str]:
    return sa.select(models.c.model_id, models.c.name, models.c.location, models.c.backend)


def find_model(connection: sa.Connection, name: str) -> Model:
    """The model called `name`."""
    row = connection.execute(_select().where(models.c.name == name)).one_or_none()
    if row is None:
        names = connection.scalars(sa.select(models.c.name).order_by(models.c.name)).all()
        raise ModelUnknown(f'No model "{name}"; ' + (f"there are: {', '.join(names)}." if names else "none is stored."))
    return Model(*row)


def set_price(
    connection: sa.Connection,
    model_name: str,
    valid_from: date,
    input_usd: Decimal,
    output_usd: Decimal,
    cached_input_usd: Decimal | None = None,
    gpu_hour_usd: Decimal | None = None,
    cache_write_usd: Decimal | None = None,
    reasoning_usd: Decimal | None = None,
    request_usd: Decimal | None = None,
    source: str | None = None,
) -> int:
    """Add a price, in US$ per million tokens (per GPU hour, per request), from a day on; returns its key.

    Nothing is overwritten: another price for the same day is a later row, which counts. The same price again is none.
    """
    model = find_model(connection, model_name)
    amounts = {
        "input_usd_per_mtok": input_usd,
        "cached_input_usd_per_mtok": cached_input_usd,
        "cache_write_usd_per_mtok": cache_write_usd,
        "output_usd_per_mtok": output_usd,
        "reasoning_usd_per_mtok": reasoning_usd,
        "gpu_hour_usd": gpu_hour_usd,
        "request_usd": request_usd,
    }
    for amount in amounts.values():
        if amount is not None and (not amount.is_finite() or not 0 <= amount <= _LARGEST_PRICE):
            raise BadPrice(f"A price of {amount} cannot be: give US$ per million tokens, 0 to {_LARGEST_PRICE:,}.")
    same_day = (prices.c.model_id == model.model_id, prices.c.valid_from == valid_from)
    latest = connection.execute(sa.select(prices).where(*same_day).order_by(prices.c.price_id.desc()).limit(1))
    row = latest.mappings().one_or_none()
    if row is not None and all(row[name] == amount for name, amount in amounts.items()):
        return int(row["price_id"])
    values = {"model_id": model.model_id, "valid_from": valid_from, "source": source}
    statement = sa.insert(prices).values(**values, **amounts)
    return int(connection.execute(statement.returning(prices.c.price_id)).scalar_one())


def list_prices(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Every price with its model's name, by model and date."""
    columns = prices.c
    query = (
        sa.select(
            models.c.name,
            columns.valid_from,
            columns.input_usd_per_mtok,
            columns.cached_input_usd_per_mtok,
            columns.output_usd_per_mtok,
            columns.gpu_hour_usd,
        )
        .join_from(prices, models)
        .order_by(models.c.name, columns.valid_from, columns.price_id)
    )
    return list(connection.execute(query))
