"""Who is reading this page: the proxy's headers or the login of this session, and what they may do."""

from __future__ import annotations

import streamlit as st

from dashboard import access
from dashboard.access import Reader


def reader() -> Reader:
    """The reader of this session."""
    rules = access.current()
    if rules.by == "loopback":
        return rules.reader(None)
    if rules.by == "proxy":
        return rules.of_headers(dict(st.context.headers))
    if not st.user.is_logged_in:
        return Reader(None, None)
    groups: object = st.user.get("groups") or []
    return rules.reader(_text("email") or _text("sub"), groups if isinstance(groups, list) else [str(groups)])


def _text(claim: str) -> str | None:
    value = st.user.get(claim)
    return value if isinstance(value, str) and value else None


def may(role: str) -> bool:
    """Whether the reader of this session has this role."""
    return reader().may(role)
