"""The widgets of a page whose values live in its address: read from a link, kept between pages, written back.

Precedence of a value: the address the reader came by, what they chose on this page, what they chose on another page,
the page's own default. The address is written when the reader changes something, never by merely opening a page, so
that the browser's Back works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

import streamlit as st

from dashboard.links import Link, Value, written

Option = TypeVar("Option", str, int)

_KEPT = "kept values"
_VISIT = "visit"


class Controls:
    """One run of one page. Every widget made here is part of the page's link."""

    def __init__(self, page: str, snapshot_id: str) -> None:
        self.page = page
        self.snapshot_id = snapshot_id
        self.values: dict[str, Value] = {}
        self._names: list[str] = []
        self._address = {name: st.query_params.get_all(name) for name in st.query_params}
        known: dict[str, Any] | None = st.session_state.get(_VISIT)
        self._came = known is None or known["page"] != page
        if known is None or self._came:
            known = {"page": page, "address": self._address, "shown": None, "first": {}, "seen": set()}
            st.session_state[_VISIT] = known
        self._visit = known
        #: Parts of the page that came into sight while the reader was on it.
        self.seen: set[str] = known["seen"]
        self._moved = self._address != known["address"]  # Back, Forward, or an edited address
        known["address"] = self._address
        self.link = Link(self._address if self._came or self._moved else {})

    def one(
        self,
        name: str,
        options: Sequence[str],
        default: str,
        widget: Callable[..., Any],
        called: str = "",
        **looks: Any,
    ) -> str:
        """A choice of one of `options`, made with `widget` (a Streamlit function that takes options and key).

        `called` is its name in the address where that differs from the name it is kept by.
        """
        asked = self.link.one(called or name, options)
        st.session_state[_key(name)] = self._value(name, asked, lambda value: value in options, default)
        value = widget(options=options, key=_key(name), **looks)
        return str(self._keep(name, value if value is not None else default, called=called))

    def segments(self, name: str, options: Mapping[str, str], **looks: Any) -> str:
        """A choice of one of a few, side by side: value -> what it is called. The first is taken at first."""
        return self.one(
            name,
            list(options),
            next(iter(options)),
            st.segmented_control,
            required=True,
            format_func=options.__getitem__,
            **looks,
        )

    @staticmethod
    def choose(name: str, value: str | int | None) -> None:
        """Set a choice from a callback, before the page is run again."""
        st.session_state[_key(name)] = value

    def many(self, name: str, options: Sequence[str], default: Sequence[str], **looks: Any) -> list[str]:
        """A choice of any number of `options`."""

        def known(value: Any) -> bool:
            return isinstance(value, list) and all(one in options for one in value)

        st.session_state[_key(name)] = self._value(name, self.link.many(name, options), known, list(default))
        value = st.multiselect(options=options, key=_key(name), **looks)
        self._keep(name, list(value))
        return list(value)

    def step(self, name: str, options: Sequence[int], default: int, **looks: Any) -> int:
        """A choice of one of some numbers in order, on a slider; a number between two of them takes the nearest."""
        asked = self.link.number(name, options[0], options[-1])
        wanted = self._value(name, asked, lambda value: isinstance(value, int), default)
        st.session_state[_key(name)] = min(options, key=lambda option: abs(option - wanted))
        value = options[0] if len(options) == 1 else st.select_slider(options=options, key=_key(name), **looks)
        return int(self._keep(name, value))

    def whole(self, name: str, low: int, high: int, default: int, widget: Callable[..., Any], **looks: Any) -> int:
        """A whole number in [low, high], made with `widget` (a Streamlit function that takes key and a first value).

        `looks` names the parameter of that first value: `first="default"`.
        """
        asked = self.link.number(name, low, high)
        value = self._value(name, asked, lambda value: isinstance(value, int) and low <= value <= high, default)
        kept = st.session_state.get(_key(name))
        if asked is not None or self._moved or (kept is not None and not low <= kept <= high):
            st.session_state.pop(_key(name), None)
        return int(self._keep(name, widget(key=_key(name), **{looks.pop("first"): value}, **looks)))

    def flag(self, name: str, default: bool, **looks: Any) -> bool:
        """A toggle; on and off in the address."""
        asked = self.link.one(name, ("on", "off"))
        given = None if asked is None else asked == "on"
        st.session_state[_key(name)] = self._value(name, given, lambda value: isinstance(value, bool), default)
        chosen = bool(st.toggle(key=_key(name), **looks))
        self._keep(name, "on" if chosen else "off", kept=chosen)
        return chosen

    def text(self, name: str, **looks: Any) -> str:
        """Any text; empty when nothing is asked."""
        asked = self.link.text(name)
        st.session_state[_key(name)] = self._value(name, asked, lambda value: isinstance(value, str), "")
        return str(self._keep(name, str(st.text_input(key=_key(name), **looks)).strip()))

    def decimal(self, name: str, **looks: Any) -> float | None:
        """A number or nothing, in a box that can be emptied."""
        asked, key = self.link.decimal(name), _key(name)
        known: dict[str, Any] = st.session_state.get(_KEPT, {})
        kept = st.session_state[key] if key in st.session_state else known.get(name)
        if asked is not None or name in self.link.asked:
            kept = asked
        elif self._moved and name in self._visit["first"]:
            kept = self._visit["first"][name]
        st.session_state[key] = kept if isinstance(kept, float) else None
        value: float | None = st.number_input(key=key, value=None, **looks)
        self._keep(name, "" if value is None else f"{value:.12g}", kept=value)
        return value

    def held(self, name: str, none: str, known: Callable[[str], bool], meaning: str) -> str:
        """A choice without a widget of its own, made by `choose` or by a link; `none` where there is none.

        `known` says whether a value can be used, `meaning` what it would have to be.
        """
        asked = self.link.text(name)
        if asked is not None and asked != none and not known(asked):
            self.link.ignored.append(f'{name} "{asked[:60]}", which is not {meaning}')
            asked = None
        value = self._value(name, asked, lambda value: value == none or known(value), none)
        st.session_state[_key(name)] = value
        return str(self._keep(name, value))

    @classmethod
    def chip(cls, name: str, none: str, label: str, told: str) -> None:
        """What such a choice holds, as a button that takes it away again."""
        icon = ":material/close:"
        st.button(label, key=f"clear {name}", icon=icon, help=told, on_click=cls.choose, args=(name, none))

    def _value(self, name: str, asked: Any, known: Callable[[Any], bool], default: Any) -> Any:
        if asked is not None:
            return asked
        if self._moved and name in self._visit["first"]:
            return self._visit["first"][name]  # back to what an address without it showed
        for value in (st.session_state.get(_key(name)), st.session_state.get(_KEPT, {}).get(name)):
            if value is not None and known(value):
                return value
        return default

    def _keep(self, name: str, value: Any, kept: Any = None, called: str = "") -> Any:
        self.values[called or name] = value
        st.session_state.setdefault(_KEPT, {})[name] = value if kept is None else kept
        self._names.append(name)
        return value

    def finish(self) -> None:
        """Write the address when the reader changed something since they came."""
        self.link.text("snapshot")
        parts = written(self.values | {"snapshot": self.snapshot_id})
        shown, self._visit["shown"] = self._visit["shown"], parts
        if shown is None:
            self._visit["first"] = {name: st.session_state[_KEPT][name] for name in self._names}
        elif parts != shown and not self._moved:
            self._visit["address"] = parts
            st.query_params.from_dict(parts)

    @property
    def path(self) -> str:
        """The page's own part of the address."""
        return "overview" if self.page == "Overview" else self.page.lower().split()[-1]

    def parameters(self) -> dict[str, list[str]]:
        """Every choice on the page as parameters of an address, without the snapshot."""
        return written(self.values)

    def permalink(self) -> str:
        """The address of exactly this view."""
        base = (st.context.url or "").split("?")[0]
        return f"{base}?{urlencode(written(self.values | {'snapshot': self.snapshot_id}), doseq=True)}"


def kept_runs() -> list[str]:
    """The runs the reader last drew together on any page."""
    return list(st.session_state.get(_KEPT, {}).get("run") or [])


def choose_for_next_page(**values: Any) -> None:
    """Values that the page opened next takes over."""
    st.session_state.setdefault(_KEPT, {}).update(values)
    for name in values:
        st.session_state.pop(_key(name), None)


def _key(name: str) -> str:
    return f"control {name}"
