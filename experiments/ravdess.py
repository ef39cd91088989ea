"""Speech emotion recognition on RAVDESS: baselines and networks, tested on unseen actors.

xval prepare ravdess RAVDESS_FOLDER --folds five
python experiments/ravdess.py 1 5
python experiments/ravdess.py 6 11        needs openSMILE: pip install -e '.[opensmile]'
xval ensemble results/ravdess/experiment_1 8,9,11

The five folds are those of ResLSTM-SA (arXiv 2606.03359). Its 0.623 balanced accuracy is optimistic, because settings were
chosen by the tested actors and features were scaled over all of them. Here tested actors choose nothing.
benchmarks/ravdess.md has the results. Estimators and networks on ComParE (1 to 12, 17, 19 to 24) take seconds a fold,
networks over frames (13 to 16, 18, 25, 26) some seconds or more for each epoch.
"""

from xval import Experiment

COARSE = {"n_fft": 2048, "win_length": 2048, "hop_length": 1024, "n_mfcc": 20}  # 64 ms a frame, some 58 frames a clip
SIDE_BY_SIDE = {"features": "mfcc+chroma+f0+energy+zcr+spectral+contrast", **COARSE}
STATISTICS = {"feature_deltas": 1, "pooling": ("mean", "deviation", "minimum", "maximum", "median")}
QUARTERS = {**STATISTICS, "time_parts": 4}  # clips begin with as much silence, so that parts tell when a word is said

functionals = {**SIDE_BY_SIDE, **QUARTERS}
bands = {"features": "logmel", "n_fft": 1024, "win_length": 1024, "hop_length": 512, "n_mels": 40, **QUARTERS}
compare = {"features": "embedding", "embedding_model": "opensmile-compare"}
per_speaker = {"normalization": "per_item"}

experiment = Experiment(
    description="RAVDESS, eight emotions, the five folds of the literature: from the majority to networks for prosody",
    dataset="ravdess",
    num_experiment=1,
    fold_strategy="predefined",
    validation_fraction=0.2,
)
experiment[1] = {"architecture": "constant", "features": "mfcc", "comment_1": "majority"}
experiment[2] = {"architecture": "svm", "features": "mfcc", "n_mfcc": 20, "comment_1": "SVM on MFCC"}
experiment[3] = {"architecture": "svm", **SIDE_BY_SIDE, **STATISTICS, "comment_1": "SVM on functionals"}
experiment[4] = {"architecture": "logistic", **functionals, "comment_1": "logistic on functionals of quarters"}
experiment[5] = {"architecture": "logistic", **bands, "comment_1": "logistic on bands of quarters"}
experiment[6] = {"architecture": "logistic", **compare, "comment_1": "logistic on ComParE"}

# From here on every actor is scaled by its own clips.
experiment[7] = {
    "architecture": "svm",
    **functionals,
    **per_speaker,
    "comment_1": "SVM on functionals of quarters, per speaker",
}
experiment[8] = {"architecture": "logistic", **functionals, **per_speaker, "comment_1": "logistic on functionals, per speaker"}
experiment[9] = {"architecture": "logistic", **bands, **per_speaker, "comment_1": "logistic on bands, per speaker"}
experiment[10] = {"architecture": "svm", **compare, **per_speaker, "comment_1": "SVM on ComParE, per speaker"}
experiment[11] = {"architecture": "logistic", **compare, **per_speaker, "comment_1": "logistic on ComParE, per speaker"}
mlp = {
    "architecture": "mlp",
    **compare,
    "n_units": (128,),
    "dropout": 0.5,
    "optimizer": "adamw",
    "learning_rate": 0.0005,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "num_epochs": 20,
    "early_stopping": False,
    "restore_best_weights": False,
    "label_smoothing": 0.1,
}
experiment[12] = {**mlp, **per_speaker, "comment_1": "MLP on ComParE, per speaker"}

# 46 bins in frames of 48 ms; the settings of the paper as far as they are known, and the last of 100 epochs.
experiment[13] = {
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
    "comment_1": "a residual LSTM as published, 46 bins",
}
network = {
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
experiment[14] = {**network, "comment_1": "conformer"}
experiment[15] = {**network, **per_speaker, "comment_1": "conformer, per speaker"}

# A network over frames that a core affords: frames of 128 ms, some 29 a clip.
coarse = {
    "architecture": "lstm_attention",
    "features": "mfcc+energy+zcr+spectral+contrast",
    "n_fft": 4096,
    "win_length": 4096,
    "hop_length": 2048,
    "n_mfcc": 20,
    "optimizer": "adamw",
    "learning_rate": 0.003,
    "weight_decay": 0.05,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "num_epochs": 15,
    "early_stopping": False,
    "restore_best_weights": False,
    "label_smoothing": 0.1,
    "augment_mixup": 0.2,
    "augment_noise": 0.2,
    "clip_norm": 1.0,
}
experiment[16] = {**coarse, **per_speaker, "comment_1": "a residual LSTM in coarse frames, per speaker"}

# Further members for an ensemble that scales no speaker.
experiment[17] = {**mlp, "comment_1": "MLP on ComParE"}
experiment[18] = {**coarse, "comment_1": "a residual LSTM in coarse frames"}

# Further kinds of features, for the ensembles that benchmarks/ravdess.md chooses by validation.
egemaps = {"features": "embedding", "embedding_model": "opensmile-egemaps"}
praat = {"features": "embedding", "embedding_model": "praat"}
speaker_encoder = {"features": "embedding", "embedding_model": "resemblyzer"}
experiment[19] = {"architecture": "logistic", **egemaps, "comment_1": "logistic on eGeMAPS"}
experiment[20] = {"architecture": "logistic", **praat, "comment_1": "logistic on Praat"}
experiment[21] = {"architecture": "logistic", **speaker_encoder, "comment_1": "logistic on a speaker encoder"}
experiment[22] = {"architecture": "logistic", **egemaps, **per_speaker, "comment_1": "logistic on eGeMAPS, per speaker"}
experiment[23] = {"architecture": "logistic", **praat, **per_speaker, "comment_1": "logistic on Praat, per speaker"}
experiment[24] = {
    "architecture": "logistic",
    **speaker_encoder,
    **per_speaker,
    "comment_1": "logistic on a speaker encoder, per speaker",
}

# The plain networks over frames, next to which the others are timed.
experiment[25] = {"architecture": "cnn_small", "comment_1": "plain CNN, as config.ini has it"}
experiment[26] = {
    **coarse,
    "features": "logmel",
    "n_mels": 64,
    "hop_length": 1024,
    "n_fft": 2048,
    "win_length": 2048,
    "architecture": "crnn_attention",
    "num_epochs": 25,
    "comment_1": "convolutions, a GRU and attention",
}

if __name__ == "__main__":
    experiment.main()
