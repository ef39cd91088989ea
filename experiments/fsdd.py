"""Spoken digits of unseen speakers, from a plain network to a good one (Free Spoken Digit Dataset, leave one speaker out).

Mean test accuracy from 0.76 (instance 1) to 0.93 (instance 13), chance 0.10; instances 1 to 5 took 40 minutes of CPU time.

xval prepare fsdd FOLDER_OF_THE_RECORDINGS
python experiments/fsdd.py
"""

from importlib.util import find_spec

from xval import Experiment

experiment = Experiment(
    description="Digits of unseen speakers: what scaling per clip, trimming, a fixed duration and augmentation bring",
    dataset="fsdd",
    fold_strategy="leave_one_out",
    sample_rate_hz=8000,
    n_fft=256,
    win_length=200,
    hop_length=80,
    n_mels=40,
    num_epochs=14,
    patience=5,
)
plain = {"architecture": "cnn_small", "clip_length_s": 0.64}
stretched = {"architecture": "cnn_small", "trim_db": 30, "stretch_frames": 48}
per_clip = {"normalization": "per_clip"}
masks = {
    "augment_time_masks": 1,
    "augment_time_mask_frames": 8,
    "augment_frequency_masks": 1,
    "augment_frequency_mask_bins": 6,
}
recipe = {  # docs/recipe.md
    "architecture": "cnn_small",
    "top_db": 40,
    "batch_size": 64,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "learning_rate": 0.004,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "num_epochs": 12,
    "patience": 12,
    "label_smoothing": 0.1,
    "augment_vocal_tract": 0.2,
}
more = {
    "num_epochs": 14,
    "patience": 14,
    "weight_average": 0.98,
    "augment_speed": 0.15,
    "augment_mixstyle": 0.4,
    "augment_mixup": 0.2,
}

recorders = {
    "recipe": "speech",
    "batch_size": 64,
    "learning_rate": 0.004,
    "num_epochs": 22,
    "patience": 12,
    "weight_average": None,
}

experiment[1] = {**plain, "comment_1": "plain"}
experiment[2] = {**plain, **per_clip, "comment_1": "scaled per clip"}
experiment[3] = {**stretched, "comment_1": "trimmed, stretched"}
experiment[4] = {**stretched, **per_clip, "comment_1": "trimmed, stretched, scaled per clip"}
experiment[5] = {**stretched, **per_clip, **masks, "comment_1": "... and masked in training"}
experiment[6] = {**stretched, **per_clip, **masks, **recipe, "comment_1": "... by the recipe"}
experiment[7] = {**stretched, **per_clip, **masks, **recipe, **more, "comment_1": "... with all parts of it"}
experiment[8] = {**experiment[6], "top_db": 80, "comment_1": "the recipe without top_db"}
experiment[9] = {**experiment[6], "architecture": "cp_resnet", "comment_1": "the recipe with cp_resnet"}
baseline = {"architecture": "svm", "features": "mfcc", "n_mfcc": 20, "trim_db": 30}
experiment[10] = {**baseline, "time_parts": 4, "comment_1": "SVM on MFCC, pooled in four parts of the time"}
if find_spec("opensmile"):  # pip install -e '.[opensmile]'
    gemaps = {"features": "embedding", "embedding_model": "opensmile:eGeMAPSv02"}
    experiment[11] = {"architecture": "svm", **gemaps, "comment_1": "SVM on eGeMAPS functionals"}
experiment[12] = {**stretched, **recorders, "comment_1": "... and other recorders, the last of 22 epochs"}
wide = {"n_filters": (24, 48, 96, 128), "weight_average": 0.98, "num_epochs": 28}
experiment[13] = {**experiment[12], **wide, "comment_1": "... with more filters and averaged weights"}

if __name__ == "__main__":
    experiment.main()
