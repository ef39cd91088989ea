"""How far the calibration error is off with few clips, and how often the intervals of ECE and Brier score cover.

python benchmarks/calibration.py [--quick] [--repetitions N]

Each repetition draws speakers whose classifier is more or less too sure of itself: true classes are drawn from probabilities,
which are sharpened by a factor of each speaker. With the factor 1 for all of them it is perfectly calibrated. What is true is
measured on 4,000 speakers. Prints the ratio last: the mean ECE of a calibrated classifier at the fewest clips to that at the
most.
"""

import argparse

import numpy as np

from xval.answers.metric_over_items import MetricOverItems
from xval.measures.metrics import find
from xval.results.tested_examples import TestedExamples

N_CLASSES, N_CLIPS = 8, 60
SPEAKERS = (6, 12, 24, 60)
SHARPNESS = {"calibrated": (1.0, 0.0), "too sure": (1.8, 0.2)}
"""The mean factor, and the standard deviation of its logarithm over speakers."""
METRICS = {name: find("classification", name) for name in ("ece", "brier")}


def draw(n_speakers: int, kind: str, rng: np.random.Generator) -> TestedExamples:
    """Return the clips of new speakers with their probabilities."""
    mean, deviation = SHARPNESS[kind]
    items = np.repeat(np.arange(n_speakers), N_CLIPS)
    logits = rng.normal(size=(len(items), N_CLASSES)) * 1.5 + rng.normal(size=(n_speakers, N_CLASSES))[items] / 2
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    targets = (rng.random(len(items))[:, np.newaxis] > probabilities.cumsum(axis=1)[:, :-1]).sum(axis=1)
    factors = mean * np.exp(deviation * rng.normal(size=n_speakers))[items]
    sharpened = probabilities ** factors[:, np.newaxis]
    sharpened /= sharpened.sum(axis=1, keepdims=True)
    return TestedExamples(items, np.arange(len(items)), np.zeros(len(items), int), targets, sharpened.astype(np.float32))


def main(n_repetitions: int) -> None:
    """Print a line per classifier, number of speakers and metric; then the ratio."""
    rng = np.random.default_rng(0)
    means = {}
    print(f"{'classifier':12}{'speakers':>9}{'clips':>7}  metric     true    mean  covered")
    for kind in SHARPNESS:
        many = draw(4000, kind, rng)
        truth = {name: metric.function(many.targets, many.predictions) for name, metric in METRICS.items()}
        for n_speakers in SPEAKERS:
            found = [draw(n_speakers, kind, rng) for _ in range(n_repetitions)]
            for name, metric in METRICS.items():
                over = [MetricOverItems(metric, [examples]) for examples in found]
                values, intervals = [each.figure() for each in over], [each.interval() for each in over]
                covered = np.mean([bool(each and each.low <= truth[name] <= each.high) for each in intervals])
                means[kind, n_speakers, name] = float(np.mean(values))
                line = f"{truth[name]:8.3f}{means[kind, n_speakers, name]:8.3f}{covered:9.3f}"
                print(f"{kind:12}{n_speakers:9}{n_speakers * N_CLIPS:7}  {name:8}{line}", flush=True)
    print(f"ratio {means['calibrated', SPEAKERS[0], 'ece'] / means['calibrated', SPEAKERS[-1], 'ece']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400, metavar="N")
    parser.add_argument("--quick", action="store_true", help="as little as it takes to see that it runs")
    options = parser.parse_args()
    main(10 if options.quick else options.repetitions)
