"""Workers: who is at work, what waits, which runs are under way, and how fast the last hour was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard import acting, figure_block, live, readers, under_way
from dashboard.charts.activity import latency_spec, queue_depth_spec, throughput_spec
from dashboard.controls import Controls
from dashboard.frame import view
from dashboard.freshness import live_is_on
from dashboard.snapshots import Reading
from dashboard.wording import NONE, plain, told

#: After so long without an interaction a page stops looking by itself, seconds.
_LIVE_SECONDS = 30 * 60
_STARTED = "workers page live since"
#: A heartbeat older than this is pointed out, and than that is alarming, seconds.
_LATE, _GONE = 30, 120
_LIGHTS = {"up": "green", "late": "orange", "silent": "red", "stopped": "gray"}
_RATE_HELP = "Samples and verdicts a second, by the minute since it started. A minute without a report counts as none."
_MEMORY_HELP = "Resident, its processes included, as it said within the last minute."


def store_now(controls: Controls) -> None:
    """All of the page: none of it is of a snapshot."""
    may_live = live_is_on()
    on = controls.flag("live", may_live, label="Live", help=f"Looks again every {live.EVERY:.0f} s.")
    now = datetime.now(UTC)
    began = st.session_state.setdefault(_STARTED, now)
    if not on:
        st.session_state[_STARTED] = now
    elif (now - began).total_seconds() > _LIVE_SECONDS:
        on = False
        st.caption("Paused after 30 minutes without a click. Turn Live off and on to go on.")
    st.fragment(_now, run_every=live.EVERY if on and may_live else None)()
    _actions(controls)


@view("Workers", "Who is at work, what waits, and how fast? Read from the store now, not from the snapshot.", store_now)
def page(reading: Reading, controls: Controls) -> None:
    """The page."""
    del reading
    store_now(controls)


def _now() -> None:
    state, error = live.latest()
    if error:
        st.error(f"The store is not reachable. {told(error)}")
    if state is None:
        return
    if error:
        st.caption(f"Showing what was heard at {state['at'][11:19]} UTC.")
    _tiles(state)
    _workers(state["workers"], {one["worker"]: one["per_second"] for one in state["rates"]})
    _runs(state["runs"])
    _queues(state["queues"])
    _hour(state)


def _tiles(state: dict[str, Any]) -> None:
    up = [one for one in state["workers"] if one["state"] == "running"]
    minute = state["minutes"][-2] if len(state["minutes"]) > 1 else {}
    oldest = max((one["oldest_seconds"] or 0 for one in state["queues"]), default=0)
    tiles = {
        "Workers up": f"{len(up)}",
        "Samples/s": f"{sum(one['samples_per_second'] for one in up):,.1f}",
        "Tokens/s": f"{(minute.get('tokens') or 0) / 60:,.0f}",
        "Verdicts/s": f"{sum(one['verdicts_per_second'] for one in up):,.1f}",
        "Batches waiting": f"{sum(one['ready'] for one in state['queues']):,}",
        "Oldest waits": f"{oldest:,.0f} s",
        "Failures, last hour": f"{sum(one['failures'] or 0 for one in state['minutes']):,}",
    }
    with st.grid(len(tiles), min_column_width=110):
        for label, value in tiles.items():
            st.metric(label, value)


def _workers(workers: list[dict[str, Any]], rates: dict[str, list[float | None]]) -> None:
    st.header("Workers", anchor=False)
    if not workers:
        st.info("No worker was seen in the last hour. Start one that draws and one that judges:")
        st.code("passatk worker generate --model MODEL\npassatk worker verify", language="bash")
        return
    now = datetime.now(UTC)
    rows = [
        {
            "state": [_light(one, now)],
            "worker": one["name"],
            "takes from": one["queues"],
            "device": one["device"],
            "samples/s": round(one["samples_per_second"], 1),
            "verdicts/s": round(one["verdicts_per_second"], 1),
            "last 30 min": [rate or 0.0 for rate in rates.get(one["name"], [])],
            "memory": one["memory_bytes"],
            "failures/min": one["failures"],
            "holds batch": one["batch_id"],
            "seen": f"{_age(one, now):,.0f} s ago",
            "version": one["version"],
            "last error": plain((one["error"] or "")[:200]),
        }
        for one in workers
    ]
    looks = {
        "state": st.column_config.MultiselectColumn(options=list(_LIGHTS), color=list(_LIGHTS.values()), pinned=True),
        "last 30 min": st.column_config.LineChartColumn(help=_RATE_HELP, y_min=0),
        "samples/s": st.column_config.NumberColumn(format="localized"),
        "verdicts/s": st.column_config.NumberColumn(format="localized"),
        "memory": st.column_config.NumberColumn(format="bytes", help=_MEMORY_HELP),
    }
    st.dataframe(
        rows,
        hide_index=True,
        placeholder=NONE,
        alt="Workers",
        key="workers table",
        width="stretch",
        column_config=looks,
    )


def _age(worker: dict[str, Any], now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(worker["seen_at"])).total_seconds())


def _light(worker: dict[str, Any], now: datetime) -> str:
    """A word, not only a colour: what a heartbeat's age says."""
    if worker["state"] == "stopped":
        return "stopped"
    age = _age(worker, now)
    return "up" if age < _LATE else "late" if age < _GONE else "silent"


def _runs(runs: list[dict[str, Any]]) -> None:
    st.header("Runs under way", anchor=False)
    if not runs:
        st.info("No run has work left or was written to in the last hour.")
        return
    under_way.table(runs, "live runs")


def _queues(queues: list[dict[str, Any]]) -> None:
    if queues:
        st.header("Queues", anchor=False)
        rows = [
            {
                "queue": one["queue"],
                "waiting": one["ready"],
                "in work": one["leased"],
                "oldest waits, s": one["oldest_seconds"],
            }
            for one in queues
        ]
        st.dataframe(rows, hide_index=True, width="content", alt="Queues", key="live queues")


def _hour(state: dict[str, Any]) -> None:
    minutes, depths = state["minutes"], state["depths"]
    over = minutes[:-1]  # the minute that runs would look like a fall
    charts = {
        title: throughput_spec(over, name, title)
        for name, title in (("samples", "Samples/s"), ("verdicts", "Verdicts/s"))
        if any(one[name] for one in over)
    }
    if state["latency"]:
        charts["Seconds to a verdict"] = latency_spec(state["latency"], minutes)
    if depths:
        charts["Batches waiting"] = queue_depth_spec(depths)
    if not charts:
        st.caption("No worker has reported anything in the last hour, so there is nothing to draw.")
        return
    st.header("The last hour", anchor=False)
    with st.grid(2, min_column_width=300):
        for title, spec in charts.items():
            with st.container(gap="xsmall"):
                st.caption(title)
                figure_block.draw(spec, f"hour {title}", f"{title}, last hour")


_COMMANDS = {
    "Pause": ("run", "pause", "Batches in work are finished; nothing more is taken until it is resumed."),
    "Resume": ("run", "resume", "Its waiting batches are sent again."),
    "Retry what was set aside": ("run", "failed", "Every batch that was set aside gets all its tries again."),
    "Cancel": ("run", "cancel", "What waits is dropped; what is stored stays."),
}


def _actions(controls: Controls) -> None:
    """Actions for operators; everybody else sees the command to ask for."""
    state, _ = live.latest()
    runs = [one["run"] for one in (state or {}).get("runs", [])]
    if not runs:
        return
    st.header("Act on a run", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        run = controls.one("acted run", runs, runs[0], st.selectbox, called="run", label="Run", width=320)
        action = controls.one("action", [*_COMMANDS], "Pause", st.selectbox, label="Action", width=280)
        words = _words(action, run)
        if readers.may("operator") and st.button(f"{action} …", key="act"):
            acting.confirm(f"{action}: {run}", _COMMANDS[action][2], words)
    acting.said()
    st.caption("On the command line:" if readers.may("operator") else "For operators, on the command line:")
    st.code(acting.command_line(words), language="bash")


def _words(action: str, run: str) -> tuple[str, ...]:
    group, verb, _ = _COMMANDS[action]
    return (group, verb, run, "--retry") if verb == "failed" else (group, verb, run)
