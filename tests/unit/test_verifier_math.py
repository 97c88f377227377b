"""Answers of mathematics: found, spelt one way, compared by meaning, and never able to hang or fool the judge."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from workers.verifiers import open_verifier
from workers.verifiers.math_answer import MathAnswer
from workers.verifiers.math_extraction import extract_answer, normalise_answer, reference_answer
from workers.verifiers.protocol import Outcome, Problem, Reason


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathAnswer]:
    opened = MathAnswer(cpu_seconds=1.0)
    yield opened
    opened.close()


def _judge(verifier: MathAnswer, reference: str, *completions: str) -> list[tuple[Outcome, Reason | None]]:
    problem = Problem("p", "How much?", reference)
    return [(one.outcome, one.reason) for one in verifier.judge(problem, completions)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed 7.", "7"),
        (r"\fbox{\{1, 2\}}", r"\{1,2\}"),
        (r"cut off in \boxed{\frac{1}{", None),
        (r"\boxed{}", None),
        ("Final Answer: The final answer is $3x$. I hope it is correct.", "3x"),
        ("the final answer is 12.5 dollars. Done.", "12.5dollars"),
        ("#### 1,080", "1080"),
        ("**The answer is:** \\(x=3\\), as said.", "x=3"),
        ("The answer is \\(x=3\\), as said.", "x=3"),
        ("no marker at all, 42", None),
        (r"#### 3 but \boxed{4}", "4"),
        ("\\boxed{" + "1" * 501 + "}", None),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\left( 1,\, 2 \right)", "(1,2)"),
        (r"$\$10{,}080.00$", "10080"),
        (".50", "0.5"),
        ("007", "7"),
        ("100", "100"),
        (r"90^\circ", "90"),
        (r"5\text{ cm}^2", "5"),
        (r"\text{ Evelyn }", "Evelyn"),
        (r"\mathrm{even}", "even"),
        (r"3 \pi x", r"3\pi x"),
        (r"\sqrt2", r"\sqrt{2}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        ("(1,234)", "(1,234)"),
        ("  ", None),
    ],
)
def test_one_spelling(written: str, normal: str | None) -> None:
    assert normalise_answer(written) == normal
    if normal is not None:
        assert normalise_answer(normal) == normal


def test_the_reference_may_be_a_whole_solution() -> None:
    assert reference_answer(r"Thus $x=\boxed{\frac14}$.") == r"\frac{1}{4}"
    assert reference_answer("2+2=4\n#### 4") == "4"
    assert reference_answer("12") == "12"


@pytest.mark.parametrize(
    ("reference", "right", "wrong"),
    [
        (r"\frac{1}{2}", ["0.5", "1/2", "2^{-1}", r"\dfrac{2}{4}"], ["0.51", r"\frac{1}{3}", "2", "-0.5"]),
        ("x^2+2x+1", ["(x+1)^2", "(1+x)(x+1)"], ["x^2+2x", "(x-1)^2", "(y+1)^2"]),
        (r"11\sqrt{2}", [r"\sqrt{242}", r"11 \sqrt 2"], [r"11\sqrt{3}", r"\sqrt{24}"]),
        (r"(3,\frac{\pi}{2})", [r"\left(3, \pi/2\right)"], [r"(3,\pi)", r"(\frac{\pi}{2},3)"]),
        ("1,2,3", ["3,2,1", r"\{1,2,3\}"], ["1,2", "1,2,4"]),
        ("[-2,7]", [r"-2 \le x \le 7", r"\left[-2, 7\right]"], ["(-2,7)", "[-2,8]"]),
        (r"\text{Evelyn}", ["Evelyn"], [r"\text{Bob}"]),
        (
            r"\begin{pmatrix}1\\2\end{pmatrix}",
            [r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"],
            [r"\begin{pmatrix}2\\1\end{pmatrix}"],
        ),
        ("5", ["x = 5", r"\frac{10}{2}", "5.0"], ["4.9999", "5.0001", "50", "x=4"]),
        ("1+2i", ["2i+1"], ["1-2i"]),
    ],
)
def test_meaning_decides(verifier: MathAnswer, reference: str, right: list[str], wrong: list[str]) -> None:
    assert _judge(verifier, reference, *(rf"\boxed{{{a}}}" for a in right)) == [(Outcome.CORRECT, None)] * len(right)
    assert {outcome for outcome, _ in _judge(verifier, reference, *(rf"\boxed{{{a}}}" for a in wrong))} == {
        Outcome.INCORRECT
    }


@pytest.mark.parametrize("tower", ["9^{9^{9^{9}}}", "(((99!)!)!)!"])
def test_what_never_ends_costs_its_limit_and_nothing_else(verifier: MathAnswer, tower: str) -> None:
    [found, after] = _judge(verifier, "5", rf"\boxed{{{tower}}}", r"\boxed{\frac{10}{2}}")
    assert found == (Outcome.INCORRECT, Reason.CPU_TIME)
    assert after == (Outcome.CORRECT, None)


@pytest.mark.parametrize(
    "hostile",
    [
        "{" * 240 + "1" + "}" * 240,
        r"\frac{\frac{1}{",
        "__import__('os').abort()",
        r"\left( \right] \over ^ _ &",
        "\x00\ud800",
    ],
)
def test_what_cannot_be_read_is_no_answer(verifier: MathAnswer, hostile: str) -> None:
    [found] = _judge(verifier, "5", rf"\boxed{{{hostile}}}")
    assert found[0] is Outcome.INCORRECT
    assert found[1] in (Reason.NO_ANSWER, Reason.WRONG_ANSWER)


def test_without_a_reference_nothing_is_decided(verifier: MathAnswer) -> None:
    [one] = verifier.judge(Problem("p", "?"), [r"\boxed{1}"])
    assert one.outcome is Outcome.UNDECIDED


def test_a_reference_that_hangs_is_the_problems_fault(verifier: MathAnswer) -> None:
    assert _judge(verifier, "9^{9^{9^{9}}}", r"\boxed{1}") == [(Outcome.UNDECIDED, Reason.VERIFIER_ERROR)]


def test_it_works_off_the_main_thread(verifier: MathAnswer) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend(_judge(verifier, "1/3", r"\boxed{\frac{2}{6}}")))
    thread.start()
    thread.join()
    assert found == [(Outcome.CORRECT, None)]


def test_the_same_verdicts_and_classes_every_time() -> None:
    answers = ["0.5", "2", r"\sqrt{4}", r"\frac{6}{3}", "x+1", "1+x", r"\text{blue}", "3"]
    problem = Problem("p", "?", r"\frac{1}{2}")
    seen = []
    for _ in range(2):
        verifier = MathAnswer()
        seen.append(
            (
                [one.outcome for one in verifier.judge(problem, [rf"\boxed{{{a}}}" for a in answers])],
                verifier.classes(problem, answers, {}),
            )
        )
        verifier.close()
    assert seen[0] == seen[1]
    assert seen[0][1] == {
        "0.5": r"\frac{1}{2}",
        "2": "2",
        r"\sqrt{4}": "2",
        r"\frac{6}{3}": "2",
        "x+1": "x+1",
        "1+x": "x+1",
        r"\text{blue}": r"\text{blue}",
        "3": "3",
    }


def test_classes_that_are_known_stay(verifier: MathAnswer) -> None:
    problem = Problem("p", "?", "7")
    found = verifier.classes(problem, ["2.0", "4/2"], {"6/3": "6/3", "2": "6/3"})
    assert found == {"2.0": "6/3", "4/2": "6/3"}


def test_it_is_opened_by_name() -> None:
    verifier = open_verifier("math", {"styles": ["boxed"]})
    assert verifier.version.startswith("1+math-verify")
    assert [one.reason for one in verifier.judge(Problem("p", "?", "4"), ["#### 4"])] == [Reason.NO_ANSWER]
    verifier.close()
