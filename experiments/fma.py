"""Music genres from windows of 3 s; predictions are averaged over a track of 30 s (Free Music Archive, 8 genres).

The workbook has the metrics of windows and of tracks. Folds are the official split, in which each artist is in one part.
--set fold_strategy=balanced makes folds over artists instead. Chance is 0.125.

xval prepare fma FOLDER
python experiments/fma.py
tensorboard --logdir results/fma
"""

from xval import Experiment

experiment = Experiment(
    description="Genres of music by unseen artists: windows of 3 s, averaged in three ways, and whole tracks",
    dataset="fma",
    fold_strategy="predefined",
    architecture="fma_cnn",
    sample_rate_hz=44100,
    n_fft=2048,
    win_length=2048,
    hop_length=512,
    n_mels=128,
    clip_length_s=30.0,
    normalization="per_clip",
    num_epochs=5,
    batch_size=16,
    tensorboard=True,
)
windows = {"example_length_s": 3.0, "example_overlap": 0.0}

experiment[1] = {**windows, "clip_average": "logits", "comment_1": "3 s windows", "comment_2": "mean of the logits"}
experiment[2] = {**windows, "clip_average": "probabilities", "comment_1": "3 s windows", "comment_2": "mean of probabilities"}
experiment[3] = {**windows, "clip_average": "votes", "comment_1": "3 s windows", "comment_2": "votes"}
experiment[4] = {"batch_size": 4, "comment_1": "whole tracks of 30 s"}

if __name__ == "__main__":
    experiment.main()
