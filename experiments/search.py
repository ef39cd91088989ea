"""Which settings of a small network recognise words of unseen speakers? Each fold searches on speakers that it does not test.

Demo corpus, 4 folds of 30 trials: about 3 minutes of one CPU core.

xval prepare demo
python experiments/search.py
"""

from xval import Experiment, choice, log_uniform, uniform

experiment = Experiment(
    description="Words of unseen speakers: an MLP as it is, and with settings that each fold searches",
    dataset="demo",
    num_experiment=6,
    num_folds=4,
    num_epochs=12,
    patience=4,
    monitor="val_accuracy",
)
experiment[1] = {"architecture": "mlp", "comment_1": "as it is"}
experiment.search(
    {
        "learning_rate": log_uniform(1e-4, 3e-2),
        "dropout": uniform(0, 0.6),
        "n_units": choice([(16,), (64,), (128, 64)]),
        "normalization": choice(["per_bin", "per_clip"]),
    },
    n_trials=30,
    architecture="mlp",
)

if __name__ == "__main__":
    experiment.main()
