"""The script Streamlit runs for every reader: navigation around the pages."""

from pathlib import Path

import streamlit as st

from dashboard.navigation import sections

# A picture of our own: an icon by name would be fetched from the internet.
st.set_page_config(page_title="passatk", page_icon=str(Path(__file__).with_name("favicon.png")), layout="wide")
st.logo(str(Path(__file__).with_name("favicon.png")), size="large")
# Streamlit writes these in colours that are too faint for small text on one of the two grounds (4.5:1 is asked).
st.html(
    "<style>[data-testid='stSliderThumbValue'], button[data-variant][data-selected='true'], "
    ".token.parameter, .token.variable, .token.property, .token.attr-name { color: inherit !important }</style>"
)
st.navigation(sections(), expanded=True).run()
