"""What came of a query: a grid, a quick chart, whole downloads, or an error with its place."""

from __future__ import annotations

import streamlit as st

from dashboard import exports
from dashboard.charts import quick
from dashboard.queries import Kept
from dashboard.snapshots import Reading
from dashboard.wording import plain, plural

_NOTHING = "none"


def draw_result(reading: Reading, kept: Kept | None) -> None:
    """The last result of this session."""
    if kept is None:
        st.info("Results appear here. Ctrl+Enter runs the query.")
        return
    if kept.table is None:
        if kept.error.startswith("Stopped"):
            st.error("The query ran and was stopped before it had an answer.")
            st.caption("Ask about fewer rows, or of the tallies: `problem_counts` holds n and c of every problem.")
        else:
            st.error("The query did not run.")
        st.code(kept.error, language=None, wrap_lines=True)
        return
    if kept.plan is not None:
        st.caption("The plan, from the bottom up. Nothing was run.")
        st.code(kept.plan, language=None)
        return
    _line(reading, kept)
    if not kept.table.num_rows:
        st.info("The query ran and returned no row.")
        return
    st.dataframe(kept.table, hide_index=True, placeholder="null", alt="Result of the query", key="sql table")
    _downloads(kept)
    _quick_chart(kept)


def _line(reading: Reading, kept: Kept) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{plural(kept.rows, 'row')} in {1000 * kept.seconds:,.0f} ms", width="content")
        if kept.cut:
            st.badge(plain(kept.cut), icon=":material/content_cut:", color="orange", help="A download holds every row.")
        if kept.snapshot_id != reading.id:
            st.badge(
                "from another snapshot",
                icon=":material/schedule:",
                color="gray",
                help=f"These rows are of snapshot {kept.snapshot_id}; the page shows {reading.id}.",
            )


def _downloads(kept: Kept) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for kind, name in (("csv", "CSV"), ("parquet", "Parquet")):
            st.link_button(
                f"Download {name}",
                exports.address(kept.ticket, kind),
                icon=":material/download:",
                help=f"The whole answer, run again on the newest snapshot and streamed as {name}.",
            )


def _quick_chart(kept: Kept) -> None:
    table = kept.table
    assert table is not None
    heights = quick.numbers(table)
    if not heights or table.num_columns < 2:
        return
    # Drawn once it is open: a chart that nobody sees has no width, and the browser's console complains of that.
    folded = st.expander("Quick chart", icon=":material/insert_chart:", key="quick chart open", on_change="rerun")
    if not folded.open:
        return
    with folded:
        left, middle, right = st.columns(3)
        with left:
            x = st.selectbox("x", table.column_names, key="quick x")
        with middle:
            y = st.selectbox("y", heights, index=len(heights) - 1, key="quick y")
        with right:
            others = [_NOTHING, *(name for name in table.column_names if name not in (x, y))]
            colour = st.selectbox("Colour", others, key="quick colour")
        st.vega_lite_chart(
            spec=quick.quick_spec(table, x, y, None if colour == _NOTHING else colour),
            width="stretch",
            key="quick chart",
            alt=f"{y} over {x}",
        )
        if table.num_rows > quick.MOST_ROWS:
            st.caption(f"The first {quick.MOST_ROWS:,} of {plural(table.num_rows, 'row')} are drawn.")
