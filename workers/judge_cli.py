"""`passatk judge`: one candidate, the path that workers use, its verdict as JSON. Needs no store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from store.errors import PassatkError
from workers.environment import environment_of
from workers.errors import VerifierBroken
from workers.options import verifier_with, without_sandbox
from workers.problem_files import read_problem
from workers.verification import VERIFIER_TRIES, judge_or_undecided
from workers.verifiers import open_verifier
from workers.verifiers.in_sandbox import clean
from workers.verifiers.protocol import Judgement, Outcome, Problem, Verifier


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verifier", "name", required=True, help="Which verifier judges.")
@click.option("--problem", "problem_file", type=click.Path(path_type=Path), required=True, help="One JSON object.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Passed to the verifier. Repeatable.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Run programs without a sandbox; every verdict says so.")
def judge(file: Path, name: str, problem_file: Path, options: tuple[str, ...], unsafe_no_sandbox: bool) -> None:
    """Judge the candidate in FILE (a model's raw output) and print its verdict as one JSON object.

    The problem is a JSON object in the benchmark's format: our own, or a record of HumanEval, MBPP, EvalPlus,
    CodeContests, LiveCodeBench, GSM8K as published. Exit status 0 whenever a verdict was reached.
    """
    problem = read_problem(problem_file)
    text = _text(file)
    if unsafe_no_sandbox:
        without_sandbox()
    verifier = open_verifier(*verifier_with(name, options))
    try:
        judgement = _judgement(verifier, problem, text)
        click.echo(json.dumps(_shown(verifier, judgement), ensure_ascii=True))
    finally:
        verifier.close()


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise PassatkError(f"{file}: cannot be read ({error.strerror}).") from None


def _judgement(verifier: Verifier, problem: Problem, text: str) -> Judgement:
    """As a batch's tries: a broken verifier is asked again before the verdict ends undecided."""
    for _ in range(VERIFIER_TRIES - 1):
        judgement = judge_or_undecided(verifier, problem, text)
        if judgement.outcome is not Outcome.UNDECIDED:
            return judgement
    return judge_or_undecided(verifier, problem, text)


def _shown(verifier: Verifier, judgement: Judgement) -> Mapping[str, Any]:
    try:
        environment = environment_of(verifier)
    except VerifierBroken:
        environment = None
    shown: dict[str, Any] = {
        "outcome": judgement.outcome.value,
        "reason": None if judgement.reason is None else judgement.reason.value,
        "answer": judgement.answer,
        "answer_class": judgement.answer_class,
        "score": judgement.score,
        "seconds": judgement.seconds,
        "weak": judgement.weak,
        "detail": None if judgement.detail is None else dict(judgement.detail),
        "verifier": verifier.name,
        "version": verifier.version,
        "tier": None if environment is None else environment.tier,
        "environment": None if environment is None else dict(environment.detail),
    }
    if judgement.tests:
        shown["tests"] = [
            {"test": test.test_id, "outcome": test.outcome.value, "reason": test.reason and test.reason.value}
            for test in judgement.tests
        ]
    if judgement.steps is not None:
        shown["steps"] = list(judgement.steps)
    return dict(clean(shown))
