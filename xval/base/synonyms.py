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
_REPEATS = "'fold_repeats' for other folds, or 'repeats' for other seeds on the same folds, in Experiment(...)"
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
    "n_repeats": _REPEATS,
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
    **dict.fromkeys(("loso", "logo", "leave_one_speaker_out", "leave_one_group_out", "leave_one_out"),
                    "'fold_strategy': leave_one_out, a fold for each speaker"),
    **dict.fromkeys(("k", "kfold", "k_folds", "k_fold", "folds", "num_splits"), _FOLDS),
    **dict.fromkeys(("split", "splitter", "stratify", "stratified"), "'fold_strategy', in Experiment(...)"),
    **dict.fromkeys(("seeds", "n_seeds", "num_seeds"), "'repeats', which trains each fold with so many seeds"),
    **dict.fromkeys(("num_repeats", "repetitions", "n_repetitions"), _REPEATS),
    **dict.fromkeys(("bs", "batch"), "'batch_size'"),
    **dict.fromkeys(("early_stop", "earlystopping", "es_patience"), "'early_stopping' and 'patience'"),
    **dict.fromkeys(("hop", "hop_size", "frame_shift"), "'hop_length'"),
    **dict.fromkeys(("win_size", "frame_length", "window_size"), "'win_length'"),
    **dict.fromkeys(("n_mel", "num_mels", "mels", "n_bands"), "'n_mels'"),
    **dict.fromkeys(("fmin", "f_min"), "'fmin_hz'"),
    **dict.fromkeys(("fmax", "f_max"), "'fmax_hz'"),
    **dict.fromkeys(("duration", "max_length", "segment_length", "clip_duration"),
                    "'clip_length_s', or 'example_length_s' for windows"),
    **dict.fromkeys(("feature", "feature_type", "input"), "'features'"),
    **dict.fromkeys(("normalize", "normalise", "scaler", "standardize", "norm"), "'normalization'"),
    **dict.fromkeys(("oversample", "undersample", "sampler", "balance", "balanced"),
                    "'sampling', or 'class_weights' for the loss"),
    **dict.fromkeys(("pretrained", "weights", "checkpoint", "init_from"),
                    "'initial_model', or 'embedding_model' for a pretrained encoder"),
    **dict.fromkeys(("freeze", "freeze_layers", "n_frozen"), "'frozen_layers'"),
    **dict.fromkeys(("arch", "backbone", "net"), "'architecture'"),
    **dict.fromkeys(("temperature", "temperature_scaling", "calibrate"), "'calibration': temperature"),
    **dict.fromkeys(("gpu", "gpus", "cuda"), "'gpu_ID', in Experiment(...), or --gpu"),
    **dict.fromkeys(("framework", "engine"), "'backend': tensorflow, torch or jax"),
    **dict.fromkeys(("task", "problem_type"), "'task_type', in Experiment(...)"),
    **dict.fromkeys(("corpus", "data", "db"), "'dataset', the name of a prepared corpus, in Experiment(...)"),
    **dict.fromkeys(("logger", "mlflow", "wandb", "report_to"), "'tracking', in Experiment(...)"),
    **dict.fromkeys(("n_trials", "trials", "param_distributions"), "'n_trials' of experiment.search(...)"),
    **dict.fromkeys(("speaker", "speakers", "subject", "subjects", "items", "item"), _ITEMS),
    **dict.fromkeys(("resume", "force", "overwrite"), "'overwrite_results', or --overwrite; without it finished work is kept"),
    "verbose": "quiet=True of run(), or --quiet",
    "shuffle": "not a setting: training examples are shuffled in every epoch",
}  # fmt: skip
"""A name that no setting has, in small letters, and what to write in its place."""

_RUN = "xval run SCRIPT, such as experiments/exp1.py; finished work is kept, and the same command continues"
_NEW = "xval new my_study, or xval quickstart SOURCE to begin with your recordings"
_SEARCH = "experiment.search(...) in the script (docs/search.md), then xval run SCRIPT"
_TEST = "xval evaluate MODEL DATA for new recordings; the folds of an experiment are tested by xval run SCRIPT"
_PAGE = "xval report EXPERIMENT, which writes report.html for the browser"
_PAPER = "xval report EXPERIMENT --latex, or --markdown"
_STATISTICS = "xval compare EXPERIMENT, which prints differences with intervals and adjusted p values"
_REMOVE = "xval run SCRIPT --overwrite to replace results; to remove them, delete results/<dataset>/experiment_<n>"
_PREPARE = "xval prepare CORPUS ..."
_SERVE = "xval predict MODEL --follow FOLDER for files as they come, or xval bundle MODEL for a page that runs it"
_EXPLAIN = "xval explain MODEL CLIPS"
_EXPORT = "xval export MODEL --format onnx"
_COMBINE = "xval ensemble EXPERIMENT 1,3,5"

COMMANDS: Mapping[str, str] = {
    # Names of before.
    "start": "xval quickstart SOURCE",
    "plan": "xval sample-size",
    "cross": "xval cross-corpus CORPUS CORPUS",
    "verify": "xval speaker-eer EMBEDDINGS",
    "check": "xval audit EXPERIMENT (results), or xval prepare CORPUS ... --check (recordings)",
    "review": "xval review-labels EXPERIMENT",
    "publish": "xval bundle MODEL --hub OWNER/NAME",
    # Names in git, pytest, scikit-learn, MLflow and others.
    **dict.fromkeys(("train", "fit", "experiment", "experiments", "exec", "execute", "launch", "cv", "cross-validate",
                     "cross-val-score", "crossval", "resume", "continue", "restart"), _RUN),
    **dict.fromkeys(("init", "create", "startproject", "project", "study", "setup"), _NEW),
    **dict.fromkeys(("tune", "search", "sweep", "optimize", "optimise", "hpo", "grid", "gridsearch", "grid-search",
                     "gridsearchcv", "randomizedsearchcv"), _SEARCH),
    **dict.fromkeys(("test", "eval", "score", "validate", "validation"), _TEST),
    **dict.fromkeys(("ui", "view", "open", "html", "page", "plot", "figures", "summary", "summarize", "errors",
                     "confusion", "dashboard"), _PAGE),
    **dict.fromkeys(("latex", "paper", "markdown", "table"), _PAPER),
    **dict.fromkeys(("diff", "stats", "statistics", "significance", "ttest", "rank", "ranking", "leaderboard", "best"),
                    _STATISTICS),
    **dict.fromkeys(("clean", "clear", "rm", "remove", "delete", "reset", "gc"), _REMOVE),
    **dict.fromkeys(("preprocess", "preprocessing", "features", "extract", "import", "ingest", "data", "dataset"), _PREPARE),
    **dict.fromkeys(("serve", "deploy", "live", "listen", "stream", "app"), _SERVE),
    **dict.fromkeys(("shap", "saliency", "importance", "interpret", "gradcam"), _EXPLAIN),
    **dict.fromkeys(("onnx", "tflite", "save", "freeze"), _EXPORT),
    **dict.fromkeys(("combine", "average", "vote", "stack", "blend", "fuse"), _COMBINE),
    "confusion-matrix": "xval report EXPERIMENT --confusion FILE.png",
    "classification-report": "xval report EXPERIMENT, or --details to print all values, too",
    "permutation-test-score": "xval compare EXPERIMENT 1 --permutations 39, for an estimator",
    "permutation-test": "xval compare EXPERIMENT 1 --permutations 39, for an estimator",
    "history": "xval status EXPERIMENT; history.csv in the folder of each fold has all epochs",
    "inspect": "xval status EXPERIMENT (results), or xval prepare show AUDIO_FILE (a clip as a model gets it)",
    "cite": "xval report EXPERIMENT, whose page has the BibTeX of its methods; CITATION.cff is that of xval",
    "architectures": "xval run SCRIPT --set architecture=NAME; docs/reference/architectures.md lists the names",
    "datasets": "xval prepare --help, which lists the datasets that can be prepared; xval list --corpus NAME for results",
    "tensorboard": "xval run SCRIPT --set tensorboard=true, then tensorboard --logdir EXPERIMENT/tensorboard",
    "augmentation": "xval augment INPUT OUTPUT N",
    "augmentations": "xval augment INPUT OUTPUT N",
    "mix": "xval augment mix EVENTS BACKGROUNDS OUTPUT",
    "show": "xval report EXPERIMENT (results), or xval prepare show AUDIO_FILE (a clip as a model gets it)",
    "loso": "xval run SCRIPT --set fold_strategy=leave_one_out",
    "folds": "xval run SCRIPT --set num_folds=10; --folds 1,3 runs only these",
    "split": "xval run SCRIPT --set num_folds=10, or --set fold_strategy=holdout",
    "seeds": "xval run SCRIPT --repeats 3, which trains each fold with 3 seeds",
    "repeat": "xval run SCRIPT --fold-repeats 3 (other folds), or --repeats 3 (other seeds)",
    "baseline": "xval quickstart SOURCE, which runs baselines first; docs/baselines.md",
    "baselines": "xval quickstart SOURCE, which runs baselines first; docs/baselines.md",
    "demo": "xval prepare demo, then xval run experiments/demo.py",
    "log": "xval status EXPERIMENT (its jobs), or xval list (all experiments)",
    "logs": "xval status EXPERIMENT (its jobs), or xval list (all experiments)",
    "runs": "xval list",
    "results": "xval list (all experiments), or xval report EXPERIMENT",
    "ls": "xval list",
    "models": "xval list; a model is named EXPERIMENT:N",
    "jobs": "xval status EXPERIMENT",
    "ps": "xval status EXPERIMENT",
    "progress": "xval status EXPERIMENT",
    "info": "xval status EXPERIMENT, or xval report EXPERIMENT",
    "describe": "xval status EXPERIMENT, or xval report EXPERIMENT",
    "infer": "xval predict MODEL AUDIO",
    "inference": "xval predict MODEL AUDIO",
    "classify": "xval predict MODEL AUDIO",
    "apply": "xval predict MODEL AUDIO",
    "calibrate": "xval run SCRIPT --set calibration=temperature",
    "finetune": "xval run SCRIPT --set initial_model=MODEL; docs/finetuning.md",
    "download": "xval prepare CORPUS ... --download, or xval prepare encoders fetch NAME",
    "fetch": "xval prepare CORPUS ... --download, or xval prepare encoders fetch NAME",
    "encoders": "xval prepare encoders",
    "convert": "xval prepare convert IN OUT (audio), or xval export MODEL --format onnx (models)",
    "rename": "xval prepare rename OLD NEW",
    "embeddings": "xval embed MODEL AUDIO",
    "power": "xval sample-size",
    "leakage": "xval audit EXPERIMENT",
    "eer": "xval speaker-eer EMBEDDINGS",
    "speaker-verification": "xval speaker-eer EMBEDDINGS",
    "subgroups": "xval groups EXPERIMENT",
    "fairness": "xval groups EXPERIMENT",
    "bias": "xval groups EXPERIMENT",
    "labels": "xval review-labels EXPERIMENT",
    "relabel": "xval review-labels EXPERIMENT",
    "annotate": "xval review-labels EXPERIMENT",
    "metrics": "xval add-metrics EXPERIMENT NAME",
    "metric": "xval add-metrics EXPERIMENT NAME",
    "hub": "xval bundle MODEL --hub OWNER/NAME",
    "push": "xval bundle MODEL --hub OWNER/NAME",
    "upload": "xval bundle MODEL --hub OWNER/NAME",
    "package": "xval bundle MODEL",
    "retrain": "xval refit EXPERIMENT:N (a final model on all items), or xval run SCRIPT --overwrite",
    "final": "xval refit EXPERIMENT:N",
    "submit": "xval run SCRIPT --executor slurm",
    "slurm": "xval run SCRIPT --executor slurm",
    "config": "xval run SCRIPT --set NAME=VALUE; config.ini has all settings and their defaults",
    "settings": "xval run SCRIPT --set NAME=VALUE; config.ini has all settings and their defaults",
    "set": "xval run SCRIPT --set NAME=VALUE; config.ini has all settings and their defaults",
    "track": "xval run SCRIPT --set tracking=mlflow",
    "mlflow": "xval run SCRIPT --set tracking=mlflow",
}  # fmt: skip
"""A name that no command has, in small letters, and what to type in its place."""

OPTIONS_OF_COMMANDS: Mapping[str, Mapping[str, str]] = {
    "rebuild": {"--metrics": "xval add-metrics EXPERIMENT NAME"},
    "sample-size": {"--instance": "--from EXPERIMENT:N"},
    "bundle": {"--repository": "--hub OWNER/NAME", "--dry-run": "--hub OWNER/NAME, which uploads nothing"},
    "predict": {"--interval": "xval compare EXPERIMENT for intervals; --coverage 0.9 for sets of classes"},
    "report": dict.fromkeys(
        ("--output", "--out", "-o", "--save"),
        "xval report EXPERIMENT --latex > table.tex, because the table is printed; the page is report.html in EXPERIMENT",
    ),
    "compare": {"--latex": "xval report EXPERIMENT --latex", "--permutation": "--permutations 999"},
}
"""An option that a command does not have, by the command, and what to type in its place."""

_OVERWRITE, _OUTPUT, _WORKERS, _ONLY = "--overwrite", "--output FILE", "--workers N", "--only 3-7"  # fmt: skip
_GPU = "--gpu 0, or --gpu cpu"
OPTIONS: Mapping[str, str] = {
    "--csv": "--output FILE.csv to write it, or --format csv to print it",
    "--json": "--format json",
    **dict.fromkeys(("--to", "--out", "--output-file", "--outfile", "--save", "--save-to", "--output-dir", "--out-dir", "-o"),
                    _OUTPUT),
    **dict.fromkeys(("--force", "--replace", "--restart", "--rerun"), _OVERWRITE),
    **dict.fromkeys(("--device", "--devices", "--gpus", "--cuda", "--gpu-id", "--cpu", "--no-gpu", "--accelerator"),
                    _GPU),
    **dict.fromkeys(("--jobs", "--n-jobs", "--num-workers", "--processes", "--cores", "--parallel", "-j", "-n"), _WORKERS),
    **dict.fromkeys(("--instance", "--instances", "--variant", "--variants", "--models", "--select", "-k"), _ONLY),
    **dict.fromkeys(("--data", "--data-dir", "--data-path", "--data-root"), "--data-folder DIR"),
    **dict.fromkeys(("--audio", "--audio-dir", "--wav", "--wavs"), "--audio-folder DIR"),
    **dict.fromkeys(("--seeds", "--n-seeds"), "--repeats 3, which trains each fold with 3 seeds"),
    **dict.fromkeys(("--n-repeats", "--repeated"), "--fold-repeats 3 (other folds), or --repeats 3 (other seeds)"),
    **dict.fromkeys(("--loso", "--logo", "--leave-one-out"), "--set fold_strategy=leave_one_out"),
    **dict.fromkeys(("--fold", "--k"), "--folds 1,3 for only these folds; --set num_folds=5 for their number"),
    **dict.fromkeys(("--tex", "--bibtex"), "--latex"),
    "--md": "--markdown",
    "--check-only": "--check",
    "--validate": "--check",
    "--speaker": "--item-pattern REGEX, or --item COLUMN of a table",
    "--speakers": "--item-pattern REGEX, or --item COLUMN of a table",
    "--group": "--by COLUMN",
    "--groups": "--by COLUMN",
    "--column": "--by COLUMN",
    "--threshold": "--coverage 0.9",
    "--confidence": "--coverage 0.9",
    "--plan": "--dry-run",
    "--preview": "--dry-run",
    "--repo": "--hub OWNER/NAME",
    "--repo-id": "--hub OWNER/NAME",
    "--scoring": "--metric NAME",
    "--target": "--difference X",
    "--effect-size": "--difference X",
    "--no-cache": _OVERWRITE,
    "--resume": "--overwrite only to begin again; the same command continues what is unfinished",
    "--continue": "--overwrite only to begin again; the same command continues what is unfinished",
    "--pdf": "--latex",
    "--json-output": "--format json",
}  # fmt: skip
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
