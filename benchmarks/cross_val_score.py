"""The same SVM by cross_val_score of scikit-learn: with folds over clips, and with folds over speakers.

python benchmarks/cross_val_score.py FOLDER --label REGEX --speaker REGEX

The SVM reads mean and standard deviation of 20 MFCC of each clip (.wav or .flac). Both patterns have one group and are found in
the path below FOLDER.
"""

import argparse
import re
from pathlib import Path

import librosa
import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

N_SPLITS = 6


def main() -> None:
    """Print the mean and standard deviation over folds of both ways to split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default=r"^([a-z]+)_", help="finds the class in a path (default: the demo's)")
    parser.add_argument("--speaker", default=r"_(s\d+)_", help="finds the speaker in a path (default: the demo's)")
    given = parser.parse_args()
    paths = sorted(path for ending in ("wav", "flac") for path in given.folder.rglob(f"*.{ending}"))
    if not paths:
        parser.error(f"{given.folder}: has no .wav or .flac files. Give the folder of the recordings.")
    names = [path.relative_to(given.folder).as_posix() for path in paths]
    labels, speakers = (
        [re.search(pattern, name)[1] for name in names]  # type: ignore[index]  # a path without it is an error
        for pattern in (given.label, given.speaker)
    )
    features = np.array([_mean_and_deviation(path) for path in paths])
    model = make_pipeline(StandardScaler(), SVC(C=10))
    clip_folds = StratifiedKFold(N_SPLITS, shuffle=True, random_state=1)
    for what, folds, groups in (("clips", clip_folds, None), ("speakers", GroupKFold(N_SPLITS), speakers)):
        scores = cross_val_score(model, features, labels, cv=folds, groups=groups, scoring="balanced_accuracy")
        print(f"{N_SPLITS} folds over {what}: balanced accuracy {scores.mean():.3f} ± {scores.std(ddof=1):.3f}")


def _mean_and_deviation(path: Path) -> np.ndarray:
    samples, rate = librosa.load(path, sr=None)
    mfcc = librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=20, n_fft=512)
    return np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])


if __name__ == "__main__":
    main()
