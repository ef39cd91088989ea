"""How well does a small network recognise words of unseen speakers? (demo corpus, 4 folds, repeated three times)

About a minute on 2 CPU cores; mean test accuracy near 0.65, chance 0.17.

xval prepare demo
python experiments/demo.py
"""

from xval import Experiment

experiment = Experiment(
    description="Words of unseen speakers: three small networks on the demo corpus",
    dataset="demo",
    num_folds=4,
    num_epochs=12,
    patience=4,
    hop_length=320,  # 20 ms between frames: half the work of the 10 ms in config.ini
)
experiment[1] = {"architecture": "cnn_small", "comment_1": "CNN"}
experiment[2] = {"architecture": "cnn_small", "normalization": "per_clip", "comment_1": "CNN, scaled per clip"}
experiment[3] = {"architecture": "mlp", "comment_1": "MLP"}

if __name__ == "__main__":
    experiment.main()
