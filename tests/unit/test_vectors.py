"""Every worked vector of a file of statistics, dispatched on its "stat" to the public function that answers it.

PASSATK_VECTORS names the file; without it the shared one is taken when it is there. A statistic unknown here fails, as
does an input that its call does not take. An expected null must come out as None: never a number, never an error.
"""

import ast
import json
import math
import operator
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store.analytics import statistics as st
from store.errors import PassatkError

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("PASSATK_SHARED_DATA", REPOSITORY / "../shared/data"))
VECTORS = Path(os.environ.get("PASSATK_VECTORS", SHARED / "statistics_vectors.json"))


def load_vectors() -> list[dict[str, Any]]:
    if not VECTORS.exists() and "PASSATK_VECTORS" not in os.environ:
        return []
    return json.loads(VECTORS.read_text())["vectors"]


# --- Inputs written as formulas: "(i*7919) mod 10007", "exp(-2.5*k^-0.3)", "sum_{l<=200} l^-1.1" ---

OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "max": np.maximum,
    "min": np.minimum,
    "round": np.round,
    "floor": np.floor,
    "exp": np.exp,
    "log": np.log,
    "ln": np.log,
    "sqrt": np.sqrt,
    "abs": np.abs,
}


def formula(text: str, names: Mapping[str, Any]) -> Any:
    """Value of an arithmetic formula over named numbers or arrays; anything but arithmetic is refused."""

    def summed(found: re.Match[str]) -> str:
        index, last, term = found.group(1), int(found.group(2)), found.group(3)
        return f"({float(np.sum(formula(term, {index: np.arange(1.0, last + 1)})))!r})"

    text = re.sub(r"sum_\{(\w)<=(\d+)\}\s*(\w\^-?[\d.]+)", summed, text)
    text = re.sub(r"\bmod\b", "%", text).replace("^", "**")

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body=body):
                return value(body)
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return names[name]
            case ast.BinOp(left=left, op=op, right=right):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return OPERATORS[type(op)](value(operand))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return OPERATORS[type(op)](value(left), value(right))
            case ast.Call(func=ast.Name(id=name), args=args):
                return FUNCTIONS[name](*(value(arg) for arg in args))
        raise ValueError(f"not an arithmetic formula: {ast.dump(node)}")

    return value(ast.parse(text.strip(), mode="eval"))


def indexed_formula(text: str) -> np.ndarray:
    """'s_i=(i*7919) mod 10007, i=0..9999' as the array of its values (remarks after the range are ignored)."""
    found = re.fullmatch(r"\w+_(\w)\s*=\s*(.+?),\s*\1\s*=\s*(\d+)\.\.(\d+)\b.*", text)
    assert found, f"cannot read the formula {text!r}"
    name, body, first, last = found.groups()
    index = np.arange(int(first), int(last) + 1)
    return np.broadcast_to(formula(body, {name: index}), index.shape)


def numbers(given: Any, size: int | None = None) -> Any:
    """A list as it is, a formula as its values; '1 if CONDITION' or a number over i = 0..size-1 as zeros and ones."""
    if not isinstance(given, str):
        return given
    if given.isdecimal():
        assert size is not None
        return np.full(size, int(given))
    if given.startswith("1 if "):
        assert size is not None
        condition = given.removeprefix("1 if ").removesuffix(" else 0")
        return np.asarray(formula(condition, {"i": np.arange(size)})).astype(int)
    return indexed_formula(given)


# --- One call a statistic ---


def columns(problems: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    return [n for n, _ in problems], [c for _, c in problems]


def without_nan(values: Any) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def optional_dict(record: Any) -> dict[str, Any] | None:
    return None if record is None else asdict(record)


def coverage(problems: list[list[int]], k: int, policy: str = "strict") -> Any:
    return asdict(st.coverage(*columns(problems), k, policy))


def coverage_se(problems: list[list[int]], k: int, target: str, clusters: list[int] | None = None) -> Any:
    return optional_dict(st.coverage_error(*columns(problems), k, target.removesuffix("_problems"), clusters))


def coverage_ci(problems: list[list[int]], k: int, method: str, level: float) -> Any:
    assert method == "wilson_effective_n_t", f"unknown interval method {method}"
    error = st.coverage_error(*columns(problems), k)
    return None if error is None else optional_dict(st.wilson_interval(error, level))


def majority(answer_counts: Any, correct_index: list[int], invalid: int, k: int, ties: str = "fair") -> float | None:
    assert ties == "fair", f"unknown tie rule {ties}"
    counts = numbers(answer_counts)
    return st.majority_at_k(np.asarray(counts).astype(int), correct_index, invalid, k)


def best_of_grid(
    scores: Any, correct: Any, ks: list[int], ties: str = "fair", missing: str = "lowest"
) -> list[float | None]:
    values = numbers(scores)
    return without_nan(st.best_of_curve(values, numbers(correct, len(values)), ks, ties, missing).value)


def weighted_majority(
    answers: list[Any], weights: list[Any], correct: list[Any], k: int, ties: str = "fair"
) -> float | None:
    assert ties == "fair", f"unknown tie rule {ties}"
    vote = st.weighted_majority_at_k(answers, weights, correct, k)
    return None if vote is None else vote.value


def token_cost(requests: list[dict[str, Any]], price_per_mtok: dict[str, float]) -> float:
    tokens = [
        st.TokenRequest(**{key: tuple(part) if isinstance(part, list) else part for key, part in request.items()})
        for request in requests
    ]
    return st.token_cost_usd(tokens, st.TokenPrices(**price_per_mtok))


def cost_per_solved(
    problems: int, attempts_per_problem: float, usd_per_attempt: float, solved_pct: float, model: str = ""
) -> Any:
    return asdict(st.campaign_cost_per_solved(problems, attempts_per_problem, usd_per_attempt, solved_pct / 100))


def flops(
    num_parameters: int, num_layers: int, token_dim: int, prompt_tokens: int, decode_tokens: Any, completions: int = 1
) -> int:
    lengths = decode_tokens if isinstance(decode_tokens, list) else [decode_tokens] * completions
    return st.inference_flops(num_parameters, num_layers, token_dim, prompt_tokens, lengths)


def pareto(points: list[dict[str, Any]]) -> list[str]:
    return [offer.name for offer in st.pareto_frontier([st.Offer(p["id"], p["cost"], p["q"]) for p in points])]


def power_law_fit(ks: list[int], coverage: Any) -> Any:
    """Noise-free data must be recovered by every fit alike: the one that is worst off is compared."""
    text = coverage.removesuffix("exactly") if isinstance(coverage, str) else coverage
    curve = formula(text, {"k": np.array(ks, dtype=float)}) if isinstance(text, str) else text
    fits = [st.fit_power_law(ks, curve, space) for space in ("log", "coverage", "log_log")]
    if None in fits:
        return None
    middle = sorted(fits, key=lambda fit: fit.a)[1]
    return asdict(max(fits, key=lambda fit: abs(fit.a - middle.a) + abs(fit.b - middle.b)))


class FitAnswers(dict[str, Any]):
    """A beta-binomial fit's fields, and pass_at_K for whatever K is expected."""

    def __init__(self, fit: st.BetaBinomialFit) -> None:
        super().__init__(asdict(fit))
        self.fit = fit

    def __missing__(self, key: str) -> float:
        return self.fit.pass_at_k(int(key.removeprefix("pass_at_")))


def beta_binomial_mle(n: Any, c: list[int]) -> FitAnswers | None:
    fit = st.beta_binomial_mle(n, c)
    return None if fit is None else FitAnswers(fit)


def dynamic_next(problems: list[dict[str, Any]], rule: str) -> Any:
    assert rule == "fewest_successes_then_fewest_attempts", f"unknown rule {rule}"
    return st.dynamic_next_problem([st.Progress(p["id"], p["attempts"], p["successes"]) for p in problems])


def coverage_at_cost(problems: list[list[int]], ks: list[int], unit_cost: Any = 1.0) -> Any:
    cost, solved = st.coverage_at_cost(*columns(problems), ks, unit_cost)
    return {"cost": without_nan(cost), "solved": without_nan(solved)}


def sample_size(K_A: float, K_B: float, sigmaA2: float, sigmaB2: float, **rest: float) -> float | None:
    return st.sample_size_paired(k_a=K_A, k_b=K_B, sigma_a2=sigmaA2, sigma_b2=sigmaB2, **rest)


def mde(K_A: float, K_B: float, sigmaA2: float, sigmaB2: float, **rest: Any) -> float | None:
    return st.mde_paired(k_a=K_A, k_b=K_B, sigma_a2=sigmaA2, sigma_b2=sigmaB2, **rest)


def prob_solved_in_next(**inputs: Any) -> float:
    return st.prob_solved_in_next(attempts=inputs.pop("next"), **inputs)


def neyman(p: list[float], k: int, cost: Any = 1.0) -> list[float | None]:
    return without_nan(st.neyman_allocation(p, k, cost))


REGISTRY: dict[str, Callable[..., Any]] = {
    "pass_at_k": st.pass_at_k,
    "log_fail_at_k": st.log_fail_at_k,
    "pass_at_k_plugin_biased": st.pass_at_k_plugin_biased,
    "pass_hat_k": st.pass_hat_k,
    "g_pass_at_k": st.g_pass_at_k,
    "mg_pass_at_k": st.mg_pass_at_k,
    "pass_at_k_within_var": st.pass_at_k_within_var,
    "pass_at_k_unverified": st.pass_at_k_unverified,
    "coverage": coverage,
    "coverage_se": coverage_se,
    "coverage_ci": coverage_ci,
    "beta_posterior_pass_at_k": st.beta_posterior_pass_at_k,
    "dirichlet_bayes": lambda R, w, R0=None: st.dirichlet_bayes(R, w, R0),
    "expected_attempts": st.expected_attempts,
    "expected_attempts_batched": st.expected_attempts_batched,
    "expected_cost_to_first_success": st.expected_cost_to_first_success,
    "best_of_k": st.best_of_k,
    "best_of_k_grid": best_of_grid,
    "majority_at_k": majority,
    "majority_at_k_large": majority,
    "weighted_majority_at_k": weighted_majority,
    "resample_until_accept": st.resample_until_accept,
    "imperfect_verifier": st.imperfect_verifier,
    "optimal_resamples": st.optimal_resamples,
    "rogan_gladen": st.rogan_gladen,
    "repeat_verify_majority_error": st.repeat_verify_majority_error,
    "verifier_confusion": st.verifier_confusion,
    "gap_closed": st.gap_closed,
    "generation_verification_gap": st.generation_verification_gap,
    "inverse_sampling_fail_at_k": st.inverse_sampling_fail_at_k,
    "batch_stopped_fail_at_k": st.batch_stopped_fail_at_k,
    "token_cost_usd": token_cost,
    "gpu_cost_usd": st.gpu_cost_usd,
    "cost_per_solved": cost_per_solved,
    "inference_flops": flops,
    "ratio_ci": lambda cost, solved, level: asdict(st.ratio_interval(cost, solved, level)),
    "randomized_k": lambda n, c, k_real: st.randomized_pass_at_k(n, c, k_real),
    "pareto_frontier": pareto,
    "coverage_at_cost": coverage_at_cost,
    "paired_difference": st.paired_difference,
    "mcnemar_exact": st.mcnemar_exact,
    "sign_flip_permutation_p": st.sign_flip_permutation_p,
    "sample_size_paired": sample_size,
    "mde_paired": mde,
    "beta_pass_at_k": st.beta_pass_at_k,
    "scaled_beta_pass_at_k": st.scaled_beta_pass_at_k,
    "kumaraswamy_pass_at_k": st.kumaraswamy_pass_at_k,
    "power_law": lambda a, b, ks: st.power_law(a, b, ks).tolist(),
    "power_law_required_k": st.power_law_required_k,
    "power_law_fit": power_law_fit,
    "beta_binomial_mle": beta_binomial_mle,
    "beta_binomial_loglik": st.beta_binomial_loglik,
    "prob_solved_in_next": prob_solved_in_next,
    "hazard_next_attempt": st.hazard_next_attempt,
    "zero_success_upper_bound": st.zero_success_upper_bound,
    "dynamic_next_problem": dynamic_next,
    "neyman_allocation": neyman,
}


# --- Comparison ---


def is_missing(result: Any) -> bool:
    """None, a list of nothing else, or a record that says that its value (its error, its limits) is missing."""
    if isinstance(result, list):
        return bool(result) and all(value is None for value in result)
    if isinstance(result, Mapping):
        return any(key in result and result[key] is None for key in ("value", "se"))
    return result is None


def mismatch(result: Any, expected: Any, tolerance: float, where: str = "result") -> str | None:
    """What differs from what is expected, every expected key and entry looked at; None if nothing does."""
    if expected is None:
        return None if is_missing(result) else f"{where}: must be missing, got {result!r}"
    if is_dataclass(result):
        result = asdict(result)  # type: ignore[arg-type]
    if isinstance(expected, dict):
        parts = [(f"{where}.{key}", result[key], part) for key, part in expected.items()]
    elif isinstance(expected, list):
        if not isinstance(result, (list, tuple)) or len(result) != len(expected):
            return f"{where}: expected {len(expected)} entries, got {result!r}"
        parts = [(f"{where}[{i}]", got, part) for i, (got, part) in enumerate(zip(result, expected, strict=True))]
    elif isinstance(expected, str):
        return None if result == expected else f"{where}: expected {expected!r}, got {result!r}"
    else:
        if isinstance(result, Mapping):
            result = result["value"]
        near = result is not None and (result == expected or abs(result - expected) <= tolerance)
        return None if near else f"{where}: expected {expected!r} within {tolerance}, got {result!r}"
    found = (mismatch(got, part, tolerance, name) for name, got, part in parts)
    return next((text for text in found if text), None)


@pytest.mark.skipif(not load_vectors(), reason=f"no vectors at {VECTORS} (set PASSATK_VECTORS)")
@pytest.mark.parametrize("vector", load_vectors() or [{"id": "none"}], ids=lambda vector: vector["id"])
def test_vector(vector: dict[str, Any]) -> None:
    call = REGISTRY.get(vector["stat"])
    if call is None:
        pytest.fail(f"unknown statistic {vector['stat']!r}")
    if vector["expected"] == "error":
        with pytest.raises(PassatkError):
            call(**vector["inputs"])
        return
    problem = mismatch(call(**vector["inputs"]), vector["expected"], vector["abs_tol"])
    assert problem is None, problem


def test_an_unknown_statistic_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="unknown statistic"):
        test_vector({"id": "x-01", "stat": "no_such_statistic", "inputs": {}, "expected": 1, "abs_tol": 0})


def test_an_unknown_input_fails() -> None:
    vector = {"stat": "coverage", "inputs": {"problems": [[5, 2]], "k": 1, "weird": 1}, "expected": 0.4, "abs_tol": 1}
    with pytest.raises(TypeError):
        test_vector(vector)


@pytest.mark.parametrize(
    ("expected", "result", "wrong"),
    [
        (None, 0.5, True),
        (None, None, False),
        (None, [None, None], False),
        (None, [None, 0.5], True),
        (None, [], True),
        (0.5, None, True),
        (0.5, 0.5 + 2e-9, True),
        ({"a": 1.0, "b": None}, {"a": 1.0, "b": 0.0}, True),
        ([1.0, 2.0], [1.0], True),
        ([1.0, 2.0], [1.0, 2.0], False),
    ],
)
def test_mismatch_sees_what_differs(expected: Any, result: Any, wrong: bool) -> None:
    assert (mismatch(result, expected, 1e-9) is not None) is wrong


def test_formulas_are_read_as_written() -> None:
    assert indexed_formula("s_i=(i*7919) mod 10007, i=0..3").tolist() == [0, 7919, 15838 % 10007, 23757 % 10007]
    assert numbers("1 if (31*i) mod 97 < 5", 5).tolist() == [1, 0, 0, 0, 0]
    assert numbers("s_i=2.5, i=0..2").tolist() == [2.5, 2.5, 2.5]
    assert numbers("1", 3).tolist() == [1, 1, 1]
    assert formula("exp(-2.5*k^-0.3)", {"k": 8.0}) == pytest.approx(math.exp(-2.5 * 8**-0.3))
    counts = indexed_formula("c_j=max(1,round(100*j^-1.0/sum_{l<=3} l^-1.0)), j=1..3 (remark); sum=100")
    assert counts.tolist() == [round(100 / j / (11 / 6)) for j in (1, 2, 3)]
    with pytest.raises(ValueError, match="not an arithmetic formula"):
        formula("__import__('os').getcwd()", {})
