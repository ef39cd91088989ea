"""Make sed_scores_eval_cases.json: random annotated events and scores of frames, and the PSDS that sed_scores_eval 0.0.4 gives.

Run by hand, in an environment of its own, for sed_scores_eval does not run with the packages of this project:

    python -m venv ENV
    ENV/bin/pip install 'numpy<2' 'pandas<2.2' 'setuptools<70' cython wheel
    ENV/bin/pip install sed_scores_eval==0.0.4 --no-build-isolation
    cd tests/xval/measures/events && ENV/bin/python make_sed_scores_eval_cases.py > sed_scores_eval_cases.json
"""

import json

import numpy as np
from sed_scores_eval import intersection_based
from sed_scores_eval.base_modules.scores import create_score_dataframe

SCENARIOS = {
    "psds1": {"dtc_threshold": 0.7, "gtc_threshold": 0.7, "cttc_threshold": None, "alpha_ct": 0.0, "alpha_st": 1.0},
    "psds2": {"dtc_threshold": 0.1, "gtc_threshold": 0.1, "cttc_threshold": 0.3, "alpha_ct": 0.5, "alpha_st": 1.0},
}
MOST_PER_H = (100.0, 2000.0)


def draw(seed: int, n_recordings: int, n_frames: int, labels: str, frame_s: float, sure: float, confusion: float) -> list:
    """Draw recordings: events of each label, and smoothed scores that are higher there, and where the next label is."""
    rng = np.random.default_rng(seed)
    recordings = []
    for number in range(n_recordings):
        events, active = [], np.zeros((n_frames, len(labels)))
        for column, label in enumerate(labels):
            start_s = rng.choice([rng.uniform(0, 1.5), np.inf])  # in half of the recordings there is none
            while (end_s := start_s + rng.uniform(0.2, 2)) < n_frames * frame_s:
                events.append((round(start_s, 4), round(end_s, 4), label))
                active[int(start_s / frame_s) : int(end_s / frame_s) + 1, column] = 1
                start_s = end_s + rng.uniform(0.5, 6)
        if number == 0:  # each label has an event
            events += [(0.1111, 1.2345, label) for label in labels if all(label != of for _, _, of in events)]
        noise = [np.convolve(rng.normal(size=n_frames + 4), np.ones(5) / 5, "valid") for _ in labels]
        logits = sure * (active + confusion * np.roll(active, 1, axis=1)) - 2 + 1.5 * np.array(noise).T
        logits += 0.3 * rng.normal(size=active.shape)
        recordings.append({"events": events, "scores": np.round(1 / (1 + np.exp(-logits)), 2).tolist()})
    return recordings


def measure(recordings: list, labels: str, frame_s: float) -> dict:
    """Return the PSDS by scenario and most false positives per hour."""
    named = {f"r{number}": each for number, each in enumerate(recordings)}
    times = {name: np.arange(len(each["scores"]) + 1) * frame_s for name, each in named.items()}
    scores = {name: create_score_dataframe(np.array(each["scores"]), times[name], list(labels)) for name, each in named.items()}
    return {
        f"{name} {most:g}": float(
            intersection_based.psds(
                scores=scores,
                ground_truth={name: each["events"] for name, each in named.items()},
                audio_durations={name: float(edges[-1]) for name, edges in times.items()},
                unit_of_time="hour",
                max_efpr=most,
                **scenario,
            )[0]
        )
        for name, scenario in SCENARIOS.items()
        for most in MOST_PER_H
    }


if __name__ == "__main__":
    drawn = [
        (1, 2, 40, "abc", 0.2, 3.0, 0.5),
        (7, 3, 60, "abc", 0.3, 0.6, 3.0),
        (8, 2, 60, "ab", 0.25, 0.5, 3.0),
        (14, 3, 60, "abcde", 0.2, 0.4, 2.0),
        (15, 6, 30, "abcd", 0.3, 0.8, 2.0),
    ]
    cases = []
    for case in drawn:
        made = draw(*case)
        cases.append({"labels": case[3], "frame_s": case[4], "recordings": made, "psds": measure(made, case[3], case[4])})
    print(json.dumps(cases))
