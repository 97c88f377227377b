"""A model's text, rendered, is text, formulas and code: nothing in it can lead or call anywhere."""

from __future__ import annotations

import re

import pytest

from dashboard.safe_markdown import CODE, FORMULA, PROSE, parts, safe

HOSTILE = (
    "![picture](https://evil.example/beacon.png)",
    "[link](javascript:alert(1))",
    "<img src='https://evil.example/pixel.png'>",
    "<https://evil.example>",
    "https://evil.example and www.evil.example and a@evil.example",
    "[ref][1]\n\n[1]: https://evil.example",
    "`a` ![x](https://evil.example) `b`",
    "$x$![x](https://evil.example)$y$",
    "$a](https://evil.example)$ ![",
    "``![x](https://evil.example)``",
    "`unclosed ![x](https://evil.example)",
    ":red[x] :material/home: &lt;script&gt;",
    "\\![x](https://evil.example)",
    "\\[link](https://evil.example)",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_link_picture_html_or_directive_is_left(text: str) -> None:
    made = "\n".join(part.text for part in parts(text) if part.kind == PROSE)
    bare = re.sub(r"\\[^\w\s]", "", made)  # what an escape stands for is text
    assert not re.search(r"\]\(|!\[|\]\[|\]:|<|:\w+\[|&\w+;", bare), made
    # Bare addresses become links after escapes are resolved: these are the patterns of that step.
    read = re.sub(r"\\([^\w\s])", r"\1", made)
    assert not re.search(r"(https?://|www(?=\.))[-.\w]+|[-.\w+]+@[-\w]+(\.[-\w]+)+", read, re.I), made


def test_formulas_are_kept_and_lead_nowhere() -> None:
    assert safe(r"The \(x^2\) and $a_1 < b$ cost $5.") == r"The $x^2$ and $a_1 < b$ cost \$5."
    (display,) = parts(r"$$\frac{1}{2}$$")
    assert (display.kind, display.text) == (FORMULA, r"\frac{1}{2}")
    assert "href" not in safe(r"$\href{https://evil.example}{x}$").replace(r"\text{href}", "")
    assert ":{}//" in safe(r"$\href{https://evil.example}{x}$")


def test_code_is_code_and_its_language_is_known() -> None:
    first, code, last = parts("Here:\n```python\nprint(a[0])\n```\ndone")
    assert (first.kind, code.kind, last.kind) == (PROSE, CODE, PROSE)
    assert (code.text, code.language) == ("print(a[0])", "python")
    (open_fence,) = parts("```\n<b>never closed")
    assert open_fence.kind == CODE


def test_headings_do_not_stand_in_the_outline_of_the_page() -> None:
    assert safe("#### 7") == r"\#### 7"
    assert safe("Title\n===") == "Title  \n\\==="
    assert safe("- one\n- two") == "- one  \n- two"
