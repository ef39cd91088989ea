"""How far the calibration error is off with few clips, and how often the intervals of ECE and Brier score cover.

python benchmarks/calibration.py [--sets] [--quick] [--repetitions N]

Each repetition draws speakers whose classifier is more or less too sure of itself: true classes are drawn from probabilities,
which are sharpened by a factor of each speaker. With the factor 1 for all of them it is perfectly calibrated. What is true is
measured on 4,000 speakers. Prints the ratio last: the mean ECE of a calibrated classifier at the fewest clips to that at the
most. --sets instead draws known speakers and new ones, and prints how often the sets of classes of docs/calibration.md hold the
true class of new speakers, beside sets that take each clip for a speaker; last the least ratio of coverage to what is wanted.
"""

import argparse

import numpy as np

from xval.answers.metric_over_items import MetricOverItems
from xval.measures.conformal import SpeakerScores, prediction_sets, score_clips
from xval.measures.metrics import find
from xval.results.tested_examples import TestedExamples

N_CLASSES, N_CLIPS = 8, 60
SPEAKERS = (6, 12, 24, 60)
KNOWN, NEW = (12, 24, 60), 10
COVERAGES = (0.8, 0.9)
SHARPNESS = {"calibrated": (1.0, 0.0), "too sure": (1.8, 0.2), "unlike each other": (1.8, 0.8)}
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
    for kind in ("calibrated", "too sure"):
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


def measure_sets(n_repetitions: int) -> None:
    """Print a line per classifier, number of known speakers and coverage; then the ratio."""
    rng, least = np.random.default_rng(0), np.inf
    print(f"{'classifier':19}{'speakers':>9}  wanted  covered (2 se)  classes   by clip (2 se)")
    for kind in SHARPNESS:
        for n_speakers in KNOWN:
            drawn = [(draw(n_speakers, kind, rng), draw(NEW, kind, rng)) for _ in range(n_repetitions)]
            for coverage in COVERAGES:
                by_speaker = np.array([_worth(known, known.items, new, coverage) for known, new in drawn])
                by_clip = np.array([_worth(known, np.arange(len(known.items)), new, coverage) for known, new in drawn])
                covered, errors = by_speaker[:, 0].mean(), 2 * by_speaker.std(axis=0) / np.sqrt(n_repetitions)
                naive, naive_error = by_clip[:, 0].mean(), 2 * by_clip[:, 0].std() / np.sqrt(n_repetitions)
                least = min(least, covered / coverage)
                line = f"{covered:9.3f} ({errors[0]:.3f}){by_speaker[:, 1].mean():9.2f}{naive:10.3f} ({naive_error:.3f})"
                print(f"{kind:19}{n_speakers:9}{coverage:8}{line}", flush=True)
    print(f"ratio {least:.3f}")


def _worth(known: TestedExamples, items: np.ndarray, new: TestedExamples, coverage: float) -> tuple[float, float]:
    """Return the share of the clips of new speakers whose set holds the true class, and the mean size of sets."""
    scores = SpeakerScores(score_clips(known.targets, known.predictions), items, np.zeros(len(items), int))
    sets = prediction_sets(scores, new.predictions[np.newaxis], coverage)
    return float(sets[np.arange(len(sets)), new.targets].mean()), float(sets.sum(axis=1).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400, metavar="N")
    parser.add_argument("--quick", action="store_true", help="as little as it takes to see that it runs")
    parser.add_argument("--sets", action="store_true", help="measure sets of classes instead")
    options = parser.parse_args()
    (measure_sets if options.sets else main)(10 if options.quick else options.repetitions)
