"""A network that a support vector machine beats has not learned what is in the features.

It is too large for the dataset, or badly trained. Compared by the mean main validation metric over the same folds, never by
test scores and not by the loss, because estimators are calibrated.
"""

import math
from collections.abc import Iterator

from xval.answers.ranking import average_seeds, name_seeds, ranked_together
from xval.answers.repeats import first_of_method, parameters_of
from xval.answers.score_text import rounded
from xval.answers.summary import direction, has_windows, score_name
from xval.answers.variants import IGNORES_THE_AUDIO, Variants, is_network
from xval.base.findings import Finding, Rule
from xval.settings.classical import CLASSICAL

FINDING = Finding.coded(
    __name__,
    "The {n:network|networks of} {who} {n:is|are} worse than the {kind} {best}: {metric} {value}{n_methods:| at best}"
    "{seeds:? ({seeds})} against {best_value}{best_seeds:? ({best_seeds})}.",
    "Train longer (num_epochs), with another learning_rate or a smaller network{is_estimator:?, or use the estimator}.",
)


@Rule(23, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    done, metric = variants.done, variants.main_metric
    side = "clip_validation" if has_windows(done) else "validation"
    sign = 1 if direction(done, metric) else -1
    own_means = {instance.number: instance.over_folds(side, metric)["mean"] for instance in done}
    groups = ranked_together(done)
    values, mean_of = average_seeds(own_means, groups, done), name_seeds(own_means, groups, done)
    means = {number: sign * value for number, value in values.items() if math.isfinite(value)}
    known = [instance for instance in done if instance.number in means]
    estimators = [instance for instance in known if instance.settings.architecture in CLASSICAL]
    best = max(estimators, key=lambda instance: (len(instance.folds), means[instance.number]), default=None)
    if best is None:
        return
    networks = [one for one in known if is_network(one) and one.folds.keys() == best.folds.keys()]
    worse = [instance.number for instance in networks if means[instance.number] < means[best.number]]
    if worse:
        methods = first_of_method(parameters_of(done))
        best_network = max(worse, key=lambda number: means[number])
        value, best_value = rounded(sign * means[best_network], sign * means[best.number])
        is_estimator = best.number not in variants.baselines
        yield FINDING.fill(
            worse,
            n=len(worse),
            n_methods=len({methods[number] for number in worse}),
            who=variants.call(worse),
            kind="estimator" if is_estimator else "baseline",
            is_estimator=is_estimator,
            best=variants.call([best.number]) if is_estimator else f"{IGNORES_THE_AUDIO} ({best.number})",
            metric=score_name(side, metric, done),
            value=value,
            seeds=mean_of.get(best_network),
            best_value=best_value,
            best_seeds=mean_of.get(best.number),
        )
