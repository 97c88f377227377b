"""How numbers, times and sizes are written: one way on every page, chart and card."""

from __future__ import annotations

import math
import re
from datetime import datetime

#: What stands where there is no number.
NONE = "—"
#: Places inside an address, a host or a mailbox where a character that cannot be seen takes its meaning away.
_ADDRESS = re.compile(r"(?<=://)|(?<=\bwww)(?=\.)|(?<=@)(?=[-\w]+\.[-\w])", re.IGNORECASE)
_MARKS = frozenset("\\`*_{}[]()<>#+-.!|:$~@&")


def clock(at: datetime) -> str:
    r"""The time of a day in Markdown, `14\:02\:33`: for what stands between two colons Streamlit loads its emoji."""
    return f"{at:%H\\:%M\\:%S}"


def percent(share: float | None) -> str:
    """A share of 1 with one decimal. Never rounded to all or nothing: `100 %` and `0 %` mean exactly that."""
    if share is None or math.isnan(share):
        return NONE
    if 0 < share < 0.0005:
        return "<0.1 %"
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return "100 %" if share >= 1 else "0 %" if share <= 0 else f"{100 * share:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """Both ends of an interval of shares, in percent."""
    if low is None or high is None:
        return NONE
    return f"{100 * low:.1f}–{100 * high:.1f}"


def percent_with(share: float | None, low: float | None, high: float | None) -> str:
    """A share and its interval: `84.8 % (79.1–90.2)`."""
    if share is None or low is None or high is None:
        return percent(share)
    return f"{percent(share)} ({interval(low, high)})"


def dollars(amount: float | None) -> str:
    """US$ with three significant digits, at least cents above a dollar."""
    if amount is None or math.isnan(amount):
        return NONE
    if math.isinf(amount):
        return "∞"
    if amount == 0:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    digits = min(12, 2 - math.floor(math.log10(amount)))
    return f"${amount:.{digits}f}"


def count(number: float | None) -> str:
    """A whole number with thousands separators."""
    return NONE if number is None else f"{round(number):,}"


def short_count(number: float) -> str:
    """A number for a tile: 8,200 as `8,200`, 1,050,000 as `1.05 M`."""
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def short_number(number: float) -> str:
    """An amount with three significant digits and a unit: `164`, `20.6k`, `1.05 M`."""
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, "k")):
        if number >= size:
            return f"{number / (1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def duration(seconds: float) -> str:
    """A length of time in its largest whole unit: `45 s`, `4 min`, `2 h 10 min`, `3 d 4 h`."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = round(whole / 60), whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    return f"{hours} h {whole % 3600 // 60} min" if days < 1 else f"{days} d {whole % 86400 // 3600} h"


def tick(k: int) -> str:
    """An axis label for a number of samples: 1, 10, 100, 1k, 10k."""
    return f"{k // 1000}k" if k >= 1000 and k % 1000 == 0 else str(k)


def points(share: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * share:.1f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 problem`, `82 problems`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit."""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now" if seconds < 10 else f"{seconds} s ago"


def plain(text: str) -> str:
    """Text for a label that Streamlit reads as Markdown: every mark of Markdown stands for itself."""
    return "".join(f"\\{one}" if one in _MARKS else " " if one in "\r\n" else one for one in unlinked(text))


def told(text: str) -> str:
    """A sentence for a label that Streamlit reads as Markdown: what stands between `backticks` is code, to be copied;
    every other mark stands for itself. Where the backticks are no pairs, those too.
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return plain(text)
    return "".join(
        f"`{' '.join(unlinked(part).split())}`" if place % 2 and part.strip() else plain(part)
        for place, part in enumerate(parts)
    )


def unlinked(text: str) -> str:
    """Text in which nothing looks like an address: Markdown makes links of bare ones, escaped or not."""
    return _ADDRESS.sub("\N{WORD JOINER}", text)


def size(characters: int) -> str:
    """A length of text: `812 kB`."""
    return f"{characters:,} characters" if characters < 10_000 else f"{characters / 1000:,.0f} kB"
