"""Prices: a history that is only ever added to."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from store.connection import transaction
from store.model_registry import BadPrice, ModelUnknown, ensure_model, list_prices, set_price

JANUARY, JUNE = date(2026, 1, 1), date(2026, 6, 1)


@pytest.fixture(autouse=True)
def _models(workshop: Any) -> None:
    with transaction() as connection:
        ensure_model(connection, "tiny", "vllm")
        ensure_model(connection, "big", "vllm")


def _set(model: str, day: date, *amounts: str | None) -> int:
    with transaction() as connection:
        return set_price(connection, model, day, *(None if one is None else Decimal(one) for one in amounts))


def _rows() -> list[tuple[Any, ...]]:
    with transaction() as connection:
        return [tuple(row) for row in list_prices(connection)]


def test_history_by_model_and_date() -> None:
    _set("tiny", JUNE, "0.2", "0.4")
    _set("tiny", JANUARY, "0.1", "0.3", "0.05", "2.50")
    _set("big", JANUARY, "1", "2")
    assert _rows() == [
        ("big", JANUARY, Decimal(1), None, Decimal(2), None),
        ("tiny", JANUARY, Decimal("0.1"), Decimal("0.05"), Decimal("0.3"), Decimal("2.50")),
        ("tiny", JUNE, Decimal("0.2"), None, Decimal("0.4"), None),
    ]


def test_the_same_price_twice_is_one_row() -> None:
    first = _set("tiny", JANUARY, "0.10", "0.3", None, "2.5")
    assert _set("tiny", JANUARY, "0.1", "0.300", None, "2.5") == first
    assert len(_rows()) == 1


def test_another_price_for_the_same_day_is_a_later_row() -> None:
    keys = [_set("tiny", JANUARY, amount, "1") for amount in ("0.1", "0.2", "0.1")]
    assert keys == sorted(set(keys))
    assert [row[2] for row in _rows()] == [Decimal("0.1"), Decimal("0.2"), Decimal("0.1")]


def test_a_price_of_nothing_can_be() -> None:
    _set("tiny", JANUARY, "0", "0", "0", "0")
    assert len(_rows()) == 1


@pytest.mark.parametrize("amount", ["-0.01", "NaN", "Infinity", "-Infinity", "1e999999"])
@pytest.mark.parametrize("place", range(4))
def test_prices_that_cannot_be(amount: str, place: int) -> None:
    amounts: list[str | None] = ["1", "1", "1", "1"]
    amounts[place] = amount
    with pytest.raises(BadPrice, match="cannot be: give US"):
        _set("tiny", JANUARY, *amounts)
    assert _rows() == []


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelUnknown, match='No model "huge"; there are: big, tiny'):
        _set("huge", JANUARY, "1", "1")


def test_every_class_of_token_may_have_its_price(workshop: Any) -> None:
    with transaction() as connection:
        set_price(
            connection,
            "tiny",
            JANUARY,
            Decimal(1),
            Decimal(2),
            cache_write_usd=Decimal("1.25"),
            reasoning_usd=Decimal(3),
            request_usd=Decimal("0.01"),
            source="price list of 2026",
        )
    query = "SELECT cache_write_usd_per_mtok, reasoning_usd_per_mtok, request_usd, source FROM store.prices"
    assert workshop.rows(query) == [(Decimal("1.25"), Decimal(3), Decimal("0.01"), "price list of 2026")]
