"""Emotion of acted speech on RAVDESS: what each step of the ladder brings for actors that nothing trained or chose on.

python -m preprocessing ravdess RAVDESS_FOLDER --folds five
python experiments/ravdess.py

The five folds are those of ResLSTM-SA (arXiv 2606.03359), whose figure, 0.623 balanced accuracy, had its settings chosen by the
tested actors and its features scaled over all of them. Here the tested actors of a fold choose nothing: settings were compared
on validation actors of three folds, and docs/ravdess.md has the table.
"""

from xval import Experiment

COARSE = {"n_fft": 2048, "win_length": 2048, "hop_length": 1024, "n_mfcc": 20}  # 64 ms a frame, some 58 frames a clip
SIDE_BY_SIDE = {"features": "mfcc+chroma+f0+energy+zcr+spectral+contrast", **COARSE}

experiment = Experiment(
    description="RAVDESS, eight emotions, the five folds of the literature: baselines, the published network, and ours",
    dataset="ravdess",
    num_experiment=1,
    fold_strategy="predefined",
    validation_fraction=0.2,
)
experiment[1] = {"architecture": "svm", "features": "mfcc", "n_mfcc": 20, "comment_1": "SVM on MFCC"}
experiment[2] = {"architecture": "svm", **SIDE_BY_SIDE, "feature_deltas": 1, "comment_1": "SVM on functionals"}

# 46 bins in frames of 48 ms; the settings of the paper as far as they are known, and the last of 100 epochs.
published = {
    "architecture": "lstm_attention",
    "features": "mfcc+chroma+f0",
    "n_fft": 1536,
    "win_length": 1536,
    "hop_length": 768,
    "n_mfcc": 32,
    "learning_rate": 1.5e-4,
    "num_epochs": 100,
    "early_stopping": False,
    "restore_best_weights": False,
}
experiment[3] = {**published, "comment_1": "published: residual LSTM, 46 bins"}

ours = {
    **SIDE_BY_SIDE,
    "architecture": "conformer",
    "n_blocks": 1,
    "dropout": 0.3,
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 3,
    "num_epochs": 25,
    "early_stopping": False,
    "restore_best_weights": False,
    "label_smoothing": 0.1,
    "augment_mixup": 0.3,
    "augment_noise": 0.3,
    "augment_speed": 0.2,
    "augment_time_masks": 1,
    "augment_time_mask_frames": 8,
    "clip_norm": 1.0,
}
experiment[4] = {**ours, "comment_1": "conformer, side by side"}

if __name__ == "__main__":
    experiment.main()
