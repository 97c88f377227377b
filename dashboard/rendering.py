"""Charts as SVG, PNG and PDF, without a browser or a network: the specs of the pages in the theme's colours."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from store.errors import PassatkError

#: Width of a rendered chart, pixels (points in a PDF).
WIDTH = 960
FORMATS = ("svg", "png", "pdf")
#: Liberation Sans comes with the renderer, so that a PNG or PDF has text on a machine without any font.
_FONT = "Source Sans, Liberation Sans, Arial, sans-serif"
_ID, _USED = re.compile(r'\bid="([^"]+)"'), re.compile(r"url\(#([^)]+)\)")
_CONFIG = Path(__file__).with_name(".streamlit") / "config.toml"


class UnknownFormat(PassatkError):
    """A figure can be written as svg, png or pdf."""


@cache
def theme(mode: str) -> dict[str, Any]:
    """The colours of `light` or `dark`, as the pages have them."""
    found: dict[str, Any] = tomllib.loads(_CONFIG.read_text(encoding="utf-8"))["theme"][mode]
    return found


def vega_config(mode: str = "light") -> dict[str, Any]:
    """The Vega configuration that makes a rendered chart look like the one on the page."""
    colors = theme(mode)
    ink, grid = colors["textColor"], colors["borderColor"]
    return {
        "font": _FONT,
        "background": colors["backgroundColor"],
        "title": {
            "anchor": "start", "color": ink, "fontSize": 16, "fontWeight": 600, "offset": 14, "subtitleColor": ink,
        },
        "axis": {
            "labelColor": ink, "titleColor": ink, "gridColor": grid, "domain": False, "ticks": False,
            "labelFontSize": 12, "titleFontSize": 13, "titleFontWeight": "normal", "labelPadding": 10,
            "titlePadding": 14, "labelFlush": True, "labelFlushOffset": 1, "labelOverlap": True,
        },
        "text": {"color": ink},
        "range": {
            "category": colors["chartCategoricalColors"],
            "ramp": colors.get("chartSequentialColors", ["#DCE7F7", "#054AB6"]),
            "diverging": colors.get("chartDivergingColors", ["#C44E06", "#F3F5F7", "#054AB6"]),
        },
        "view": {"stroke": "transparent", "strokeWidth": 0},
        "concat": {"spacing": 24},
    }  # fmt: skip


def still(spec: dict[str, Any]) -> dict[str, Any]:
    """The spec without what only a pointer can see."""
    made = copy.deepcopy(spec)
    for part in ("layer", "concat", "hconcat", "vconcat"):
        if part in made:
            made[part] = [still(one) for one in made[part] if not _needs_pointer(one)]
    return made


def _needs_pointer(layer: dict[str, Any]) -> bool:
    if "params" in layer:
        return True
    opacity = layer.get("encoding", {}).get("opacity", {})
    return isinstance(opacity, dict) and "param" in opacity.get("condition", {})


def standing(spec: dict[str, Any], width: int = WIDTH, title: str | None = None) -> dict[str, Any]:
    """A spec that stands on its own: with a width, and a title where one is wanted."""
    made = still(spec) | {"$schema": "https://vega.github.io/schema/vega-lite/v6.json"}
    if not any(part in made for part in ("concat", "hconcat", "vconcat")):
        fixed = made.get("autosize", {}).get("type") == "none"  # its width holds the padding
        made.setdefault("width", width if fixed else width - 120)
    if title and "title" not in made:
        made["title"] = title
        if isinstance(made.get("padding"), dict):
            made["padding"] = made["padding"] | {"top": made["padding"]["top"] + 34}
            made["height"] = made["height"] + 34
    return made


def rendered(
    spec: dict[str, Any], kind: str, mode: str = "light", width: int = WIDTH, title: str | None = None
) -> bytes:
    """The chart as a file's bytes; `kind` is svg, png or pdf."""
    import vl_convert  # its engine takes a third of a second to load: only when something is rendered

    whole = json.dumps(standing(spec, width, title))
    options: dict[str, Any] = {"vl_version": "6.1", "config": vega_config(mode), "allowed_base_urls": []}
    if kind == "svg":
        return _steady(str(vl_convert.vegalite_to_svg(whole, **options))).encode()
    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(whole, scale=2, **options))
    if kind == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(whole, **options))
    raise UnknownFormat(f"A figure is written as {', '.join(FORMATS)}, not {kind}: name the file accordingly.")


def _steady(svg: str) -> str:
    """The picture with its ids numbered anew: the renderer counts them on from one picture to the next."""
    known = {name: f"part{place}" for place, name in enumerate(dict.fromkeys(_ID.findall(svg)))}
    renamed = _ID.sub(lambda found: f'id="{known[found.group(1)]}"', svg)
    return _USED.sub(lambda found: f"url(#{known.get(found.group(1), found.group(1))})", renamed)
