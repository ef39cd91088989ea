"""Spoken digits of unseen speakers, from a plain network to a good one (Free Spoken Digit Dataset, leave one speaker out).

About 20 minutes on 2 CPU cores; mean test accuracy from 0.75 (instance 1) to 0.81 (instance 2), chance 0.10.

python -m preprocessing fsdd FOLDER_OF_THE_RECORDINGS
python experiments/fsdd.py
"""

from xval import Experiment

experiment = Experiment(
    description="Digits of unseen speakers: what scaling per clip, trimming silence and a fixed duration bring",
    dataset="fsdd",
    fold_strategy="leave_one_out",
    sample_rate_hz=8000,
    n_fft=256,
    win_length=200,
    hop_length=80,
    n_mels=40,
    num_epochs=12,
    patience=4,
)
plain = {"architecture": "cnn_small", "clip_length_s": 0.64}
stretched = {"architecture": "cnn_small", "trim_db": 30, "stretch_frames": 48}

experiment[1] = {**plain, "comment_1": "plain"}
experiment[2] = {**plain, "normalization": "per_clip", "comment_1": "scaled per clip"}
experiment[3] = {**stretched, "comment_1": "trimmed, stretched"}
experiment[4] = {**stretched, "normalization": "per_clip", "comment_1": "trimmed, stretched, scaled per clip"}

if __name__ == "__main__":
    experiment.main()
