"""Verifiers that err: agreement with the reference, what false positives do to coverage, repeated verification."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from store.analytics.statistics.arguments import (
    optional,
    require,
    require_counts,
    require_share,
    whole_numbers,
)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class Confusion:
    """A proxy verifier against the reference over judged samples; a rate without cases is None."""

    precision: float | None
    recall: float | None
    fpr: float | None
    specificity: float | None
    npv: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    f1: float | None


def verifier_confusion(tp: int, fp: int, fn: int, tn: int) -> Confusion:
    """Rates from counts: accepted & correct, accepted & wrong, rejected & correct, rejected & wrong."""
    require(bool(np.all(whole_numbers("tp, fp, fn, tn", [tp, fp, fn, tn]) >= 0)), "counts must not be negative")
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    balanced = None if recall is None or specificity is None else (recall + specificity) / 2
    return Confusion(
        precision=_ratio(tp, tp + fp),
        recall=recall,
        fpr=_ratio(fp, fp + tn),
        specificity=specificity,
        npv=_ratio(tn, tn + fn),
        accuracy=_ratio(tp + tn, tp + fp + fn + tn),
        balanced_accuracy=balanced,
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
    )


@dataclass(frozen=True)
class ClusteredRate:
    """A ratio of sums over problems; `se` is robust to dependence inside a problem (None with one problem)."""

    value: float | None
    se: float | None


def clustered_rate(part: ArrayLike, whole: ArrayLike) -> ClusteredRate:
    """sum(part)/sum(whole) over problems [P], its error sqrt(P/(P-1) sum (part_i - r whole_i)^2)/sum(whole)."""
    x, y = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    require(x.ndim == 1 and x.shape == y.shape, "part and whole must hold one count a problem each")
    if y.sum() <= 0:
        return ClusteredRate(None, None)
    rate = float(x.sum() / y.sum())
    if x.size < 2:
        return ClusteredRate(rate, None)
    return ClusteredRate(rate, float(np.sqrt(x.size / (x.size - 1) * np.sum((x - rate * y) ** 2)) / y.sum()))


@dataclass(frozen=True)
class VerifierAgreement:
    """Confusion rates over problems with cluster-robust errors; macro_fpr is the mean of per-problem rates, which
    shows when a few problems produce most false positives (None where no problem has a wrong sample)."""

    precision: ClusteredRate
    recall: ClusteredRate
    fpr: ClusteredRate
    npv: ClusteredRate
    macro_fpr: float | None
    false_positive_problems: int


def verifier_agreement(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike) -> VerifierAgreement:
    """Agreement with the reference from per-problem counts [P]."""
    counts = [whole_numbers(name, part) for name, part in (("tp", tp), ("fp", fp), ("fn", fn), ("tn", tn))]
    require(
        all(part.shape == counts[0].shape for part in counts), "tp, fp, fn and tn must have one entry a problem each"
    )
    require(not any(bool(np.any(part < 0)) for part in counts), "counts must not be negative")
    a, b, c, d = counts
    wrong = b + d
    macro = float((b[wrong > 0] / wrong[wrong > 0]).mean()) if bool(np.any(wrong > 0)) else None
    return VerifierAgreement(
        precision=clustered_rate(a, a + b),
        recall=clustered_rate(a, a + c),
        fpr=clustered_rate(b, wrong),
        npv=clustered_rate(d, d + c),
        macro_fpr=macro,
        false_positive_problems=int((b > 0).sum()),
    )


def rogan_gladen(accepted: int, n: int, tpr: float, fpr: float) -> float | None:
    """Success rate behind an acceptance rate: (accepted/n - fpr)/(tpr - fpr), clipped to [0, 1].

    None without samples or for a verifier no better than chance (tpr <= fpr). Never raise it to a power k: that
    amplifies its noise by (tpr-fpr)^-k.
    """
    require_counts(n, accepted)
    require_share("tpr", tpr)
    require_share("fpr", fpr)
    if n == 0 or tpr <= fpr:
        return None
    return min(max((accepted / n - fpr) / (tpr - fpr), 0.0), 1.0)


def repeat_verify_majority_error(runs: int, flip_probability: float) -> float:
    """Chance that more than half of `runs` verifications flip: the error of their majority.

    Take an odd number of runs; with an even one a tie is undecided and not counted as an error.
    """
    require(runs >= 1, f"runs must be at least 1, got {runs}")
    require_share("flip_probability", flip_probability)
    return float(special.bdtrc(runs // 2, runs, flip_probability))


def majority_verdict(outcomes: Sequence[bool]) -> bool | None:
    """Verdict of repeated verification runs of one sample; None on a tie or without runs."""
    votes = sum(outcomes)
    return None if 2 * votes == len(outcomes) else 2 * votes > len(outcomes)


def generation_verification_gap(coverage: float, score: float) -> float:
    """Coverage minus what selection reaches: what a perfect verifier would add."""
    return coverage - score


def gap_closed(score: float, random: float, coverage: float) -> float | None:
    """Share of the way from random choice (mean pass@1) to coverage that a selection covers; None without a gap."""
    return optional((score - random) / (coverage - random)) if coverage != random else None


def disagreements(proxy: Sequence[Hashable], reference: Sequence[Hashable]) -> tuple[int, int, int, int]:
    """Counts (tp, fp, fn, tn) of paired verdicts; samples that either leaves undecided (None) are left out."""
    require(len(proxy) == len(reference), "proxy and reference must judge the same samples")
    pairs = [(bool(a), bool(b)) for a, b in zip(proxy, reference, strict=True) if a is not None and b is not None]
    return (
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
        pairs.count((False, False)),
    )
