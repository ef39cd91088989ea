"""A network that a support vector machine beats has not learned what is in the features.

It is too large for the dataset, or badly trained. Compared by the mean main validation metric over the same folds, never by
test scores and not by the loss, because estimators are calibrated.
"""

import math
from collections.abc import Iterator

from xval.answers.ranking import average_seeds
from xval.answers.repeats import parameters_of, seed_replicates
from xval.answers.score_text import rounded
from xval.answers.summary import direction, has_windows, metric_words, side_name
from xval.answers.variants import Variants, is_network
from xval.base.findings import Finding, Rule
from xval.settings.classical import CLASSICAL

FINDING = Finding.coded(
    __name__,
    "The {n:network|networks of} {who} {n:is|are} worse than the estimator {best}: {metric} {value}{n:| at best} against "
    "{best_value}.",
    "Train longer (num_epochs), with another learning_rate or a smaller network, or use the estimator.",
)


@Rule(23, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    done, metric = variants.done, variants.main_metric
    side = "clip_validation" if has_windows(done) else "validation"
    sign = 1 if direction(done, metric) else -1
    own_means = {instance.number: instance.over_folds(side, metric)["mean"] for instance in done}
    values = average_seeds(own_means, seed_replicates(parameters_of(done)))
    means = {number: sign * value for number, value in values.items() if math.isfinite(value)}
    known = [instance for instance in done if instance.number in means]
    estimators = [instance for instance in known if instance.settings.architecture in CLASSICAL]
    best = max(estimators, key=lambda instance: (len(instance.folds), means[instance.number]), default=None)
    if best is None:
        return
    networks = [one for one in known if is_network(one) and one.folds.keys() == best.folds.keys()]
    worse = [instance.number for instance in networks if means[instance.number] < means[best.number]]
    if worse:
        value, best_value = rounded(sign * max(means[number] for number in worse), sign * means[best.number])
        score = f"{side_name(side, done)} {metric_words(metric)}"
        named = {"who": variants.call(worse), "best": variants.call([best.number])}
        yield FINDING.fill(worse, n=len(worse), metric=score, value=value, best_value=best_value, **named)
