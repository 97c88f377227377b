"""The paper's sampling settings, by benchmark, as data. Examples come from a training split that the user gives.

Source: "Large Language Monkeys" (arXiv 2407.21787), its appendix and the commands of its released code. Where both
differ from each other, the paper counts and `note` says so. No text of any benchmark is in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from store.errors import PassatkError


class PresetUnknown(PassatkError):
    """No such preset."""


@dataclass(frozen=True)
class Preset:
    """Settings of a run. `few_shot` are settings of `store.prompting`; `shots` of them come from a file.

    `max_tokens` None: the paper does not say, and the usual limit of a run holds.
    """

    benchmark_format: str
    problems: int
    samples: int
    temperature: float
    top_p: float = 1.0
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    prompt_template: str = "{prompt}"
    few_shot: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def run_options(self) -> dict[str, Any]:
        """The values of `run create`'s options, by name; what the preset leaves open is absent."""
        values: dict[str, Any] = {
            "samples": self.samples,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop) or None,
            "prompt_template": self.prompt_template,
        }
        return {name: value for name, value in values.items() if value is not None}


def _examples(shots: int, choice: str, template: str) -> dict[str, Any]:
    return {"shots": shots, "choice": choice, "seed": 0, "template": template, "separator": "\n\n", "as": "text"}


PRESETS: Mapping[str, Preset] = {
    "monkeys/gsm8k": Preset(
        "gsm8k",
        problems=128,
        samples=10_000,
        temperature=0.6,
        max_tokens=512,
        stop=("Q:", "Question:"),
        prompt_template="Question: {prompt}\nAnswer:",
        few_shot=_examples(5, "random", "{prompt} {answer}"),
        note="128 problems drawn from the test split; examples drawn anew for each problem",
    ),
    "monkeys/math": Preset(
        "math",
        problems=128,
        samples=10_000,
        temperature=0.6,
        max_tokens=512,
        stop=("Problem:",),
        prompt_template="Problem:\n{prompt}\n\nSolution:",
        few_shot=_examples(5, "fixed", "{prompt} {answer}"),
        note="128 problems drawn from the test split; the paper says 5 fixed examples, its released prompt has 4",
    ),
    "monkeys/minif2f-math": Preset(
        "minif2f",
        problems=130,
        samples=10_000,
        temperature=0.5,
        max_tokens=200,
        stop=("Write a lean4",),
        prompt_template="Write a lean4 proof of this theorem:\n{prompt}",
        few_shot=_examples(5, "fixed", "{prompt}{answer}"),
        note="the 130 problems with mathd in their name; the paper checked tactic by tactic, 10 s each",
    ),
    "monkeys/codecontests": Preset(
        "codecontests",
        problems=140,
        samples=10_000,
        temperature=0.6,
        top_p=0.95,
        max_tokens=1024,
        stop=("Q:", "Question:"),
        prompt_template=(
            "Q: Write a Python program for this problem. It reads from standard input, writes to standard output, "
            "keeps to the limits and stands in one code block fenced by ```.\n{prompt}\nA:"
        ),
        few_shot=_examples(2, "random", "{prompt}\n```\n{answer}\n```"),
        note="the 140 problems of the test split without images; examples are Python 3 solutions",
    ),
    "monkeys/swebench-lite": Preset(
        "swebench",
        problems=300,
        samples=250,
        temperature=1.6,
        note="drawn by an agent framework in the paper (Moatless Tools); 266 problems without the flaky ones",
    ),
}


def find_preset(name: str) -> Preset:
    """The preset of that name. Raises PresetUnknown, naming the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise PresetUnknown(f'No preset "{name}": choose among {", ".join(PRESETS)}.') from None
