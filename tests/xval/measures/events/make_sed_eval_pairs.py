"""Make sed_eval_pairs.json: random pairs of annotated and found events, and what sed_eval 0.2.1 says of them.

Run by hand, in an environment of its own, for sed_eval is not maintained and no dependency of this project:

    python -m venv ENV && ENV/bin/pip install sed_eval==0.2.1
    ENV/bin/python tests/xval/data/make_sed_eval_pairs.py > tests/xval/data/sed_eval_pairs.json

sed_eval adds 2e-16 to the denominators of its rates, which does not show in nine decimals; where it divides by zero it gives
NaN (null here) or a huge number, and the tests say where ours differs.
"""

import json
import random

import sed_eval

LABELS = ["a", "b", "c"]


def draw_events(rng: random.Random, labels: list[str], n_events: int, duration_s: float) -> list[list]:
    """Draw events of every length, which may overlap."""
    events = []
    for _ in range(n_events):
        start_s = rng.uniform(0, duration_s - 0.1)
        end_s = min(duration_s, start_s + rng.choice([0.08, 0.3, 1.0, 3.0]) * rng.uniform(0.8, 1.2))
        events.append([round(start_s, 5), round(end_s, 5), rng.choice(labels)])
    return sorted(events)


def find(rng: random.Random, events: list[list], labels: list[str], duration_s: float) -> list[list]:
    """Blur the annotated events as a detector does: some lost, some split, some under another label, some invented."""
    found = []
    for start_s, end_s, label in events:
        if rng.random() < 0.2:
            continue
        name = rng.choice(labels) if rng.random() < 0.25 else label
        spread_s = rng.choice([0.05, 0.15, 0.3])
        first_s = min(max(0.0, start_s + rng.gauss(0, spread_s)), duration_s - 0.05)
        last_s = min(duration_s, max(first_s + 0.05, end_s + rng.gauss(0, 2 * spread_s)))
        if rng.random() < 0.2 and last_s - first_s > 0.3:
            middle_s = rng.uniform(first_s + 0.1, last_s - 0.1)
            found += [[first_s, middle_s, name], [middle_s + 0.05, last_s, name]]
        else:
            found.append([first_s, last_s, name])
    found += draw_events(rng, labels, rng.randint(0, 3), duration_s)
    return sorted([round(start_s, 5), round(end_s, 5), label] for start_s, end_s, label in found)


def rows(events: list[list], name: str) -> list[dict]:
    """Return events as sed_eval wants them."""
    return [
        {"event_onset": start_s, "event_offset": end_s, "event_label": label, "file": name} for start_s, end_s, label in events
    ]


def values(metrics: sed_eval.sound_event.SoundEventMetrics) -> dict:
    """Return all figures, NaN as None."""
    plain = json.loads(json.dumps(metrics.results(), default=float), parse_constant=lambda _: None)
    return {
        "overall": {**plain["overall"]["f_measure"], **plain["overall"]["error_rate"]},
        "by_class": {
            label: {**scores["count"], **scores["f_measure"], **scores["error_rate"]}
            for label, scores in plain["class_wise"].items()
        },
        "mean_of_classes": {**plain["class_wise_average"]["f_measure"], **plain["class_wise_average"]["error_rate"]},
    }


def evaluate(recordings: list[dict]) -> dict:
    """Return what sed_eval says of some recordings together."""
    by_segment = sed_eval.sound_event.SegmentBasedMetrics(event_label_list=LABELS, time_resolution=1.0)
    by_event = sed_eval.sound_event.EventBasedMetrics(event_label_list=LABELS, t_collar=0.2, percentage_of_length=0.5)
    for number, recording in enumerate(recordings):
        pair = [rows(recording[side], str(number)) for side in ("reference", "estimated")]
        by_segment.evaluate(*pair, evaluated_length_seconds=recording["duration_s"])
        by_event.evaluate(*pair)
    return {"segment": values(by_segment), "event": values(by_event)}


def draw_pair(rng: random.Random, labels: list[str], n_events: int) -> dict:
    """Draw a recording."""
    duration_s = round(rng.uniform(8, 30), 2)
    reference = draw_events(rng, labels, n_events, duration_s)
    return {"duration_s": duration_s, "reference": reference, "estimated": find(rng, reference, labels, duration_s)}


def main() -> None:
    """Print the file."""
    rng = random.Random(20240229)
    pairs = [draw_pair(rng, LABELS, rng.randint(3, 25)) for _ in range(16)]
    pairs += [draw_pair(rng, LABELS[:2], 6) for _ in range(2)]  # one class occurs nowhere
    silent = draw_pair(rng, LABELS, 6)
    pairs += [{**silent, "estimated": []}, {**silent, "reference": []}]
    head = {
        "made_by": "make_sed_eval_pairs.py",
        "sed_eval": sed_eval.__version__,
        "labels": LABELS,
        "together": evaluate(pairs),
    }
    # A line for each pair.
    lines = ",\n  ".join(json.dumps({**pair, **evaluate([pair])}, allow_nan=False) for pair in pairs)
    print(f'{json.dumps(head, allow_nan=False)[:-1]},\n "pairs": [\n  {lines}\n]}}')


if __name__ == "__main__":
    main()
