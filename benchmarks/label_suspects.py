"""Labels that were swapped at random: the share of them among the first suspects of `xval review-labels`.

python benchmarks/label_suspects.py [FOLDER] [--seed 1] [--svm]     the Free Spoken Digit Dataset; about 6 minutes on a core

FOLDER holds the recordings (default: the environment variable XVAL_FSDD). Of 5 % of the clips another digit becomes the label.
A network, or an SVM on MFCC (1 minute), is trained on them, one speaker left out at a time; validation speakers choose its
epochs, or its parameters. Prints the share of swapped labels among the first 50, 100, 150 and 300 suspects, and last the ratio
of that among the first 150 to the wanted 0.8.
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import preprocessing
from preprocessing.corpora.fsdd import list_clips
from xval import Experiment
from xval.answers.read import choose_instance, read_corpus
from xval.extras.label_review.label_suspects import find_suspects, read_predicted_clips
from xval.results.folder import find_experiment

SHARE = 0.05
FIRST = (50, 100, 150, 300)
WANTED = 0.8
FEATURES = {"sample_rate_hz": 8000, "n_fft": 256, "win_length": 200, "hop_length": 80, "trim_db": 30}
NETWORK = {
    "architecture": "cnn_small", "n_mels": 40, "stretch_frames": 48, "normalization": "per_clip", "recipe": "speech",
    "batch_size": 64, "learning_rate": 0.004, "num_epochs": 14, "patience": 12, "weight_average": None,
    "augment_time_masks": 1, "augment_time_mask_frames": 8, "augment_frequency_masks": 1, "augment_frequency_mask_bins": 6,
}  # fmt: skip
SVM = {"architecture": "svm", "features": "mfcc", "n_mels": 40, "n_mfcc": 20, "time_parts": 4}


def swap_labels(clips: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return clips of which a share has the label of another digit, with the column swapped."""
    rng = np.random.default_rng(seed)
    names = sorted(clips["label"].unique())
    labels, swapped = clips["label"].to_numpy(object).copy(), np.zeros(len(clips), bool)
    swapped[rng.choice(len(clips), round(SHARE * len(clips)), replace=False)] = True
    for row in np.flatnonzero(swapped):
        labels[row] = rng.choice([name for name in names if name != labels[row]])
    return clips.assign(label=labels, swapped=swapped)


def main(recordings: Path, seed: int, *, is_svm: bool) -> None:
    """Print the shares."""
    clips = swap_labels(list_clips(recordings)[["path", "item", "label"]], seed)
    parameters = FEATURES | (SVM if is_svm else NETWORK)
    with tempfile.TemporaryDirectory() as folder:
        places = {"data_folder": f"{folder}/data", "experiment_folder": f"{folder}/results"}
        features = {
            name: value for name, value in parameters.items() if name in (*FEATURES, "n_mels", "stretch_frames", "n_mfcc")
        }
        preprocessing.prepare(
            clips.drop(columns="swapped"), dataset="digits", audio_folder=recordings, data_folder=places["data_folder"],
            task_type="classification", settings=features, quiet=True,
        )  # fmt: skip
        experiment = Experiment("Swapped labels", dataset="digits", fold_strategy="leave_one_out", gpu_ID="cpu", **places)
        experiment[1] = parameters
        try:
            experiment.main(["--quiet"])
        except SystemExit as end:
            if end.code:
                raise
        results = find_experiment(Path(places["experiment_folder"], "digits", "experiment_1"))
        instance = choose_instance(results, 1)
        suspects = find_suspects(read_predicted_clips(instance), read_corpus(results, instance.settings))
    is_swapped = clips.set_index("path")["swapped"][[suspect.clip for suspect in suspects]].to_numpy()
    shares = {first: float(is_swapped[:first].mean()) for first in FIRST}
    listed = ", ".join(f"{share:.3f} of the first {first}" for first, share in shares.items())
    print(f"{len(suspects)} suspects of {len(clips)} clips; swapped are {listed}; by chance {SHARE}")
    print(f"ratio of the share among the first 150 to {WANTED}: {shares[150] / WANTED:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("XVAL_FSDD"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svm", action="store_true", help="an SVM on MFCC, which is quicker and finds fewer")
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name the folder of the recordings, or set XVAL_FSDD")
    main(Path(options.folder), options.seed, is_svm=options.svm)
