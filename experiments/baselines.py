"""Baselines: classical estimators on pooled features (demo corpus, the folds of experiments/demo.py).

About 2 minutes of CPU time; mean test accuracy of the SVM near 0.76, of logistic regression near 0.69, chance 0.17.

xval prepare demo
python experiments/baselines.py
xval compare results/demo/experiment_4 --baseline results/demo/experiment_1:1
"""

from importlib.util import find_spec

from xval import Experiment

experiment = Experiment(
    description="Words of unseen speakers: classical estimators on pooled log-mel features",
    dataset="demo",
    num_experiment=4,
    num_folds=4,
)
experiment[1] = {"architecture": "svm"}
experiment[2] = {"architecture": "svm", "time_parts": 3, "comment_1": "pooled in three parts of the time"}
experiment[3] = {"architecture": "logistic"}
experiment[4] = {"architecture": "forest"}
experiment[5] = {"architecture": "knn"}
experiment[6] = {"architecture": "boosting"}
if find_spec("opensmile"):  # pip install -e '.[opensmile]'
    gemaps = {"features": "embedding", "embedding_model": "opensmile:eGeMAPSv02"}
    experiment[7] = {"architecture": "svm", **gemaps, "comment_1": "eGeMAPS functionals"}

if __name__ == "__main__":
    experiment.main()
