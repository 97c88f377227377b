"""Verifiers by name. Opening one imports only what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, signature

from store.errors import PassatkError
from workers.verifiers.protocol import Verifier

#: name -> "module:class"; the module is imported when the verifier is opened.
VERIFIERS: Mapping[str, str] = {
    "answer": "workers.verifiers.answer_match:AnswerMatch",
    "chain": "workers.verifiers.chain_check:ChainCheck",
    "generated-tests": "workers.verifiers.generated_tests:GeneratedTests",
    "stdin-tests": "workers.verifiers.stdin_tests:StdinTests",
    "unit-tests": "workers.verifiers.unit_tests:UnitTests",
    "coq": "workers.verifiers.coq_proof:CoqProof",
    "lean": "workers.verifiers.lean_proof:LeanProof",
    "judge": "workers.verifiers.model_judge:ModelJudge",
    "repository": "workers.verifiers.repository_issue:RepositoryIssue",
    "reward": "workers.verifiers.reward_model:RewardModel",
    "swebench": "workers.verifiers.swebench_harness:SwebenchHarness",
    "math": "workers.verifiers.math_answer:MathAnswer",
}

_DEFAULTS = {
    "alpacaeval": "judge",
    "codecontests": "stdin-tests",
    "gsm8k": "answer",
    "humaneval": "unit-tests",
    "humaneval+": "unit-tests",
    "jsonl": "answer",
    "livecodebench": "stdin-tests",
    "math": "math",
    "mbpp": "unit-tests",
    "mbpp+": "unit-tests",
    "minif2f": "lean",
    "parquet": "answer",
    "swebench": "repository",
}


def open_verifier(name: str, options: Mapping[str, object] | None = None) -> Verifier:
    """The verifier called `name`; `options` are its constructor's arguments.

    Raises PassatkError for an unknown name or option, naming the known ones.
    """
    factory, given = verifier_class(name), dict(options or {})
    parameters = signature(factory).parameters
    unknown = sorted(set(given) - set(parameters))
    needed = [key for key, one in parameters.items() if one.default is Parameter.empty and key not in given]
    if unknown or needed:
        wrong = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(needed)}"
        takes = ", ".join(parameters) or "none"
        raise PassatkError(f'Verifier "{name}" {wrong}; its options: {takes}. Give them as {name}:OPTION=VALUE.')
    try:
        return factory(**given)
    except TypeError as error:
        raise PassatkError(f'An option of verifier "{name}" has the wrong kind of value: {error}.') from None


def verifier_class(name: str) -> Callable[..., Verifier]:
    """The class of the verifier called `name`; its docstring's first line says what it judges. Raises PassatkError."""
    if name not in VERIFIERS:
        raise PassatkError(f"verifier {name!r} is unknown: choose among {', '.join(sorted(VERIFIERS))}")
    module, _, kind = VERIFIERS[name].partition(":")
    factory: Callable[..., Verifier] = getattr(import_module(module), kind)
    return factory


def default_verifier(benchmark_format: str) -> str:
    """The verifier that a benchmark of this format is judged by unless another is asked for. Raises PassatkError."""
    try:
        return _DEFAULTS[benchmark_format]
    except KeyError:
        known = ", ".join(sorted(_DEFAULTS))
        raise PassatkError(f"benchmark format {benchmark_format!r} is unknown: choose among {known}") from None
