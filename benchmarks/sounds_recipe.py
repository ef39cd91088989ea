"""What each part of ``recipe = sounds`` brings, on generated music of eight genres by artists that no model was trained on.

python benchmarks/sounds_recipe.py [--folder FOLDER] [--quick]

Writes 192 clips of 3 s, each cut at random from a track of `_generated_music`, and runs `cnn_small` without a recipe, with it,
and with it but for one part, on the same three folds over artists, with two seeds. FOLDER keeps the audio and the results: what
is finished is not trained again. Prints the table of the experiment, and last the ratio of the error of the recipe to that
without it.
"""

import argparse
import os
import tempfile
from pathlib import Path

import _generated_music
import numpy as np
import soundfile

from preprocessing import prepare
from xval import Experiment
from xval.settings.recipes import recipe_settings

SIZES = {False: (6, 4), True: (3, 1)}  # artists of a genre, tracks of each
TRACK_S, CLIP_S = 12.0, 3.0
FEATURES = {"sample_rate_hz": 16000, "n_fft": 1024, "win_length": 1024, "hop_length": 256, "n_mels": 40}
PLAIN = {"architecture": "cnn_small", "comment_1": "plain"}
PARTS: dict[str, dict[str, object]] = {
    "shifts in time": {"augment_time_shift_s": 0},
    "mixup": {"augment_mixup": 0},
    "frequency response": {"augment_response_db": 0},
    "masks": {f"augment_{axis}": 0 for axis in ("time_masks", "time_mask_frames", "frequency_masks", "frequency_mask_bins")},
    "windows": {"example_length_s": None},
}


def write_clips(folder: Path, *, n_artists: int, n_tracks: int) -> None:
    """Write ``{genre}/{artist}_{track}.wav``, the artists numbered in each genre."""
    _generated_music.TRACK_S = TRACK_S
    rng = np.random.default_rng(_generated_music.SEED)
    with tempfile.TemporaryDirectory() as place:
        _generated_music.write_music(Path(place), n_artists=n_artists, n_tracks=n_tracks)
        tracks = sorted(Path(place).rglob("*.wav"))
        for number, path in enumerate(tracks):
            genre, place_in_genre = divmod(number, n_artists * n_tracks)
            artist, track = divmod(place_in_genre, n_tracks)
            first_s = rng.uniform(0, TRACK_S - CLIP_S)
            rate_hz = _generated_music.SAMPLE_RATE_HZ
            samples, _ = soundfile.read(path, start=round(first_s * rate_hz), frames=round(CLIP_S * rate_hz))
            clip = folder / list(_generated_music.GENRES)[genre] / f"{genre}{artist}_{track}.wav"
            clip.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(clip, samples, rate_hz)


def main(folder: Path, *, quick: bool) -> None:
    """Make the corpus and run the experiment."""
    n_artists, n_tracks = SIZES[quick]
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not Path("data", "sounds").exists():
        write_clips(Path("clips"), n_artists=n_artists, n_tracks=n_tracks)
        prepare("clips", dataset="sounds", item_pattern="([0-9]+)_", settings=FEATURES, quiet=True)
    shared = {"dataset": "sounds", "num_folds": 3, "repeats": 1 if quick else 2, "fold_repeats": 1, "gpu_ID": "cpu", **FEATURES}
    experiment = Experiment("What do the parts of recipe = sounds bring?", **shared)
    given = recipe_settings("sounds", "classification")
    its_training = {name for name, value in recipe_settings("speech", "classification").items() if given.get(name) == value}
    others = {name: value for name, value in given.items() if name not in its_training or name.startswith("augment_")}
    experiment[1] = PLAIN
    experiment[2] = {**PLAIN, "recipe": "sounds", "comment_1": "recipe = sounds"}
    for number, (part, changed) in enumerate(PARTS.items(), start=3):
        experiment[number] = {**PLAIN, "recipe": "sounds", **changed, "comment_1": f"without {part}"}
    experiment[3 + len(PARTS)] = {**PLAIN, **others, "comment_1": "without its training"}
    accuracy = experiment.run().summary["clip_test_balanced_accuracy_mean"]
    print(f"ratio of the error of the recipe to the plain one {(1 - accuracy[2]) / (1 - accuracy[1]):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="of the audio and the results (default: one that is removed again)")
    parser.add_argument("--quick", action="store_true", help="few clips, one seed, which measure nothing")
    given_options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(given_options.folder or Path(temporary), quick=given_options.quick)
