"""Speaker identification: VGG networks on unseen videos of known speakers (VoxCeleb1, official phases).

Networks that average over time train on a random 3 s crop of each utterance in every epoch and are tested on whole utterances;
those with a dense layer over time see the first 3 s. Spectrograms are made on the device, from the waveform. With its 1,251
speakers this needs a GPU.

xval prepare voxceleb FOLDER --phases iden_split.txt --set features=waveform
python experiments/voxceleb.py 3 3 0

Without a list of phases: --set fold_strategy=balanced, which makes folds over videos. Known speakers of the digits corpus, on
a CPU: docs/systems.md.
"""

from xval import Experiment

experiment = Experiment(
    description="Identification of known speakers on unseen videos by VGG networks",
    dataset="voxceleb",
    fold_strategy="predefined",
    features="waveform",
    frontend="stft",
    sample_rate_hz=16000,
    n_fft=1024,
    win_length=400,
    hop_length=160,
    window="hamming",
    num_epochs=20,
    patience=3,
    batch_size=64,
    generator=True,
)
# The networks' own dropout of 0.5 stands between batch normalisation and max-pooling, whose maxima are then larger in training
# than in testing: on the digits it took the test accuracy of instance 3 from 0.99 to 0.33.
fixed = {"clip_length_s": 3.0, "normalization": "per_clip", "dropout": 0.0, "comment_2": "first 3 s"}
crops = {"crop_s": 3.0, "normalization": "per_bin", "dropout": 0.0, "comment_2": "3 s crops, whole utterances"}

experiment[1] = {**fixed, "architecture": "vgg_ultramini", "comment_1": "vgg_ultramini"}
experiment[2] = {**fixed, "architecture": "vgg_mini", "n_filters": (96, 1024), "comment_1": "vgg_mini"}
experiment[3] = {**crops, "architecture": "vgg_pool", "pooling": "average", "comment_1": "vgg_pool, average"}
experiment[4] = {**crops, "architecture": "vgg_pool", "pooling": "max", "comment_1": "vgg_pool, max"}
experiment[5] = {**fixed, "architecture": "vgg_net", "comment_1": "vgg_net"}
# VGGVox: 512-point transform, magnitude without logarithm, pre-emphasis; SGD with momentum from 1e-2 down to 1e-8.
experiment[6] = {
    **crops,
    "architecture": "vggvox",
    "n_fft": 512,
    "scale": "linear",
    "power": 1.0,
    "pre_emphasis": 0.97,
    "optimizer": "sgd",
    "momentum": 0.9,
    "learning_rate": 0.01,
    "schedule": "logarithmic",
    "final_learning_rate": 1e-8,
    "regularization_lambda": 0.0005,
    "num_epochs": 30,
    "early_stopping": False,
    "comment_1": "vggvox",
}

if __name__ == "__main__":
    experiment.main()
