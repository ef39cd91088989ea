"""Combine the predictions of several models: by their mean, by weights chosen on validation items, or by a regression.

Means of probabilities: Lakshminarayanan et al. 2017. Greedy forward selection with replacement: Caruana et al. 2004. Stacking:
Wolpert 1992.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError
from xval.measures.task import Activation

Score: TypeAlias = Callable[[NDArray[Any], NDArray[np.float32]], tuple[float, float]]
"""Function from targets and predictions to a score, larger is better: the main metric, then the negative loss for ties."""
Fit: TypeAlias = Callable[[NDArray[np.float32], NDArray[Any]], "Combiner"]

_SMALLEST = 1e-6  # probabilities before their logarithm
_NEVER = -20.0  # the intercept of a class that was not there to be fitted
_MOST_STEPS = 30
_MOST_PARTS = 10


@dataclass(frozen=True)
class Combiner:
    """Combines the predictions of members into one.

    Attributes:
        activation: See `Task.activation`.
        weights: float64 (n_members,), their sum is 1; unused if there are coefficients.
        coefficients: float64 (n_members * n_outputs, n_outputs), on logarithms of probabilities (logits of several labels,
            numbers as they are), member by member; None: a weighted mean.
        intercepts: float64 (n_outputs,).
    """

    activation: Activation
    weights: NDArray[np.float64]
    coefficients: NDArray[np.float64] | None = None
    intercepts: NDArray[np.float64] | None = None

    def combine(self, answers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Combine the predictions of each example: from float32 (n_members, ..., n_outputs) to float32 (..., n_outputs)."""
        if self.coefficients is None or self.intercepts is None:
            return np.tensordot(self.weights, answers, axes=1).astype(np.float32)
        values = _inputs(answers, self.activation) @ self.coefficients + self.intercepts
        if self.activation == "softmax":
            values = np.exp(values - values.max(axis=-1, keepdims=True))
            values /= values.sum(axis=-1, keepdims=True)
        elif self.activation == "sigmoid":
            values = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
        return values.astype(np.float32)


def mean_of(n_members: int, activation: Activation) -> Combiner:
    """Return the unweighted mean."""
    return Combiner(activation, np.full(n_members, 1 / n_members))


def choose_members(answers: NDArray[np.float32], targets: NDArray[Any], score: Score, activation: Activation) -> Combiner:
    """Return the mean of members from greedy forward selection with replacement (Caruana et al. 2004).

    Args:
        answers: float32 (n_members, n, n_outputs), on validation examples.
        targets: int64 (n,) class numbers, or float32 (n, n_outputs).
        score: The score to maximise; NaN counts as the smallest value.
        activation: See `Task.activation`.
    """
    counts = np.zeros(len(answers))
    total = np.zeros_like(answers[0], dtype=np.float64)
    best: tuple[float, ...] = (-np.inf, -np.inf)
    chosen = counts
    for step in range(1, _MOST_STEPS + 1):
        means = [((total + member_answers) / step).astype(np.float32) for member_answers in answers]
        scores = [tuple(map(_comparable, score(targets, mean))) for mean in means]
        place = max(range(len(scores)), key=scores.__getitem__)
        counts = counts + np.eye(len(answers))[place]
        total += answers[place]
        if scores[place] > best:
            best, chosen = scores[place], counts
    return Combiner(activation, chosen / chosen.sum())


def _comparable(value: float) -> float:
    """Return a score with 12 digits, so that rounding errors do not distinguish equal scores; the smallest one for NaN."""
    return -np.inf if np.isnan(value) else float(f"{value:.12g}")


def stack_members(answers: NDArray[np.float32], targets: NDArray[Any], activation: Activation) -> Combiner:
    """Return a regression on the predictions of all members (Wolpert 1992).

    Classes: multinomial logistic regression on the logarithms of the probabilities. Several labels: a logistic regression of
    each label on its logits. Numbers: a linear regression of each on its predictions, without negative weights (Breiman 1996).
    The arguments are those of `choose_members`.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression

    n_members, _, n_outputs = answers.shape
    values = _inputs(answers, activation)
    coefficients, intercepts = np.zeros((n_members * n_outputs, n_outputs)), np.full(n_outputs, _NEVER)
    if activation == "softmax":
        classes = np.unique(targets)
        if len(classes) > 1:
            fitted = LogisticRegression(max_iter=1000).fit(values, targets)
            is_pair = len(classes) == 2
            intercepts[classes] = [0.0, *fitted.intercept_] if is_pair else fitted.intercept_
            coefficients[:, classes[1:] if is_pair else classes] = fitted.coef_.T
        else:
            intercepts[classes] = 0
    else:
        for output in range(n_outputs):  # the inputs of an output are its own values of all members
            own = slice(output, None, n_outputs)
            wanted = targets[:, output]
            if activation == "linear":
                fitted = LinearRegression(positive=True).fit(values[:, own], wanted)
            elif len(np.unique(wanted)) < 2:
                intercepts[output] = _NEVER if wanted[0] == 0 else -_NEVER
                continue
            else:
                fitted = LogisticRegression(max_iter=1000).fit(values[:, own], wanted > 0)
            coefficients[own, output], intercepts[output] = np.ravel(fitted.coef_), np.ravel(fitted.intercept_)[0]
    return Combiner(activation, np.full(n_members, 1 / n_members), coefficients, intercepts)


def cross_predict(
    fit: Fit, answers: NDArray[np.float32], targets: NDArray[Any], items: NDArray[Any], clips: NDArray[Any], where: str
) -> NDArray[np.float32]:
    """Return predictions for each item from a combiner that was fitted to the others, so that scores are not optimistic.

    Args:
        fit: Function from predictions and targets to a combiner.
        answers: float32 (n_members, n, n_outputs).
        targets: int64 (n,) class numbers, or float32 (n, n_outputs).
        items: (n,), the item of each example; the examples of an item are left out together, in at most ten parts.
        clips: (n,), the clip of each example, left out together if there is only one item.
        where: Named in errors.

    Returns:
        float32 (n, n_outputs).
    """
    from sklearn.model_selection import GroupKFold

    groups = items if len(np.unique(items)) > 1 else clips
    n_groups = len(np.unique(groups))
    if n_groups == 1:
        raise ResultsError(
            f"{where}: has one validation clip, which is too few to choose or weight members. Use --method mean."
        )
    held_out_answers: NDArray[np.float32] = np.empty(answers.shape[1:], np.float32)
    for kept, left_out in GroupKFold(min(_MOST_PARTS, n_groups)).split(targets, groups=groups):
        held_out_answers[left_out] = fit(answers[:, kept], targets[kept]).combine(answers[:, left_out])
    return held_out_answers


def _inputs(answers: NDArray[np.float32], activation: Activation) -> NDArray[np.float64]:
    """Return the inputs of a regression: float64 (..., n_members * n_outputs)."""
    values = np.moveaxis(answers.astype(np.float64), 0, -2)
    if activation != "linear":
        values = np.clip(values, _SMALLEST, 1 - _SMALLEST if activation == "sigmoid" else 1)
        values = np.log(values) - (np.log1p(-values) if activation == "sigmoid" else 0)
    joined: NDArray[np.float64] = values.reshape(*values.shape[:-2], values.shape[-2] * values.shape[-1])
    return joined
