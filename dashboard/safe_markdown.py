r"""A model's text as Markdown that can only be text, formulas and code. No Streamlit here.

A completion is hostile: a picture or a link in it calls home, HTML runs, a formula's \href leads away. Here every mark
that could begin one of them is escaped; what stays is emphasis, lists, tables, code and formulas. Headings stay text:
they would stand in the page's own outline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dashboard.wording import unlinked

#: `kind` of a part: prose to be read as Markdown (already safe), code with its language, or a formula on its own line.
PROSE, CODE, FORMULA = "prose", "code", "formula"

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.M | re.S)
_DISPLAY = re.compile(r"\$\$(.{1,4000}?)\$\$|\\\[(.{1,4000}?)\\\]", re.S)
_INLINE = re.compile(
    r"(?P<code>`[^`\n]+`)|\\\((?P<bracketed>[^\n]{1,1000}?)\\\)"
    r"|(?<![\\$\w])\$(?P<math>(?=\S)[^$\n]+?(?<=\S))\$(?![$\w])"
)
#: Marks of Markdown and of Streamlit that begin links, pictures, HTML, entities, directives, formulas or mentions.
_BEGIN = re.compile(r"[\[\]<>!&:@$\\`]")
_HARMLESS_CODE = re.compile(r"`[^\[\]<>!&:@$\\`]*`")
_OUTLINE = re.compile(r"^(\s{0,3})(#{1,6}(?=\s|$)|[=-]{2,}(?=\s*$)|=(?=\s*$))", re.M)
_COMMAND = re.compile(r"\\(href|url|includegraphics|html[A-Za-z]*|def|gdef|edef|xdef|let|newcommand|renewcommand)\b")


@dataclass(frozen=True)
class Part:
    """A stretch of the text: prose, code or formula."""

    kind: str
    text: str
    language: str = ""


def parts(text: str) -> Iterator[Part]:
    """The text as parts in order, each safe to be drawn by what draws its kind."""
    at = 0
    for fence in _FENCE.finditer(text):
        yield from _prose(text[at : fence.start()])
        yield Part(CODE, fence[3].rstrip("\n"), fence[2].lower())
        at = fence.end()
    yield from _prose(text[at:])


def _prose(text: str) -> Iterator[Part]:
    at = 0
    for formula in _DISPLAY.finditer(text):
        yield from _lines(text[at : formula.start()])
        yield Part(FORMULA, _formula((formula[1] or formula[2]).strip()))
        at = formula.end()
    yield from _lines(text[at:])


def _lines(text: str) -> Iterator[Part]:
    if text.strip():
        yield Part(PROSE, safe(text.strip("\n")))


def safe(text: str) -> str:
    """Prose as Markdown without links, pictures, HTML, headings or directives; its formulas and line ends kept."""
    made, at = [], 0
    for found in _INLINE.finditer(text):
        made.append(_escaped(text[at : found.start()]))
        if found["code"]:
            made.append(found[0] if _HARMLESS_CODE.fullmatch(found[0]) else _escaped(found[0]))
        else:
            made.append(f"${_formula(found['math'] or found['bracketed'])}$")
        at = found.end()
    made.append(_escaped(text[at:]))
    return re.sub(r"(?<=\S)\n(?=\S)", "  \n", "".join(made))


def _escaped(text: str) -> str:
    marked = _BEGIN.sub(lambda found: "\\" + found[0], unlinked(text))
    return _OUTLINE.sub(r"\1\\\2", re.sub(r"^ {4,}|^\t+", "   ", marked, flags=re.M))


def _formula(text: str) -> str:
    """A formula that no parser can take for Markdown and whose commands lead nowhere."""
    told = _COMMAND.sub(r"\\text{\1}", text.replace("$", r"\char36 "))
    for mark, instead in (("](", "]{}("), ("][", "]{}["), ("]:", "]{}:"), ("![", "!{}["), ("://", ":{}//")):
        told = told.replace(mark, instead)
    told = re.sub(r"\bwww\.", "www{}.", told, flags=re.I)
    return re.sub(r"<(?=[A-Za-z/!?])", r"\\lt ", told).replace("`", "'").replace("\n", " ")
