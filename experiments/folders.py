"""A CNN on folders of sounds, and a classifier on its outputs and hand-crafted features (deep_audio_features).

The names of the folders are the classes. Instances 3 and 4 read the networks of instance 1, fold by fold, so no feature
comes from a network that has seen the test items. They run after instance 1. For another corpus or experiment number change
DATASET or NETWORKS below.

xval prepare folders FOLDER --item-pattern 'REGEX of the speaker in the path' --dataset folders
python experiments/folders.py
"""

from xval import Experiment

DATASET = "folders"
NETWORKS = f"results/{DATASET}/experiment_1/instance_1/fold_{{fold}}/model.keras"

experiment = Experiment(
    description="daf_cnn, hand-crafted features with an SVM, and both combined",
    dataset=DATASET,
    num_folds=4,
    n_fft=800,
    win_length=800,
    hop_length=800,
    n_mels=128,
    db_reference="max",
    num_epochs=100,
    batch_size=16,
    monitor="val_macro_f1",
    patience=10,
)
combined = {"architecture": "feature_combination", "models": [NETWORKS], "class_weights": "balanced"}

experiment[1] = {
    "architecture": "daf_cnn",
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "weight_decay": 0.02,
    "comment_1": "daf_cnn",
}
experiment[2] = {"architecture": "feature_combination", "class_weights": "balanced", "comment_1": "hand-crafted, SVM"}
experiment[3] = {**combined, "comment_1": "daf_cnn and hand-crafted, SVM"}
experiment[4] = {**combined, "basic_features": False, "comment_1": "daf_cnn, SVM"}

if __name__ == "__main__":
    experiment.main()
