"""The final answer of a mathematical solution, and one spelling for it.

Markers are those of MATH (`\\boxed{...}`), Minerva (`The final answer is ...`, arXiv 2206.14858, appendix D) and GSM8K
(`#### ...`). The normal form drops what carries no meaning (spacing, `\\left`, `\\dfrac` for `\\frac`, units, commas of
thousands); whether two normal forms mean the same is another module's question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Where an answer is looked for, in this order; the first style that finds its marker decides.
STYLES = ("boxed", "final_answer", "hash", "answer_is")
#: Longest answer that is read, in characters: what is longer is no answer.
LONGEST_ANSWER = 500

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_MARKERS = {
    "final_answer": re.compile(r"final answer is[: \t*]*([^\n]*)", re.IGNORECASE),
    "hash": re.compile(r"####[ \t]*([^\n]*)"),
    "answer_is": re.compile(r"\banswer(?: is|:)[: \t*]*([^\n]*)", re.IGNORECASE),
}
_HOPE = re.compile(r"\.?\s*I hope it is correct\b.*", re.IGNORECASE)
_SENTENCE_END = re.compile(r"\.(?:\s.*)?$")
_MATH = re.compile(r"\$\$?(.+?)\$\$?|\\\((.+?)\\\)|\\\[(.+?)\\\]")
_NUMBER_WITH_COMMAS = re.compile(r"-?\d{1,3}(?:(?:,|\{,\})\d{3})+(?:\.\d+)?")
_SPACING = re.compile(r"(?<!\\)\\(?:[,;:! ]|q?quad\b|left\b\.?|right\b\.?|displaystyle\b|limits\b)|~")
_NAMED = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf|operatorname\*?)\s*\{([^{}]*)\}")
_WHOLE_TEXT = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf)\s*\{([^{}]*)\}")
_UNIT = re.compile(
    r"(?<=[\d})])\s*\\(?:text|mbox|textrm|mathrm)\s*\{\s*(?!and\b|or\b|if\b)[A-Za-z. /]+\s*\}(?:\s*\^\s*\{?[23]\}?)?$"
)
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|\\degree\b|°")
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)")
_SHORT_FRACTION_IN = re.compile(r"\\frac\s*(\d)\s*\{")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\d|[a-z])(?![a-z])")
_LONE_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_TRAILING_ZEROS = re.compile(r"(\.\d*?)0+(?!\d)")
_SPELLINGS = (
    ("\\dfrac", "\\frac"),
    ("\\tfrac", "\\frac"),
    ("\\cfrac", "\\frac"),
    ("\\leq", "\\le"),
    ("\\geq", "\\ge"),
    ("\\neq", "\\ne"),
    ("\\lbrace", "\\{"),
    ("\\rbrace", "\\}"),
    ("−", "-"),
    ("–", "-"),
    ("×", "\\times"),
    ("π", "\\pi"),
    ("√", "\\sqrt"),
    ("∞", "\\infty"),
    ("\\$", ""),
    ("$", ""),
)


def extract_answer(text: str, styles: Sequence[str] = STYLES) -> str | None:
    """The normal form of a solution's final answer; None where it has none, or one beyond LONGEST_ANSWER."""
    for style in styles:
        found, marked = _boxed(text) if style == "boxed" else _after_marker(text, _MARKERS[style])
        if marked:
            return None if found is None else normalise_answer(found)
    return None


def reference_answer(text: str) -> str | None:
    """The normal form of a reference, given bare or as a whole solution that ends in a box or in `#### n`."""
    if _BOX.search(text) or "####" in text:
        return extract_answer(text, ("boxed", "hash"))
    return normalise_answer(text)


def _boxed(text: str) -> tuple[str | None, bool]:
    """What the last box holds; None where its braces do not close (the solution was cut off in it)."""
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None, False
    rest = text[boxes[-1].end() :]
    if not rest.startswith("{"):
        bare = re.match(r"[^\s$]+", rest)
        return (bare[0].rstrip(".,") if bare else None), True
    return _braced(rest), True


def _braced(text: str) -> str | None:
    """The inside of the group that `text` begins with; an escaped brace is a character."""
    depth = at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[1:at]
        at += 1
    return None


def _after_marker(text: str, marker: re.Pattern[str]) -> tuple[str | None, bool]:
    """What follows the marker's last occurrence: a formula where one follows at once, else the sentence's rest."""
    found: list[str] = marker.findall(text)
    if not found:
        return None, False
    rest = _HOPE.sub("", found[-1]).strip().strip("*").strip()
    formula = _MATH.match(rest)
    if formula is not None:
        return next(group for group in formula.groups() if group is not None), True
    return _SENTENCE_END.sub("", rest), True


def normalise_answer(text: str) -> str | None:
    """One spelling of an answer; None for nothing, or for more than LONGEST_ANSWER characters."""
    if len(text) > 4 * LONGEST_ANSWER:
        return None
    answer = text.strip()
    formula = _MATH.fullmatch(answer)
    if formula is not None:
        answer = next(group for group in formula.groups() if group is not None).strip()
    answer = _DEGREES.sub("", answer)
    for written, meant in _SPELLINGS:
        answer = answer.replace(written, meant)
    whole = _WHOLE_TEXT.fullmatch(answer)
    if whole is not None:
        return _bounded(" ".join(whole[1].split()))
    answer = _SPACING.sub(" ", _UNIT.sub("", answer))
    answer = _NAMED.sub(r"\\text{\1}", answer)
    answer = _in_full(" ".join(answer.split()).rstrip(".,; "))
    return _bounded(answer)


def _in_full(answer: str) -> str:
    """Short forms written out: `\\frac12`, `\\sqrt2`, `.5`, `1,000`, `5.0`."""
    answer = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", answer)
    answer = _SHORT_FRACTION_IN.sub(r"\\frac{\1}{", answer)
    answer = _SHORT_ROOT.sub(r"\\sqrt{\1}", answer)
    if _NUMBER_WITH_COMMAS.fullmatch(answer):
        answer = answer.replace("{,}", "").replace(",", "")
    answer = re.sub(r"(?<![\d.])\.(?=\d)", "0.", answer)
    answer = _TRAILING_ZEROS.sub(r"\1", answer)
    answer = re.sub(r"(?<=\d)\.(?!\d)", "", answer)
    answer = _LONE_ZEROS.sub("", answer)
    return answer if "\\text" in answer else _without_spaces(answer)


def _without_spaces(answer: str) -> str:
    """Spaces go where they part nothing: not between words, nor a command from the letter behind it."""
    answer = re.sub(r"(?<![A-Za-z]) | (?![A-Za-z])", "", answer)
    return re.sub(r"(?<=[0-9]) (?=[A-Za-z])", "", answer)


def _bounded(answer: str) -> str | None:
    return answer if 0 < len(answer) <= LONGEST_ANSWER else None
