"""From a completion to the text of a proof, for any proof assistant."""

from __future__ import annotations

import re

_FENCE = re.compile(
    r"```[ \t]*(?:coq|rocq|lean4?|v)?[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE
)
_KEYWORDS = (
    "Theorem|Lemma|Definition|Corollary|Fact|Remark|Proposition|Property|Example|Fixpoint|Axiom|Parameter|"
    "theorem|lemma|def|axiom|abbrev"
)
_LONGEST = 1 << 20


def proof_text(completion: str, name: str, statement: str, end: str) -> str | None:
    """The file that is checked: the completion's fenced block (or all of it).

    Where it does not state the theorem `name` itself it continues `statement`, and gets the `end` it lacks. None where
    there is nothing, or more than a megabyte.
    """
    blocks: list[str] = _FENCE.findall(completion)
    states = re.compile(rf"(?<![\w.'])(?:{_KEYWORDS})\s+{re.escape(name)}(?![\w'])")
    text = next((block for block in blocks if states.search(block)), blocks[0] if blocks else completion)
    if not text.strip() or len(text) > _LONGEST:
        return None
    text = text.replace("\x00", "")
    if states.search(text):
        return text
    if statement.endswith(" by"):  # the prompt ended there; a completion that says it again is not meant twice
        text = re.sub(r"^\s*by\b", "", text)
    finished = not end or re.search(r"\b(?:Qed|Defined|Admitted|Abort|Save)\b", text)
    return f"{statement}\n{text}" + ("" if finished else f"\n{end}")
