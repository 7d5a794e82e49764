"""Scores of training dynamics: one number per example, high = hard = keep."""

import numpy as np
import pyarrow as pa

from curate.table.column import floats, nulls, require


def forgetting(table: pa.Table) -> np.ndarray:
    """Number of forgetting events (Toneva et al., ICLR 2019, Section 3).

    An example that a run never learned gets the score +inf: the paper gives it the largest count
    there is. Over several runs (``curate.merge``) events are summed.

    Returns:
        float64 of shape (rows,): events, or NaN where the example was never presented.
    """
    events = floats(table, "forgetting_events")
    if "runs_learned" in table.column_names:
        endless = floats(table, "runs_learned") < floats(table, "runs")
    else:
        endless = nulls(table, "first_learned")
    if require(table, "forgetting_events").null_count:
        endless &= ~np.isnan(events)  # never presented: not known, rather than hard
    events[endless] = np.inf
    return events


def aum(table: pa.Table) -> np.ndarray:
    """Minus the area under the margin, AUM (Pleiss et al., NeurIPS 2020, Equation 1).

    AUM is the mean over presentations of the label's logit minus the largest other logit. The
    paper's mislabelled examples have a low AUM; here, as everywhere, high = hard.

    Returns:
        float64 of shape (rows,), in logits; NaN where not known.
    """
    return -floats(table, "margin_mean")


def confidence(table: pa.Table) -> np.ndarray:
    """Minus the mean probability of the label (Swayamdipta et al., EMNLP 2020, Section 2).

    Low confidence is the paper's 'hard-to-learn' region; the sign is turned so that high = hard.

    Returns:
        float64 of shape (rows,), between -1 (sure) and 0; NaN where not known.
    """
    return -floats(table, "confidence_mean")


def cross_fitted_confidence(table: pa.Table) -> np.ndarray:
    """Minus the probability of the label by models that did not train on the example.

    Returns:
        float64 of shape (rows,), between -1 (sure) and 0; NaN where not known.
    """
    return -floats(table, "cross_fitted_confidence")


def cross_fitted_el2n(table: pa.Table) -> np.ndarray:
    """EL2N (Paul et al., NeurIPS 2021) by models that did not train on the example.

    Returns:
        float64 of shape (rows,), between 0 and sqrt(2); NaN where not known.
    """
    return floats(table, "cross_fitted_el2n")


def cross_fitted_margin(table: pa.Table) -> np.ndarray:
    """Minus the margin by models that did not train on the example.

    Returns:
        float64 of shape (rows,), in logits; positive where they are wrong, NaN where not known.
    """
    return -floats(table, "cross_fitted_margin")


def dual(table: pa.Table) -> np.ndarray:
    """DUAL: difficulty times uncertainty (Cho et al., ICML 2025, Section 3.2).

    The mean over all windows of J successive presentations of (1 - mean) times the standard
    deviation of the label's probability; the paper takes J = 10 and the first 30 epochs.

    Returns:
        float64 of shape (rows,), at least 0; NaN where there was no whole window.
    """
    return floats(table, "dual")


def dyn_unc(table: pa.Table) -> np.ndarray:
    """Dyn-Unc: dynamic uncertainty (He et al., CVPR 2024, Section 3.2).

    The mean over all windows of J successive presentations of the standard deviation (divisor
    J - 1) of the label's probability; the paper takes J = 10, and removes the lowest.

    Returns:
        float64 of shape (rows,), at least 0; NaN where there was no whole window.
    """
    return floats(table, "dyn_unc")


def el2n(table: pa.Table) -> np.ndarray:
    """EL2N: the l2 norm of softmax(logits) - onehot(label) (Paul et al., NeurIPS 2021, Def. 2.2).

    The paper averages over networks at one early epoch (it uses 20); here it is the mean over the
    presentations recorded, so record a short run to have the early score. It reproduces, which
    GraNd at initialisation does not (Kirsch, 2023).

    Returns:
        float64 of shape (rows,), between 0 and sqrt(2); NaN where not known.
    """
    return floats(table, "el2n_mean")


def first_learned(table: pa.Table) -> np.ndarray:
    """Presentations needed until first correct: later is harder (Toneva et al., ICLR 2019).

    Over several runs it is the mean over those that learned the example.

    Returns:
        float64 of shape (rows,): presentations (1 = correct at its first), +inf where no run
        learned it, NaN where it was never presented.
    """
    needed = floats(table, "first_learned")
    needed[never_learned(table)] = np.inf
    return needed


def loss(table: pa.Table) -> np.ndarray:
    """Cross-entropy, the mean over presentations.

    Returns:
        float64 of shape (rows,), in nats; NaN where not known.
    """
    return floats(table, "loss_mean")


def margin(table: pa.Table) -> np.ndarray:
    """Minus the margin at the last presentation (margin: Pleiss et al., NeurIPS 2020, Section 3).

    The margin is the label's logit minus the largest other logit; :func:`aum` is its mean.

    Returns:
        float64 of shape (rows,), in logits; positive where the last outcome was wrong, NaN where
        not known.
    """
    return -floats(table, "margin_last")


def mislabel(table: pa.Table) -> np.ndarray:
    """How well the label fits, by evidence that it has no part in: high = likely right.

    The lowest are those whose label is likely wrong. See ``curate.scores.label_noise_table``.

    Returns:
        float64 of shape (rows,), log odds of the label over the best other one; NaN where not
        known.
    """
    return floats(table, "label_margin")


def never_learned(table: pa.Table) -> np.ndarray:
    """Presented, and never once correct, in no run (Toneva et al., ICLR 2019).

    Returns:
        bool of shape (rows,). An example that was never presented is not among them.
    """
    return nulls(table, "first_learned") & (floats(table, "presentations") > 0)


def tdds(table: pa.Table) -> np.ndarray:
    """TDDS: temporal dual-depth score (Zhang et al., CVPR 2024, Section 3).

    The variance, in a window of J successive presentations, of the change of the predicted
    distribution from each to the next, as a moving average over windows that forgets nine tenths
    at each. High is the paper's 'well-generalised' example, which it keeps.

    Returns:
        float64 of shape (rows,), at least 0; NaN where there was no whole window.
    """
    return floats(table, "tdds")


def unforgettable(table: pa.Table) -> np.ndarray:
    """Learned at least once and never forgotten, in every run (Toneva et al., ICLR 2019).

    Returns:
        bool of shape (rows,). Examples never learned or never presented are not among them.
    """
    return forgetting(table) == 0


def variability(table: pa.Table) -> np.ndarray:
    """Standard deviation of the label's probability (Swayamdipta et al., EMNLP 2020, Section 2).

    It is taken over the presentations; high is the paper's 'ambiguous' region, which it keeps.

    Returns:
        float64 of shape (rows,), between 0 and 1/2; NaN where not known.
    """
    return floats(table, "confidence_std")
