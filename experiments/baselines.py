"""What do classical estimators reach on pooled features, beside a small network? (demo corpus, 4 folds)

About 2 minutes of CPU time; the SVM and logistic regression stand at the CNN or above, chance 0.17.

python -m preprocessing demo
python experiments/baselines.py
"""

from xval import Experiment

experiment = Experiment(
    description="Words of unseen speakers: a small network and classical estimators on pooled log-mel features",
    dataset="demo",
    num_experiment=4,
    num_folds=4,
    num_epochs=20,
    patience=6,
)
experiment[1] = {"architecture": "cnn_small"}
experiment[2] = {"architecture": "svm"}
experiment[3] = {"architecture": "svm", "time_parts": 3, "comment_1": "pooled in three parts of the time"}
experiment[4] = {"architecture": "logistic"}
experiment[5] = {"architecture": "forest"}
experiment[6] = {"architecture": "boosting"}
experiment[7] = {"architecture": "knn"}

if __name__ == "__main__":
    experiment.main()
