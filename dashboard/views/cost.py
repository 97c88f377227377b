"""Cost: what a share of solved problems costs."""

from __future__ import annotations

import streamlit as st

from dashboard import figure_block, scope
from dashboard.charts.cost import Reference, amount
from dashboard.charts.quantities import DOLLARS, FLOPS, TOKENS, TOTAL, Quantity
from dashboard.controls import Controls
from dashboard.figures.cost import Costed, Price, Way, cost_figure, costed, unit_of, ways
from dashboard.figures.drawn import Wanted
from dashboard.figures.spending import Paying
from dashboard.folded import folded
from dashboard.frame import CARD_WIDTH, card_columns, no_runs, view
from dashboard.on_sight import on_sight, table_height
from dashboard.scope import Row, Scope
from dashboard.size_control import model_sizes
from dashboard.snapshots import Reading
from dashboard.wording import NONE, count, dollars, percent, percent_with, plain, told

_QUANTITIES = {one.key: one for one in (DOLLARS, TOTAL, TOKENS, FLOPS)}
_TRIED = "prices tried out"


@view("Cost", "What does a solved problem cost, and which run gets there cheapest?")
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    rows = scope.summaries(reading)
    if not rows:
        no_runs()
        return
    chosen, _ = scope.choose_runs(controls, rows)
    if not chosen.runs:
        st.info("No run is chosen. Choose one or more above.")
        return
    unit = unit_of(chosen.runs[0]["benchmark"])
    quantity, reference = _look(controls, unit)
    paying = _paying(controls, quantity)
    tried = _tried(chosen)
    sizes = model_sizes(controls, quantity)
    made, refused = costed(reading, _wanted(chosen), quantity, tried=tried, sizes=sizes, paying=paying)
    for reason in refused:
        (st.caption if made else st.info)(told(reason))
    if not made:
        _tokens_instead(quantity)
        _prices(reading, chosen)
        return
    lattice = sorted({point.k for one in made for point in one.curve.points})
    marker = controls.step("k", lattice, min(100, lattice[-1]), label="Samples per problem, k")
    if any(one.tried for one in made):
        st.warning("What-if prices, not stored: they last for this visit and are in no link.")
    _cards(made, marker, quantity, unit)
    figure = cost_figure(made, quantity, marker, unit, reference)
    figure_block.show(figure, [_shown(row, unit) for row in figure.records], "cost")
    _cheapest(reading, made, controls, quantity, unit)
    _prices(reading, chosen)


def _wanted(chosen: Scope) -> list[Wanted]:
    return [Wanted(row, row["reference"], row["run"], chosen.slots[row["run"]]) for row in chosen.runs]


def _look(controls: Controls, unit: str) -> tuple[Quantity, Reference | None]:
    labels = {
        DOLLARS.key: f"US$ per {unit}", TOTAL.key: "US$ in all", TOKENS.key: f"Tokens per {unit}",
        FLOPS.key: f"FLOPs per {unit}",
    }  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        key = controls.segments("spent", labels, label="Spent")
        share = controls.whole(
            "reference",
            0,
            100,
            0,
            st.number_input,
            first="value",
            label="Reference line, %",
            min_value=0,
            max_value=100,
            width=150,
            help="A share to compare with, such as the best single attempt of another model; 0 draws none.",
        )
        source = ""
        if share:
            source = st.text_input(
                "Where it is from", "single-attempt best", key="reference source", max_chars=40, width=240
            )
    return _QUANTITIES[key], Reference(share / 100, source or "reference") if share else None


def _paying(controls: Controls, quantity: Quantity) -> Paying:
    """Prompts once a request or for every sample, the verifier paid for or not."""
    prompts = {"request": "once a request", "sample": "for every sample"}
    judging = {"no": "not priced", "yes": "priced"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        prompt_per = controls.segments(
            "prompt_per",
            prompts,
            label="Prompt paid",
            help="The samples of one request share its prompt. For every sample: as if each had been asked for alone.",
        )
        verifier_priced = controls.segments(
            "verifier_priced",
            judging,
            label="Verifier",
            disabled=quantity.key not in (DOLLARS.key, TOTAL.key),
            help="Priced: the recorded requests, tokens and device time of judging are paid for too. In US$ only.",
        )
    return Paying(prompt_per, verifier_priced)


def _tokens_instead(quantity: Quantity) -> None:
    if quantity.key in (DOLLARS.key, TOTAL.key):
        st.caption("Without a price the same curves can be drawn against tokens: choose it under `Spent`.")


def _cards(made: list[Costed], marker: int, quantity: Quantity, unit: str) -> None:
    money = quantity.key in (DOLLARS.key, TOTAL.key)
    name = "US$" if money else quantity.label
    st.caption(plain(f"{name} per solved {unit} at k = {marker:,}"))
    with st.grid(card_columns(len(made)), min_column_width=CARD_WIDTH):
        for one in made:
            row = next((row for row in one.rows if row["k"] == marker), None)
            point = one.curve.at(marker)
            if row is None or point is None:
                value, below = NONE, f"ends at n = {one.curve.last.k:,}"
            elif not point.value:
                value, below = NONE, f"nothing solved for {amount(point.x, quantity)}"
            else:
                each = row["usd_per_solved"] if money else point.x / point.value
                value = dollars(each) if money else quantity.text(each)
                below = f"{percent(point.value)} for {quantity.text(point.x)}"
            st.metric(
                f"{scope.mark(one.curve.slot)}{plain(one.curve.label)} at k = {marker:,}",
                value,
                below,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=_card_help(row),
            )


def _card_help(row: Row | None) -> str:
    if row is None:
        return "This run has fewer samples than that."
    if row["usd_until_solved"] is None:
        return "Reckoned from the mean tokens of a sample; the interval needs a stored price."
    until = dollars(row["usd_until_solved"])
    return (
        f"95 % interval {dollars(row['low'])} to {dollars(row['high'])}. Stopping at the first verified success within "
        f"{row['k']:,} tries costs {until} a problem on average. Price from {row['price_from']}."
    ).replace("$", "\\$")


def _cheapest(reading: Reading, made: list[Costed], controls: Controls, quantity: Quantity, unit: str) -> None:
    st.header("Cheapest way to a share", anchor=False)
    target = controls.whole(
        "target",
        1,
        100,
        50,
        st.slider,
        first="value",
        label=f"{unit.capitalize()}s to solve, %",
        min_value=1,
        max_value=100,
        width=320,
    )
    found = ways(reading, made, target / 100, quantity)
    best = found[0]
    if best.reached:
        st.markdown(
            plain(
                f"{best.run} gets to {target} % cheapest: {best.row['k']:,} samples a {unit}, "
                f"{amount(best.spent or 0.0, quantity)}."
            )
        )
    else:
        top = max(found, key=lambda way: way.row["coverage"])
        st.markdown(plain(f"No run here reaches {target} %: {top.run} gets furthest, {percent(top.row['coverage'])}."))
    table = [_way(one, quantity, unit) for one in found]
    on_sight(controls, "cheapest", table_height(len(table)), lambda: _ways(table))


def _ways(table: list[Row]) -> None:
    st.dataframe(table, hide_index=True, width="content", alt="Cheapest k of each run")


def _way(one: Way, quantity: Quantity, unit: str) -> Row:
    named = {"run": one.run}
    if not one.reached:
        last = f"not reached: {percent(one.row['coverage'])} at n = {one.row['k']:,}"
        return named | {"k": last, f"spent, {quantity.label}": NONE, f"US$ per solved {unit}": NONE}
    return named | {
        "k": count(one.row["k"]),
        f"spent, {quantity.label}": quantity.text(one.spent or 0.0),
        f"US$ per solved {unit}": dollars(one.row["usd_per_solved"]),
    }


def _tried(chosen: Scope) -> dict[str, Price]:
    """Prices the reader tries out, of the models of these runs."""
    kept: dict[str, Price] = st.session_state.get(_TRIED, {})
    return {row["model"]: kept[row["model"]] for row in chosen.runs if row["model"] in kept}


def _prices(reading: Reading, chosen: Scope) -> None:
    """The stored price of each model, and an editor of prices that last for the visit."""
    folded("Prices", "prices", lambda: _price_editor(reading, chosen))


def _price_editor(reading: Reading, chosen: Scope) -> None:
    settings = reading.ask("run_settings", run=chosen.names).records
    kept: dict[str, Price] = st.session_state.setdefault(_TRIED, {})
    table = {
        row["model"]: {
            "model": row["model"],
            "prompt, US$ per M tokens": _first(kept, row["model"], "prompt", row["input_usd_per_mtok"]),
            "completion, US$ per M tokens": _first(kept, row["model"], "completion", row["output_usd_per_mtok"]),
            "stored price from": str(row["price_from"]) if row["price_from"] else "none stored",
        }
        for row in settings
    }
    st.caption(
        "Edit a price to see what would change. Nothing is stored: `passatk price set --model MODEL --input USD "
        "--output USD --from DATE` does that."
    )
    edited = st.data_editor(
        list(table.values()),
        hide_index=True,
        width="content",
        disabled=["model", "stored price from"],
        key=f"price editor {len(kept)} {'|'.join(table)}",
    )
    left, right = st.columns([1, 4])
    if left.button("Try these prices", icon=":material/science:"):
        st.session_state[_TRIED] = kept | _changed(edited, settings)
        st.rerun()
    if kept and right.button("Back to the stored prices", type="tertiary"):
        st.session_state[_TRIED] = {}
        st.rerun()


def _first(kept: dict[str, Price], model: str, side: str, stored: float | None) -> float | None:
    return float(getattr(kept[model], side)) if model in kept else stored


def _changed(edited: list[Row], settings: list[Row]) -> dict[str, Price]:
    stored = {row["model"]: (row["input_usd_per_mtok"], row["output_usd_per_mtok"]) for row in settings}
    tried = {}
    for row in edited:
        prices = (row["prompt, US$ per M tokens"], row["completion, US$ per M tokens"])
        if None not in prices and prices != stored[row["model"]] and min(prices) >= 0:
            tried[row["model"]] = Price(*prices)
    return tried


def _shown(row: Row, unit: str) -> Row:
    return {
        "run": row["run"],
        "k": row["k"],
        f"US$ per {unit}": dollars(row["usd_per_problem"]),
        "US$ in all": dollars(row["usd_total"]),
        "solved": percent_with(row["coverage"], None, None),
        f"US$ per solved {unit}": dollars(row["usd_per_solved"]),
        "of it verifying": dollars(row["usd_verification"]),
        "US$ until solved": dollars(row["usd_until_solved"]),
        "tries until solved": f"{row['expected_attempts']:.1f}" if row["expected_attempts"] is not None else NONE,
        "prompt tokens": count(row["prompt_tokens"]),
        "completion tokens": count(row["completion_tokens"]),
        "price from": str(row["price_from"] or NONE),
    }
