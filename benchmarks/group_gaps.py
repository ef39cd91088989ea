"""How often a gap between groups is shown where there is none, if several columns are looked at.

python benchmarks/group_gaps.py [--quick] [--repetitions N]

Each repetition draws speakers, some better than others, with clips of 8 classes, and six columns that change nothing: of the
speaker (gender, accent, age), and of the clip (statement, repetition, level). Prints how often some gap is shown, with the
columns looked at one by one and together, and with one column that does change something how often its gap is shown; last the
ratio of the first two.
"""

import argparse

import numpy as np
import pandas as pd

from xval.answers.instance_predictions import InstancePredictions
from xval.extras.subgroups.columns import GroupColumn
from xval.extras.subgroups.groups import measure_groups
from xval.measures.task import find_task
from xval.results.tested_examples import TestedExamples

N_CLASSES, N_CLIPS = 8, 48
SPEAKERS = (12, 24, 60)
N_GROUPS = {"gender": 2, "accent": 3, "age": 4, "statement": 2, "repetition": 2, "level": 4}
OF_SPEAKERS = ("gender", "accent", "age")
EFFECT = 0.12  # of statement, where it changes something


def draw(n_speakers: int, effect: float, rng: np.random.Generator) -> tuple[InstancePredictions, list[GroupColumn]]:
    """Return the answers on the clips of new speakers, and the columns."""
    items = np.repeat(np.arange(n_speakers), N_CLIPS)
    targets = np.tile(np.arange(N_CLIPS) % N_CLASSES, n_speakers)
    groups = {}
    for name, n_groups in N_GROUPS.items():
        speaker_groups = rng.permutation(np.arange(n_speakers) % n_groups)
        groups[name] = speaker_groups[items] if name in OF_SPEAKERS else rng.integers(0, n_groups, len(items))
    level = 0.6 + rng.normal(0, 0.12, n_speakers)[items] + effect * (groups["statement"] - 0.5)
    answers = np.where(rng.random(len(items)) < level, targets, rng.integers(0, N_CLASSES, len(items)))
    clips = np.arange(len(items)).astype(str)
    predictions = np.eye(N_CLASSES, dtype=np.float32)[answers]
    tested = TestedExamples(items, clips, np.zeros(len(items), int), targets, predictions)
    columns = [
        GroupColumn(name, pd.Series(own.astype(str), index=clips), tuple(map(str, range(N_GROUPS[name]))))
        for name, own in groups.items()
    ]
    return InstancePredictions(1, find_task("classification"), (tested,)), columns


def main(n_repetitions: int) -> None:
    """Print a line per metric and number of speakers."""
    rng, alone, together = np.random.default_rng(0), [], []
    print(f"{'metric':19}{'speakers':>9}  some gap shown: one by one  together (2 se)   real gap shown: alone  together")
    for metric in ("accuracy", "balanced_accuracy"):
        for n_speakers in SPEAKERS:
            shown = []
            for _ in range(n_repetitions):
                tested, columns = draw(n_speakers, 0.0, rng)
                by_one = any(_shown(tested, [column], metric)[0] for column in columns)
                real, others = draw(n_speakers, EFFECT, rng)
                place = list(N_GROUPS).index("statement")
                found = _shown(real, [others[place]], metric)[0], _shown(real, others, metric)[place]
                shown.append((by_one, any(_shown(tested, columns, metric)), *found))
            rates = np.mean(shown, axis=0)
            alone.append(rates[0])
            together.append(rates[1])
            error = 2 * np.sqrt(rates[1] * (1 - rates[1]) / n_repetitions)
            line = f"{rates[0]:28.3f}{rates[1]:10.3f} ({error:.3f}){rates[2]:24.3f}{rates[3]:10.3f}"
            print(f"{metric:19}{n_speakers:9}{line}", flush=True)
    print(f"ratio {np.mean(together) / max(np.mean(alone), 1e-9):.2f}")


def _shown(tested: InstancePredictions, columns: list[GroupColumn], metric: str) -> list[bool]:
    return [bool(found.gap and found.gap.is_shown) for found in measure_groups(tested, columns, metric)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=100, metavar="N")
    parser.add_argument("--quick", action="store_true", help="as little as it takes to see that it runs")
    options = parser.parse_args()
    main(3 if options.quick else options.repetitions)
