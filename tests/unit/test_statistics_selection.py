"""Best-of-k, votes and agreement against enumeration of every subset, and the identities between them."""

import math
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from store.analytics import statistics as st
from store.analytics.queries.best_of import values_of
from store.analytics.statistics import InvalidStatisticArgument
from store.analytics.statistics.best_of import best_of_ranked
from store.analytics.statistics.plurality import PluralityVote, Rivals
from store.analytics.statistics.plurality_rivals import NEGLIGIBLE
from store.analytics.statistics.ranked_run import ranked_run

MODES = [
    (ties, missing) for ties in ("fair", "pessimistic", "optimistic", "first") for missing in ("lowest", "abstain")
]
scored_samples = some.lists(
    some.tuples(some.sampled_from([None, -1.5, 0.0, 0.5, 2.0]), some.integers(0, 1)), min_size=1, max_size=7
)
class_lists = some.lists(
    some.tuples(some.integers(0, 3), some.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=5
)


def chosen_correct(subset: tuple[int, ...], scores: list, correct: list, ties: str, missing: str) -> float:
    """Correctness of the sample that best-of-k picks from one subset, by its definition."""
    able = [i for i in subset if scores[i] is not None] if missing == "abstain" else list(subset)
    if not able:
        return 0.0
    value = {i: -math.inf if scores[i] is None else scores[i] for i in able}
    best = [i for i in able if value[i] == max(value.values())]
    share = [correct[i] for i in best]
    return {
        "fair": sum(share) / len(share),
        "pessimistic": min(share),
        "optimistic": max(share),
        "first": correct[min(best)],
    }[ties]


@pytest.mark.parametrize(("ties", "missing"), MODES)
@settings(max_examples=40)
@given(samples=scored_samples)
def test_best_of_k_is_the_mean_over_subsets(samples: list, ties: str, missing: str) -> None:
    scores, correct = (list(part) for part in zip(*samples, strict=True))
    n = len(samples)
    for k in range(1, n + 1):
        every = [chosen_correct(s, scores, correct, ties, missing) for s in combinations(range(n), k)]
        assert st.best_of_k(scores, correct, k, ties, missing) == pytest.approx(np.mean(every), abs=1e-12)
    assert st.best_of_k(scores, correct, n + 1, ties, missing) is None
    assert st.best_of_k(scores, correct, 0, ties, missing) == 0.0


@given(some.lists(some.integers(0, 1), min_size=1, max_size=40), some.integers(1, 45))
def test_best_of_gold_and_of_nothing(correct: list[int], k: int) -> None:
    n, c = len(correct), sum(correct)
    assert st.best_of_k(correct, correct, k) == _near(st.pass_at_k(n, c, k))
    assert st.best_of_k([7.0] * n, correct, k) == (None if k > n else pytest.approx(c / n))


def _near(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-12)


@given(scored_samples, some.randoms())
def test_order_of_samples_does_not_matter(samples: list, random: object) -> None:
    shuffled = sorted(samples, key=lambda _: random.random())  # type: ignore[attr-defined]
    for k in range(1, len(samples) + 1):
        a, b = (st.best_of_k(*zip(*one, strict=True), k) for one in (samples, shuffled))
        assert a == pytest.approx(b)


def test_best_of_curve_and_grid_agree() -> None:
    random = np.random.default_rng(0)
    problem = np.repeat([4, 2, 9], [30, 50, 30])
    order = random.permutation(problem.size)
    scores, correct = random.integers(0, 12, problem.size) / 4, random.integers(0, 2, problem.size)
    ks = [1, 3, 30, 31]
    names, grid = st.best_of_grid(problem[order], scores[order], correct[order], ks)
    assert names.tolist() == [2, 4, 9]
    for row, name in zip(grid, names, strict=True):
        curve = st.best_of_curve(scores[problem == name], correct[problem == name], ks)
        np.testing.assert_allclose(row, curve.value, atol=1e-12)
    assert np.isnan(grid[1, 3])
    assert not np.isnan(grid[0]).any()


@pytest.mark.parametrize("kind", ["as stored", "as read", "more digits", "partly correct", "named"])
def test_a_ranked_run_is_every_problem_by_itself(kind: str) -> None:
    random = np.random.default_rng(1)
    special = [math.nan, -math.inf, math.inf, 0.0, -0.0, -1.5, -0.25, 1e-40, 3.0]
    scores, correct = random.choice(special, 400), random.integers(0, 2, 400).astype(np.float64)
    scores += 1e-12 * random.integers(0, 2, 400) if kind == "more digits" else 0
    correct *= 0.5 if kind == "partly correct" else 1
    problem = random.choice(["b", "a", "d"] if kind == "named" else [7, 2, -4], 400)
    as_read = (scores.astype(np.float32), correct.astype(np.bool_)) if kind == "as read" else (scores, correct)
    run = ranked_run(problem, *as_read)
    assert run.problems.tolist() == sorted(set(problem.tolist()))
    ks = [1, 2, 5, 40]
    for place, (name, values) in enumerate(zip(run.problems, best_of_ranked(run, ks), strict=True)):
        mine = problem == name
        curve = st.best_of_curve(scores[mine], correct[mine], ks)
        np.testing.assert_allclose(values, curve.value, atol=1e-12)
        assert run.missing[place] == pytest.approx(curve.missing_share * curve.n)
        assert run.tied[place] == pytest.approx(curve.tie_mass * curve.n)


def test_truth_values_are_counted_beside_scores_of_more_digits() -> None:
    run = ranked_run(np.zeros(4, dtype=np.int64), np.full(4, 0.1), np.array([True, True, True, False]))
    assert run.share.tolist() == [0.75] * 4


def test_scores_find_their_samples_in_any_order() -> None:
    keys, random = np.array([3, 4, 8, 9]), np.random.default_rng(2)
    known, values = np.array([2, 3, 4, 5, 9]), np.array([0.0, 1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    for _ in range(5):
        order = random.permutation(known.size)
        np.testing.assert_array_equal(values_of(keys, known[order], values[order]), [1.0, 2.0, np.nan, 4.0])
    assert values_of(known, known, values) is values
    assert np.isnan(values_of(keys, known[:0], values[:0])).all()


def test_best_of_curve_reports_regret_score_and_shares() -> None:
    scores, correct = [0.9, None, 0.5, 0.5], [0, 1, 1, 0]
    curve = st.best_of_curve(scores, correct, [1, 2, 4])
    passes = [st.pass_at_k(4, 2, k) or 0.0 for k in (1, 2, 4)]
    np.testing.assert_allclose(curve.regret, np.array(passes) - curve.value)
    assert (curve.missing_share, curve.tie_mass) == (0.25, 0.5)
    assert math.isnan(curve.expected_score[0])
    pairs = [max(scores[i] or -1 for i in pair) for pair in combinations(range(4), 2)]
    assert curve.expected_score[1] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize(
    "call",
    [
        lambda: st.best_of_k([1.0, 2.0], [1], 1),
        lambda: st.best_of_k([1.0], [2], 1),
        lambda: st.best_of_k([1.0], [1], 1, ties="random"),
        lambda: st.best_of_k([1.0], [1], 1, missing="drop"),
        lambda: st.best_of_k([1.0], [1], -1),
        lambda: st.majority_at_k([2, -1], [0], 0, 1),
        lambda: st.majority_at_k([2, 1], [2], 0, 1),
        lambda: st.majority_at_k([2, 1], None, 0, 1),
        lambda: st.majority_at_k([2, 1], invalid=0, k=1, correct_share=[0.5]),
        lambda: st.weighted_majority_at_k(["a", "b"], [0.5, -1.0], ["a"], 1),
        lambda: st.weighted_majority_at_k(["a"], [0.5, 1.0], ["a"], 1),
        lambda: st.vote_weights([-1.0, 2.0], "identity"),
        lambda: st.agreement_at_k([[1, 2]], [1], [1]),
    ],
)
def test_bad_arguments_are_one_clear_line(call: object) -> None:
    with pytest.raises(InvalidStatisticArgument) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


# --- Votes ---


def vote_by_enumeration(labels: list, weights: list, shares: dict, k: int) -> float:
    """Mean over all k-subsets of the winner's share correct; label None never wins."""
    total, subsets = Fraction(0), 0
    for subset in combinations(range(len(labels)), k):
        tally: dict = {}
        for i in subset:
            if labels[i] is not None:
                tally[labels[i]] = tally.get(labels[i], 0) + weights[i]
        best = max(tally.values(), default=0)
        leaders = [answer for answer, votes in tally.items() if votes == best]
        total += sum((Fraction(shares[answer]) for answer in leaders), Fraction(0)) / max(len(leaders), 1)
        subsets += 1
    return float(total / subsets)


@settings(max_examples=60)
@given(class_lists, some.integers(0, 2))
def test_majority_is_the_mean_over_subsets(classes: list[tuple[int, float]], invalid: int) -> None:
    sizes, shares = zip(*classes, strict=True)
    labels = [i for i, size in enumerate(sizes) for _ in range(size)] + [None] * invalid
    n = len(labels)
    for k in range(n + 1):
        value = st.majority_at_k(sizes, invalid=invalid, k=k, correct_share=shares)
        expected = vote_by_enumeration(labels, [1] * n, dict(enumerate(shares)), k) if k else 0.0
        assert value == pytest.approx(expected, abs=1e-12)
    assert st.majority_at_k(sizes, invalid=invalid, k=n + 1, correct_share=shares) is None


@settings(max_examples=40)
@given(
    some.lists(some.tuples(some.integers(0, 3), some.integers(0, 3), some.sampled_from([0.0, 0.5, 1.0])), min_size=1,
               max_size=4),
    some.integers(0, 2),
)  # fmt: skip
def test_class_weights_are_votes_a_sample(classes: list[tuple[int, int, float]], invalid: int) -> None:
    sizes, weights, shares = zip(*classes, strict=True)
    voting = st.answer_classes(sizes, None, shares, invalid, weights)
    labels = [i if weights[i] else None for i, size in enumerate(sizes) for _ in range(size)] + [None] * invalid
    cast = [0 if label is None else weights[label] for label in labels]
    for k in range(1, len(labels) + 1):
        expected = vote_by_enumeration(labels, cast, dict(enumerate(shares)), k)
        assert st.plurality_at_k(voting, k) == pytest.approx(expected, abs=1e-12)


def truncated_product(sizes: list[int], own: int, k: int) -> Fraction:
    """Chance that class `own` wins, by generating functions in exact rationals (ties through powers of y)."""
    total = Fraction(0)
    for t in range(1, min(sizes[own], k) + 1):
        ways = {(0, 0): 1}  # (draws of the others, ties) -> number of subsets
        for other, size in enumerate(sizes):
            if other == own:
                continue
            following: dict[tuple[int, int], int] = {}
            for (drawn, ties), many in ways.items():
                for s in range(min(size, t, k - t - drawn) + 1):
                    cell = (drawn + s, ties + (s == t))
                    following[cell] = following.get(cell, 0) + many * math.comb(size, s)
            ways = following
        winning = sum((Fraction(many, 1 + ties) for (d, ties), many in ways.items() if d == k - t), Fraction(0))
        total += math.comb(sizes[own], t) * winning
    return total / math.comb(sum(sizes), k)


@pytest.mark.parametrize(
    "sizes", [[35, 40, 25], [60, 58, 1, 1, 1, 1, 2, 2], [12] * 10, [90, 5, 5], [1] * 60 + [2] * 20]
)
def test_majority_is_the_exact_rational_at_any_k(sizes: list[int]) -> None:
    n = sum(sizes)
    for k in (2, 3, 7, n // 2, n - 1):
        assert st.majority_at_k(sizes, [0], 0, k) == pytest.approx(float(truncated_product(sizes, 0, k)), abs=1e-12)


def test_majority_at_ten_thousand_samples_sums_to_one() -> None:
    random = np.random.default_rng(5)
    weights = 1 / np.arange(1, 61) ** 1.1
    sizes = random.multinomial(9_500, weights / weights.sum())
    for k in (2, 25, 400, 5_000, 9_998):
        every = [st.majority_at_k(sizes, list(range(60)), 500, k)]
        parts = [st.majority_at_k(sizes, [i], 500, k) or 0.0 for i in range(6)]
        rest = st.majority_at_k(sizes, list(range(6, 60)), 500, k) or 0.0
        nobody = st.pass_hat_k(10_000, 500, k) or 0.0
        assert every[0] == pytest.approx(1 - nobody, abs=1e-10)
        assert sum(parts) + rest == pytest.approx(1 - nobody, abs=1e-10)


@settings(max_examples=60)
@given(some.lists(some.integers(1, 200), min_size=1, max_size=30), some.data())
def test_vote_of_one_and_of_two_is_pass_at_one(sizes: list[int], data: some.DataObject) -> None:
    right = data.draw(some.sets(some.integers(0, len(sizes) - 1)))
    expected = sum(sizes[i] for i in right) / sum(sizes)
    for k in (1, 2):
        if k <= sum(sizes):
            assert st.majority_at_k(sizes, sorted(right), 0, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alone", [0, 1, 2])
def test_problems_of_one_answer_stand_beside_others_in_any_place(alone: int) -> None:
    """Curves of many problems are computed together: one without rivals, the last above all, must not disturb them."""
    random = np.random.default_rng(5)
    problems = [random.integers(1, 6, 4).tolist() for _ in range(2)]
    problems.insert(alone, [6])
    classes = [st.answer_classes(sizes, [0], invalid=3) for sizes in problems]
    curves = st.plurality_curves(classes, range(1, 10))
    for sizes, curve in zip(problems, curves, strict=True):
        labels = [i for i, size in enumerate(sizes) for _ in range(size)] + [None] * 3
        shares = {i: float(i == 0) for i in range(len(sizes))}
        for k in range(1, 6):
            expected = vote_by_enumeration(labels, [1] * len(labels), shares, k)
            assert curve[k - 1] == pytest.approx(expected, abs=1e-12)


def test_all_invalid_wins_nothing_and_the_plateau_is_the_mode() -> None:
    assert st.majority_at_k([0, 0], [0], 6, 3) == 0.0
    assert st.majority_at_k([], [], 6, 3) == 0.0
    assert st.majority_plateau([5, 5, 1], [0], 3) == 0.5
    assert st.majority_plateau([5, 4], invalid=90, correct_share=[0.75, 1]) == 0.75
    assert st.majority_plateau([], [], 0) is None
    assert st.majority_plateau([0], [0], 4) == 0.0
    assert st.majority_at_k([5, 4], [0], 1, 10) == 1.0


def test_curve_and_permutations_agree_within_their_error() -> None:
    sizes, ks = [35, 40, 25], [1, 5, 25, 101]
    curve = st.majority_curve(sizes, ks, [0])
    assert math.isnan(curve[3])
    simulated = st.majority_by_permutation(sizes, ks, [0], permutations=600, seed=1)
    assert np.all(np.abs(simulated.value - curve)[:3] < 4 * simulated.monte_carlo_se[:3])
    again = st.majority_by_permutation(sizes, ks, [0], permutations=600, seed=1)
    np.testing.assert_array_equal(simulated.value, again.value)


vote_lists = some.lists(
    some.tuples(some.sampled_from(["A", "B", "C", None]), some.sampled_from([None, 0.0, 0.25, 0.5, 1.0])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=60)
@given(vote_lists, some.sets(some.sampled_from("ABC")))
def test_weighted_vote_is_the_mean_over_subsets(votes: list, correct: set[str]) -> None:
    answers, weights = (list(part) for part in zip(*votes, strict=True))
    labels = [None if weight is None else answer for answer, weight in votes]
    shares = {answer: float(answer in correct) for answer in "ABC"}
    for k in range(1, len(votes) + 1):
        vote = st.weighted_majority_at_k(answers, weights, correct, k)
        assert vote is not None
        assert vote.value == pytest.approx(vote_by_enumeration(labels, [w or 0 for w in weights], shares, k), abs=1e-12)
        assert vote.monte_carlo_se == 0.0
    assert st.weighted_majority_at_k(answers, weights, correct, len(votes) + 1) is None


@given(some.lists(some.sampled_from("ABC"), min_size=1, max_size=8), some.integers(1, 8))
def test_equal_weights_are_the_plain_majority(answers: list[str], k: int) -> None:
    sizes = [answers.count(answer) for answer in "ABC"]
    vote = st.weighted_majority_at_k(answers, [0.3] * len(answers), ["A"], k)
    assert _near(st.majority_at_k(sizes, [0], 0, k)) == (None if vote is None else vote.value)


def test_answers_of_no_weight_still_are_answers() -> None:
    """Weights of 0 tie with each other and lose to any other; drawing one sample of them is pass@1."""
    answers = ["A", "B", "B"] * 10
    assert st.weighted_majority_at_k(answers, [0.0] * 30, ["A"], 1).value == pytest.approx(1 / 3)  # type: ignore[union-attr]
    simulated = st.weighted_majority_at_k(answers, [0.0] * 30, ["A"], 12, permutations=400)
    assert simulated is not None
    assert (simulated.method, simulated.value) == ("permutation", pytest.approx(0.5, abs=0.01))
    assert st.weighted_majority_at_k(["A", "B"], [0.0, 1e-9], ["A"], 2).value == 0.0  # type: ignore[union-attr]


def test_large_weighted_votes_are_simulated_with_their_error() -> None:
    answers = ["A"] * 20 + ["B"] * 25 + [None] * 5
    curve = st.weighted_majority_curve(answers, [2.0] * 50, {"A": 1.0}, [2, 15, 51], permutations=800, seed=3)
    assert curve[0] is not None
    assert curve[1] is not None
    assert (curve[0].method, curve[1].method, curve[2]) == ("enumeration", "permutation", None)
    exact = st.majority_at_k([20, 25], [0], 5, 15)
    assert abs(curve[1].value - (exact or 0.0)) < 4 * curve[1].monte_carlo_se
    assert curve[1] == st.weighted_majority_at_k(answers, [2.0] * 50, ["A"], 15, permutations=800, seed=3)


def test_transforms_of_scores() -> None:
    scores = [-2.0, np.nan, 1.0, 1.0]
    assert st.vote_weights(scores, "rank")[[0, 2, 3]].tolist() == [1.0, 2.5, 2.5]
    softmax = st.vote_weights(scores, "softmax", temperature=2.0)
    assert np.nansum(softmax) == pytest.approx(1.0)
    assert softmax[2] / softmax[0] == pytest.approx(math.exp(1.5))
    assert np.isnan(st.vote_weights(scores, "sigmoid")[1])
    assert st.vote_weights([0.0, 3.0], "identity").tolist() == [0.0, 3.0]


# --- Generated tests ---


@settings(max_examples=30)
@given(rows=some.lists(some.tuples(some.integers(0, 7), some.integers(0, 1)), min_size=1, max_size=7))
@pytest.mark.parametrize("weight", ["count", "root"])
def test_agreement_is_the_mean_over_subsets(rows: list[tuple[int, int]], weight: str) -> None:
    passes = np.array([[bits >> i & 1 for i in range(3)] for bits, _ in rows])
    correct = [right for _, right in rows]
    n = len(rows)
    share = {bits: np.mean([right for other, right in rows if other == bits]) for bits, _ in rows}

    def chosen(subset: tuple[int, ...]) -> float:
        drawn = [rows[i][0] for i in subset]
        score = {bits: (drawn.count(bits) if weight == "count" else drawn.count(bits) ** 0.5) * bits.bit_count()
                 for bits in drawn}  # fmt: skip
        best = [bits for bits in score if score[bits] > 0 and math.isclose(score[bits], max(score.values()))]
        return float(np.mean([share[bits] for bits in best])) if best else 0.0

    ks = list(range(1, n + 2))
    values = st.agreement_at_k(passes, correct, ks, weight)
    expected = [np.mean([chosen(subset) for subset in combinations(range(n), k)]) for k in ks[:-1]]
    np.testing.assert_allclose(values[:-1], expected, atol=1e-12)
    assert math.isnan(values[-1])


def test_consensus_sets_and_scores() -> None:
    passes = [[1, 1, 0], [0, 0, 0], [1, 1, 0], [1, 1, 1]]
    sets = st.consensus_sets(passes)
    assert [(one.candidates, one.tests_passed) for one in sets] == [((0, 2), 2), ((1,), 0), ((3,), 3)]
    np.testing.assert_allclose(st.agreement_scores(passes), [2 * 2**0.5, 0, 2 * 2**0.5, 3])
    assert st.agreement_scores(passes, "count").tolist() == [4, 0, 4, 3]


# --- Proxies ---


@settings(max_examples=40)
@given(some.lists(some.tuples(some.integers(0, 1), some.integers(0, 1)), min_size=1, max_size=6))
def test_resampling_until_accepted_over_all_orders(samples: list[tuple[int, int]]) -> None:
    n = len(samples)
    accepted = sum(a for a, _ in samples)
    both = sum(a and c for a, c in samples)
    for k in range(1, n + 1):
        firsts = [next((c for a, c in order[:k] if a), None) for order in permutations(samples)]
        outcome = st.resample_until_accept(n, accepted, both, k)
        assert outcome is not None
        expected = [firsts.count(1), firsts.count(0), firsts.count(None)]
        got = [outcome.correct, outcome.false_accept, outcome.none]
        np.testing.assert_allclose(got, np.array(expected) / len(firsts), atol=1e-12)
    assert st.resample_until_accept(n, accepted, both, n + 1) is None


@given(some.integers(1, 50).flatmap(lambda n: some.tuples(some.just(n), some.integers(0, n), some.integers(1, n))))
def test_a_gold_proxy_is_coverage(count: tuple[int, int, int]) -> None:
    n, c, k = count
    outcome = st.resample_until_accept(n, c, c, k)
    assert outcome is not None
    assert outcome.correct == pytest.approx(st.pass_at_k(n, c, k), abs=1e-12)
    assert outcome.false_accept == pytest.approx(0.0)


def one_by_one(classes: st.AnswerClasses, k: int) -> float:
    """Plurality by the transform of each class alone: another arrangement of the sums than that of whole runs."""
    total, vote = 0.0, PluralityVote(classes.n, k)
    for own in np.flatnonzero(classes.shares):
        others = np.delete(classes.counts, own)
        rivals = Rivals(others, np.ones_like(others), np.ones_like(others))
        total += classes.shares[own] * vote.win_probability(int(classes.counts[own]), 1, rivals)
    return total


def test_a_whole_run_of_votes_at_once_is_that_of_each_problem() -> None:
    """Problems of unlike n, long tails of rare answers, ties of large classes, several right answers, none at all."""
    random = np.random.default_rng(11)
    problems = [
        st.answer_classes([700, 690, 300, *[3] * 30, *[1] * 40], [1], invalid=25),
        st.answer_classes([400, 400, 400], [2]),
        st.answer_classes([900, 20, 10], [2], invalid=5),
        st.answer_classes([60, 50], correct_share=[0.25, 1.0]),
        st.answer_classes([], [], invalid=300),
        *(
            st.answer_classes(random.multinomial(n, weights / weights.sum()), [int(right)], invalid=int(right))
            for n, weights, right in zip(
                [500, 500, 500, 811, 2000],
                1 / np.arange(1, 60) ** random.uniform(0.5, 2, (5, 1)),
                range(5),
                strict=True,
            )
        ),
    ]
    ks = [1, 2, 7, 12, 55, 109, 110, 111, 300, 499, 720, 1900]
    curves = st.plurality_curves(problems, ks)
    for classes, curve in zip(problems, curves, strict=True):
        for k, value in zip(ks, curve.tolist(), strict=True):
            if k > classes.n:
                assert math.isnan(value)
            elif k < classes.n:
                assert value == pytest.approx(one_by_one(classes, k), abs=NEGLIGIBLE), (classes.n, k)


@pytest.mark.parametrize("seed", range(3))
def test_problems_of_any_n_share_a_run(seed: int) -> None:
    """Neighbouring budgets of the largest problem are far apart for a small one, all the more where it runs out."""
    random = np.random.default_rng(seed)
    sizes = [*random.integers(20, 200, 12).tolist(), 2_000]
    problems = [st.answer_classes(random.multinomial(n, random.dirichlet(np.ones(8))), [0]) for n in sizes]
    ks = np.unique(np.geomspace(1, 1_999, 45).astype(int)).tolist()
    curves = st.plurality_curves(problems, ks)
    for classes, curve in zip(problems, curves, strict=True):
        wanted = [one_by_one(classes, k) if k < classes.n else math.nan for k in ks]
        wanted = [curve[i] if k == classes.n else value for i, (k, value) in enumerate(zip(ks, wanted, strict=True))]
        np.testing.assert_allclose(curve, wanted, rtol=0, atol=NEGLIGIBLE)


@pytest.mark.parametrize(
    "sizes",
    [[9, 10, 9, 8, 10, 11, 9, 10, 10, 9, 8, 10], [7] * 14, [20, 21, 20, 19, 20], [4, 5, 6] * 6 + [1] * 12, [30, 30]],
)
@pytest.mark.parametrize("right", [0, 2])
def test_answers_close_to_each_other_are_the_exact_rational(sizes: list[int], right: int) -> None:
    """Everybody may win, and many tie: no rival can be left out, and the sums depend on every frequency kept."""
    right = min(right, len(sizes) - 1)
    n = sum(sizes) + 3
    ks = [2, 3, 5, 8, 13, 21, 22, 23, 34, n // 2, n - 1]
    curve = st.majority_curve(sizes, ks, [right], invalid=3)
    for k, value in zip(ks, curve.tolist(), strict=True):
        exact = Fraction(0)
        for lost in range(4):  # invalid samples use up draws and never win
            if lost <= k and k - lost <= n - 3:
                ways = math.comb(3, lost) * math.comb(n - 3, k - lost)
                exact += Fraction(ways, math.comb(n, k)) * (
                    truncated_product(sizes, right, k - lost) if k > lost else 0
                )
        assert value == pytest.approx(float(exact), abs=NEGLIGIBLE), k


@pytest.mark.parametrize("answers", [3, 20, 60])
def test_near_ties_of_ten_thousand_samples(answers: int) -> None:
    """The whole run at once, in two other arrangements of its sums: one class at a time, and all classes together."""
    random = np.random.default_rng(answers)
    problems = [st.answer_classes(random.multinomial(10_000, np.full(answers, 1 / answers)), [i]) for i in range(2)]
    ks = [12, 100, 681, 4642]
    curves = st.plurality_curves(problems, ks)
    for classes, curve in zip(problems, curves, strict=True):
        for k, value in zip(ks, curve.tolist(), strict=True):
            assert value == pytest.approx(one_by_one(classes, k), abs=NEGLIGIBLE), k
    every = [st.answer_classes(problems[0].counts, [i]) for i in range(problems[0].counts.size)]
    np.testing.assert_allclose(st.plurality_curves(every, ks).sum(axis=0), 1.0, atol=1e-10)


def test_problems_that_are_alike_have_one_curve() -> None:
    problems = [st.answer_classes([40, 40, 20], [i]) for i in (0, 1, 2, 0)]
    curves = st.plurality_curves(problems, [1, 9, 50, 99, 101])
    np.testing.assert_array_equal(curves[0], curves[1])
    np.testing.assert_array_equal(curves[0], curves[3])
    assert curves[2][1] < curves[0][1]
    assert np.isnan(curves[:, 4]).all()
