"""What users of Keras and scikit-learn call the settings and estimators of this project: every synonym in one table.

Comes in: a name that the project does not have. Goes out: what to write in its place, or the name that is meant. Other names of
the metrics of a task stand above their functions (`@metric(aliases=...)`).
"""

from collections.abc import Mapping

from xval.base.keras_names import plain_name

_FOLDS = "'num_folds', or 'fold_strategy' for your own splitter, in Experiment(...)"
_AUGMENTATION = (
    "one setting for each kind: 'augment_noise', 'augment_gain_db', 'augment_time_shift_s' and the other settings of "
    "[training_augmentation] in config.ini"
)
_SEEDS = "'seed' for the training, or 'fold_seed' for the folds"
_EPOCHS = "'num_epochs'"
_VALIDATION = "'validation_fraction', in Experiment(...)"
_ITEMS = "not a setting: groups are the items of the dataset, chosen when it is prepared (--item, --item-pattern)"
_PRECISION = "'precision': float32, tensorfloat32, mixed_bfloat16 or mixed_float16"
_SCHEDULE = "'schedule'"
_RESULTS = "'experiment_folder', the folder of all results, in Experiment(...)"

SETTINGS: Mapping[str, str] = {
    "lr": "'learning_rate'",
    "lr_scheduler": _SCHEDULE,
    "scheduler": _SCHEDULE,
    "learning_rate_schedule": _SCHEDULE,
    "warmup": "'warmup_epochs'",
    "epochs": _EPOCHS,
    "n_epochs": _EPOCHS,
    "nb_epoch": _EPOCHS,
    "max_epochs": _EPOCHS,
    "max_iter": _EPOCHS,
    "random_state": _SEEDS,
    "random_seed": _SEEDS,
    "cv": _FOLDS,
    "n_splits": _FOLDS,
    "n_folds": _FOLDS,
    "n_repeats": "'fold_repeats' for other folds, or 'repeats' for other seeds on the same folds, in Experiment(...)",
    "scoring": "'monitor', such as val_balanced_accuracy, which chooses the epoch; 'metrics' names further metrics",
    "dtype": _PRECISION,
    "dtype_policy": _PRECISION,
    "mixed_precision": _PRECISION,
    "amp": _PRECISION,
    "augment": _AUGMENTATION,
    "augmentation": _AUGMENTATION,
    "data_augmentation": _AUGMENTATION,
    "mixup": "'augment_mixup'",
    "spec_augment": "'augment_time_masks' and 'augment_frequency_masks'",
    "validation_split": _VALIDATION,
    "val_split": _VALIDATION,
    "validation_data": _VALIDATION,
    "groups": _ITEMS,
    "group": _ITEMS,
    "test_size": "'test_fraction' with fold_strategy='holdout', in Experiment(...)",
    "model": "'architecture'",
    "network": "'architecture'",
    "estimator": "'architecture'",
    "clf": "'architecture'",
    "criterion": "'loss'",
    "class_weight": "'class_weights': balanced, or a weight for each class",
    "pos_label": "'positive_class', in Experiment(...)",
    "n_components": "'pca_components' of an estimator",
    "n_estimators": "'n_trees' of forest and boosting",
    "l2": "'regularization_lambda'",
    "clipnorm": "'clip_norm'",
    "global_clipnorm": "'clip_norm'",
    "ema_momentum": "'weight_average'",
    "n_jobs": "'workers', in Experiment(...) or --workers",
    "num_workers": "'workers', in Experiment(...) or --workers",
    "device": "'gpu_ID', in Experiment(...), or the third number of the command line",
    "sr": "'sample_rate_hz'",
    "results_folder": _RESULTS,
    "results_dir": _RESULTS,
    "output_folder": _RESULTS,
    "output_dir": _RESULTS,
    "log_dir": _RESULTS,
    "sampling_rate": "'sample_rate_hz'",
    "n_iter": "'n_trials' of experiment.search(...)",
    "param_grid": "experiment.grid(learning_rate=[0.001, 0.0003]), which adds an instance for each value",
    "refit": "xval refit, or results.refit()",
    "verbose": "quiet=True of run(), or --quiet",
    "shuffle": "not a setting: training examples are shuffled in every epoch",
}  # fmt: skip
"""A name that no setting has, in small letters, and what to write in its place."""

COMMANDS: Mapping[str, str] = {
    # Names of before.
    "start": "xval quickstart SOURCE",
    "plan": "xval sample-size",
    "cross": "xval cross-corpus CORPUS CORPUS",
    "verify": "xval speaker-eer EMBEDDINGS",
    "check": "xval audit EXPERIMENT (results), or xval prepare CORPUS ... --check (recordings)",
    "review": "xval review-labels EXPERIMENT",
    "publish": "xval bundle MODEL --hub OWNER/NAME",
}  # fmt: skip
"""A name that no command has, in small letters, and what to type in its place."""

OPTIONS_OF_COMMANDS: Mapping[str, Mapping[str, str]] = {
    "rebuild": {"--metrics": "xval add-metrics EXPERIMENT NAME ..."},
    "sample-size": {"--instance": "--from EXPERIMENT:N"},
    "bundle": {"--repository": "--hub OWNER/NAME", "--dry-run": "--hub OWNER/NAME, which uploads nothing"},
}
"""An option that a command does not have, by the command, and what to type in its place."""

OPTIONS: Mapping[str, str] = {
    "--csv": "--output FILE.csv to write it, or --format csv to print it",
    "--json": "--format json",
    "--to": "--output FILE",
}
"""An option that no command has, and what to type in its place, where the command has that."""

_ESTIMATORS: Mapping[str, str] = {
    "svm": "svm",
    "svc": "svm",
    "supportvectormachine": "svm",
    "svr": "svr",
    "dummy": "constant",
    "dummyclassifier": "constant",
    "dummyregressor": "constant",
    "majority": "constant",
    "logistic": "logistic",
    "logisticregression": "logistic",
    "forest": "forest",
    "randomforest": "forest",
    "randomforestclassifier": "forest",
    "randomforestregressor": "forest",
    "boosting": "boosting",
    "gradientboosting": "boosting",
    "histgradientboosting": "boosting",
    "histgradientboostingclassifier": "boosting",
    "histgradientboostingregressor": "boosting",
    "knn": "knn",
    "kneighbors": "knn",
    "kneighborsclassifier": "knn",
    "kneighborsregressor": "knn",
    "linear": "linear",
    "linearregression": "linear",
    "ridge": "ridge",
}


def describe_synonym(name: str) -> str:
    """Return what to write in the place of a name that no setting has, as the end of an error; empty: it is no synonym."""
    wanted = SETTINGS.get(name.lower())
    return "" if wanted is None else f"Here it is {wanted}."


def estimator_name(name: str) -> str | None:
    """Return which estimator of scikit-learn a name means: ``svm`` for ``SVC``; None: none."""
    return _ESTIMATORS.get(plain_name(name))
