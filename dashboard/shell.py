"""The script Streamlit runs for every reader: navigation around the pages."""

from pathlib import Path

import streamlit as st

from dashboard import readers
from dashboard.navigation import sections

# A picture of our own: an icon by name would be fetched from the internet. An SVG travels within the page.
_ICON = str(Path(__file__).with_name("favicon.svg"))
st.set_page_config(page_title="passatk", page_icon=_ICON, layout="wide")
st.logo(_ICON, size="large")
# Streamlit writes these in colours that are too faint for small text on one of the two grounds (4.5:1 is asked): what
# is highlighted in code keeps its hue, mixed with the text's own colour, which is dark on light and light on dark.
_HUES = {
    "keyword, .token.selector, .token.important": "#1c83e1",
    "string, .token.char, .token.regex, .token.attr-value": "#158237",
    "number, .token.boolean, .token.constant, .token.symbol": "#c26a00",
    "function, .token.class-name, .token.builtin, .token.decorator, .token.tag": "#7d44cf",
    "comment, .token.prolog, .token.deleted, .token.inserted": "#808080",
}
st.html(
    "<style>[data-testid='stSliderThumbValue'], button[data-variant][data-selected='true'], .token.parameter, "
    ".token.variable, .token.property, .token.attr-name, .token.operator, .token.punctuation "
    "{ color: inherit !important } "
    + " ".join(
        f".token.{names} {{ color: color-mix(in srgb, currentColor 45%, {hue}) !important }}"
        for names, hue in _HUES.items()
    )
    # Side by side the tables stand left of the SQL editor, which comes first for the keyboard and on a phone.
    + " @media (min-width: 641px) { .st-key-workbench > [data-testid='stLayoutWrapper'] > "
    "[data-testid='stHorizontalBlock'] { flex-direction: row-reverse } } "
    # On a phone choices that stand side by side take a second line instead of ending at the edge.
    "[data-testid='stMetricLabel'] *, [data-testid='stMetricDelta'] * { white-space: normal !important } "
    "@media (max-width: 640px) { [data-testid='stButtonGroup'] > [role='radiogroup'] { flex-wrap: wrap } }</style>"
)
chosen = st.navigation(sections(), expanded=True)
readers.signed()
chosen.run()
