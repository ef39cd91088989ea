"""How far the calibration error is off with few clips, and how often the intervals of ECE and Brier score cover.

python benchmarks/calibration.py [--sets | --curve] [--quick] [--repetitions N]

Each repetition draws speakers whose classifier is more or less too sure of itself: true classes are drawn from probabilities,
which are sharpened by a factor of each speaker. With the factor 1 for all of them it is perfectly calibrated. What is true is
measured on 4,000 speakers. Prints the ratio last: the mean ECE of a calibrated classifier at the fewest clips to that at the
most. --sets instead draws known speakers and new ones, and prints how often the sets of classes of docs/calibration.md hold the
true class of new speakers, beside sets that take each clip for a speaker; last the least ratio of coverage to what is wanted.
--curve prints how often the interval of the share of wrong answers among the surest clips covers it, beside a percentile
bootstrap over speakers with 200 draws; last the least coverage.
"""

import argparse

import numpy as np

from xval.answers.metric_over_items import MetricOverItems
from xval.measures.conformal import Answers, RiskCurve, SpeakerScores, prediction_sets, risk_curve, score_clips
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
                values, intervals = [each.score() for each in over], [each.interval() for each in over]
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


def measure_curve(n_repetitions: int) -> None:
    """Print a line per classifier, number of speakers and share of the clips; then the least coverage."""
    rng, shares, least = np.random.default_rng(0), (0.2, 0.5, 0.8), 1.0
    print(f"{'classifier':19}{'speakers':>9}  share   wrong  covered (2 se)  bootstrap")
    for kind in SHARPNESS:
        places = [round(share * 50) - 1 for share in shares]
        truth = _curve(draw(4000, kind, rng)).risks[places]
        for n_speakers in SPEAKERS:
            covered, by_bootstrap = [], []
            for _ in range(n_repetitions):
                examples = draw(n_speakers, kind, rng)
                curve = _curve(examples)
                covered.append((curve.low[places] <= truth) & (truth <= curve.high[places]))
                low, high = np.quantile(_resampled(examples, shares, rng), [0.025, 0.975], axis=1)
                by_bootstrap.append((low <= truth) & (truth <= high))
            share_rows = zip(shares, truth, np.mean(covered, axis=0), np.mean(by_bootstrap, axis=0), strict=True)
            for share, wrong, own, bootstrap in share_rows:
                error = 2 * np.sqrt(own * (1 - own) / n_repetitions)
                print(f"{kind:19}{n_speakers:9}{share:7}{wrong:8.3f}{own:9.3f} ({error:.3f}){bootstrap:11.3f}", flush=True)
                least = min(least, own)
    print(f"ratio {least:.3f}")


def _curve(examples: TestedExamples) -> RiskCurve:
    return risk_curve([Answers(examples.targets, examples.predictions, examples.items)])


def _resampled(examples: TestedExamples, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Return the share of wrong answers at each share of clips in 200 draws of as many speakers, (n_shares, 200)."""
    order = np.argsort(-examples.predictions.max(axis=1), kind="stable")
    is_wrong = (examples.predictions.argmax(axis=1) != examples.targets)[order]
    n_speakers = len(examples.names)
    weights = rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=200)[:, examples.items[order]]
    answered, wrong = weights.cumsum(axis=1), (weights * is_wrong).cumsum(axis=1)
    places = [(answered < share * answered[:, -1:]).sum(axis=1) for share in shares]
    return np.array([wrong[range(200), place] / answered[range(200), place] for place in places])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400, metavar="N")
    parser.add_argument("--quick", action="store_true", help="as little as it takes to see that it runs")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--sets", action="store_true", help="measure sets of classes instead")
    chosen.add_argument("--curve", action="store_true", help="measure the interval of wrong answers among the surest instead")
    options = parser.parse_args()
    measure = measure_sets if options.sets else measure_curve if options.curve else main
    measure(10 if options.quick else options.repetitions)
