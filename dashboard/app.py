"""The dashboard's server: `streamlit run dashboard/app.py`."""

from pathlib import Path

import streamlit as st

from dashboard.exports import routes
from dashboard.preload import preloading
from dashboard.security import headers
from dashboard.warm import warmed

app = st.App(
    Path(__file__).with_name("shell.py"), middleware=[*headers(), preloading()], routes=routes(), lifespan=warmed
)
