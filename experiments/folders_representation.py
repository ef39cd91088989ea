"""An autoencoder that learns a small code of spectrograms without any label (deep_audio_features).

embeddings.parquet next to each model has the code of each clip. The error is in units of the normalised features. Chance is
the error of predicting the mean of the training items.

xval prepare folders FOLDER --item-pattern 'REGEX of the speaker in the path' --dataset folders
python experiments/folders_representation.py
"""

from xval import Experiment

experiment = Experiment(
    description="How few numbers rebuild a spectrogram of an unseen speaker",
    dataset="folders",
    num_experiment=2,
    num_folds=4,
    task_type="representation",
    architecture="daf_autoencoder",
    n_fft=800,
    win_length=800,
    hop_length=400,
    n_mels=64,
    num_epochs=50,
    batch_size=16,
)
experiment[1] = {"representation_channels": 10, "comment_1": "10 channels"}
experiment[2] = {"representation_channels": 3, "comment_1": "3 channels"}

if __name__ == "__main__":
    experiment.main()
