"""How optimistic is a random split of clips? (demo corpus, for comparison with experiments/demo.py)

About half a minute on 2 CPU cores; mean test accuracy near 0.97, far above that on unseen speakers.

xval prepare demo --item clip
python experiments/demo_random_split.py
"""

from xval import Experiment

experiment = Experiment(
    description="The CNN of experiments/demo.py with every speaker on all sides of the split, as it should not be done",
    dataset="demo_random_split",
    num_folds=4,
    num_epochs=12,
    patience=4,
    hop_length=320,  # as in experiments/demo.py
)
experiment[1] = {"architecture": "cnn_small", "comment_1": "CNN, random split"}

if __name__ == "__main__":
    experiment.main()
