"""The recall of each class or label over the test clips of an instance, with its interval over items."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.answers.metric_over_items import MetricOverItems
from xval.measures.confusion import all_classes
from xval.measures.metrics import Metric
from xval.results.item_scores import ClassRecall
from xval.results.tested_examples import TestedExamples

_MOST_INTERVALS = 200_000  # classes times items; more would take minutes


def class_recalls(repeats: Sequence[TestedExamples], class_names: Sequence[str]) -> dict[str, ClassRecall]:
    """Return the recall of each class, averaged over repeats.

    The interval of a class covers only the items that have clips of this class.

    Args:
        repeats: All tested clips, for each seed of each repeat; with several labels 0 and 1 instead of probabilities.
        class_names: Names of the outputs.
    """
    repeat_counts = [all_classes(examples.targets, examples.predictions) for examples in repeats]
    has_intervals = len(class_names) * len(repeats[0].names) <= _MOST_INTERVALS
    recalls = {}
    for number, name in enumerate(class_names):
        true = [is_true[:, number] for is_true, _ in repeat_counts]
        if not true[0].any():
            continue
        answered = [
            _with_predictions(examples, own[1][:, number]) for examples, own in zip(repeats, repeat_counts, strict=True)
        ]
        over_items = MetricOverItems(_RECALL, answered, true, is_mean=False)
        interval = over_items.interval() if has_intervals else None
        recalls[name] = ClassRecall(
            n_clips=int(true[0].sum()),
            n_items=len(over_items.items),
            recall=over_items.score(),
            low=interval.low if interval else None,
            high=interval.high if interval else None,
        )
    return recalls


def _share(targets: NDArray[Any], predictions: NDArray[Any]) -> float:  # noqa: ARG001 - of clips that all have the class
    return float(predictions.mean())


_RECALL = Metric(_share, higher_is_better=True, bounds=(0, 1))


def _with_predictions(examples: TestedExamples, predicted: NDArray[np.bool_]) -> TestedExamples:
    """Return the same examples; the prediction is whether the model answered with one class."""
    own = copy(examples)
    own.predictions = predicted[:, np.newaxis].astype(np.float32)
    return own
