"""Which small network is best on unseen speakers, and does regularisation help? (demo corpus, 4 folds)

xval prepare demo
python experiments/exp1.py            all instances
python experiments/exp1.py 3 7 1      instances 3 to 7 on GPU 1; on a machine without GPUs, on the CPU

An instance is a dict of parameters or a list of assignments as text. Both mean the same.
"""

from xval import Experiment

experiment = Experiment(
    description="Five small networks and the L2 regularisation of the first, tested on unseen speakers",
    dataset="demo",
    num_experiment=2,
    num_folds=4,
    task_type="classification",
    num_epochs=15,
    patience=5,
)
# A dict: every key of config.ini, the options of the architecture, and two comments that name the row of the workbook.
experiment[1] = {"architecture": "cnn_small", "comment_1": "no regularisation", "comment_2": "cnn_small"}
experiment[2] = {
    "architecture": "cnn_small",
    "regularization_lambda": 0.001,
    "comment_1": "reg 0.001",
    "comment_2": "cnn_small",
}
experiment[3] = {"architecture": "cnn_small", "regularization_lambda": 0.01, "comment_1": "reg 0.01", "comment_2": "cnn_small"}
experiment[4] = {"architecture": "mlp", "comment_1": "other networks", "comment_2": "mlp"}
# The older form, a list of assignments: they are read, never executed, and a quoted number is taken as a number.
experiment[5] = [
    'architecture="vgg_mini"',
    "n_filters=(32, 64)",
    'learning_rate="0.001"',
    'reshaping_type="cnn"',
    'comment_1="other networks"',
    'comment_2="vgg_mini"',
]
experiment[6] = ['architecture="rnn_small"', 'comment_1="other networks"', 'comment_2="rnn_small"']
experiment[7] = ['architecture="crnn"', 'comment_1="other networks"', 'comment_2="crnn"']

if __name__ == "__main__":
    experiment.main()
