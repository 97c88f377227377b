"""Who is reading this page: the proxy's headers or the login of this session, and what they may do."""

from __future__ import annotations

import streamlit as st

from dashboard import access, login
from dashboard.access import Reader
from dashboard.login import Holder
from dashboard.wording import plain


def reader() -> Reader:
    """The reader of this session; nobody once their login has ended."""
    rules = access.current()
    if rules.by == "loopback":
        return rules.reader(None)
    if rules.by == "proxy":
        return rules.of_headers(dict(st.context.headers))
    return rules.of_claims(st.user.to_dict()) if st.user.get("is_logged_in") else Reader(None, None)


def may(role: str) -> bool:
    """Whether the reader of this session has this role."""
    return reader().may(role)


def holder() -> Holder:
    """Whose it is what this session asks for."""
    return login.holder(reader(), dict(st.context.cookies))


def signed() -> None:
    """Who reads, as what, and the way out; nothing where nobody is asked who they are."""
    rules, one = access.current(), reader()
    if rules.by == "loopback" or one.name is None:
        return
    with st.sidebar:
        st.caption(f":material/person: {plain(one.name)} · {one.role or 'no role'}")
        if rules.by == "oidc":
            st.button("Log out", type="tertiary", icon=":material/logout:", on_click=st.logout)
