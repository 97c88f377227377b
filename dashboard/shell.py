"""The script Streamlit runs for every reader: navigation around the pages."""

from pathlib import Path

import streamlit as st

from dashboard.navigation import sections

# A picture of our own: an icon by name would be fetched from the internet.
st.set_page_config(page_title="passatk", page_icon=str(Path(__file__).with_name("favicon.png")), layout="wide")
st.logo(str(Path(__file__).with_name("favicon.png")), size="large")
# Streamlit writes these in the primary colour, which on dark is too faint for small text (4.5:1 is asked).
st.html(
    "<style>[data-testid='stSliderThumbValue'], [data-testid='stBaseButton-segmented_controlActive'], "
    "[data-testid='stBaseButton-pillsActive'] { color: inherit !important }</style>"
)
st.navigation(sections(), expanded=True).run()
