"""What users of Keras and scikit-learn write by habit: it is understood, or the answer says what to write."""

import functools
import re
import sys
from types import ModuleType

import keras
import numpy as np
import pytest
import sklearn.metrics
import sklearn.model_selection
import sklearn.svm
from sklearn.naive_bayes import GaussianNB

from xval import Experiment
from xval.base import keras_objects
from xval.base.errors import SettingsError
from xval.base.synonyms import SETTINGS
from xval.experiment.snapshot import as_script
from xval.measures.metrics import find
from xval.models.losses import loss_function
from xval.settings.architectures import find_architecture
from xval.settings.further_metrics import directions, load
from xval.settings.parameters import from_parameters
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import Settings


def resolved(instance, **experiment):
    declaration = Declaration("exp.py", "exp.py", "a test", experiment, {1: instance})
    return resolve(declaration)[0]


WORDS = [
    # What is written, and the settings that it means or the answer; behind it what was said before.
    ({"lr": 0.1}, "unknown parameter 'lr'. Here it is 'learning_rate'."),  # Allowed: the keys of config.ini, comment_1 ...
    ({"epochs": 5}, "Here it is 'num_epochs'."),  # Did you mean 'repeats'?
    ({"random_state": 1}, "Here it is 'seed' for the training, or 'fold_seed' for the folds."),  # Allowed: the keys of ...
    ({"cv": 5}, "Here it is 'num_folds', or 'fold_strategy' for your own splitter, in Experiment(...)."),
    ({"n_splits": 5}, "Here it is 'num_folds', or 'fold_strategy'"),
    ({"scoring": "f1"}, "Here it is 'rank_by', the validation metric that ranks variants; 'monitor'"),
    ({"dtype_policy": "mixed_float16"}, "Here it is 'precision': float32, tensorfloat32, mixed_bfloat16 or mixed_float16."),
    ({"augment": True}, "Here it is one setting for each kind: 'augment_noise', 'augment_gain_db'"),
    ({"results_folder": "x"}, "Here it is 'experiment_folder', the folder of all results"),  # Did you mean 'data_folder'?
    ({"monitor": "val_uar"}, {"monitor": "val_balanced_accuracy"}),  # monitor 'val_uar' is not produced by any metric
    ({"monitor": "val_UAR"}, {"monitor": "val_balanced_accuracy"}),
    ({"monitor": "val_acc"}, {"monitor": "val_accuracy"}),
    ({"monitor": "acc"}, {"monitor": "accuracy"}),
    ({"metrics": ["accuracy"]}, {"metrics": "auto"}),  # unknown metric 'accuracy' for classification
    ({"metrics": "acc, uar, kl_divergence"}, {"metrics": "kl_divergence"}),
    ({"metrics": "mse, MeanAbsoluteError"}, {"metrics": "mse, MeanAbsoluteError"}),  # as before: so are their hashes
    ({"metrics": "sklearn:cohen_kappa_score"}, {"metrics": "sklearn.metrics.cohen_kappa_score"}),
    ({"metrics": "sklearn:cohen_kapa_score"}, "metric 'sklearn:cohen_kapa_score': unknown."),
    ({"metrics": "sklearn:confusion_matrix"}, "does not define whether higher is better"),
    ({"architecture": "svc"}, {"architecture": "svm"}),  # unknown architecture 'svc'
    ({"architecture": "SVM"}, {"architecture": "svm"}),
    ({"architecture": "RandomForestClassifier"}, {"architecture": "forest"}),
    ({"class_weight": "balanced"}, "Here it is 'class_weights': balanced, or a weight for each class."),
    ({"validation_data": 0.2}, "Here it is 'validation_fraction', in Experiment(...)."),
    ({"groups": "speaker"}, "Here it is not a setting: groups are the items of the dataset"),
    ({"seed": [1, 2, 3]}, "seed: received [1, 2, 3]; expected one number. To train each fold with 3 seeds and average their"),
    (
        {"learning_rate": [0.1, 0.01]},
        "expected one value. For an instance with each of them, write experiment.grid(learning_r",
    ),
    ({"architecture": ["mlp", "crnn"]}, "write experiment.grid(architecture=['mlp', 'crnn'])."),
    ({"dropout": [0.1, 0.5]}, "dropout: received [0.1, 0.5]; expected one value. For an instance with each of them"),
    ({"seed": "1, 2"}, "To train each fold with 2 seeds and average their scores, set repeats=2."),
    ({"n_filters": 8}, {"n_filters": [8]}),
]


@pytest.mark.parametrize(("written", "wanted"), WORDS, ids=[str(written) for written, _ in WORDS])
def test_words_of_keras_and_scikit_learn_are_understood_or_answered(written, wanted):
    if isinstance(wanted, str):
        with pytest.raises(SettingsError) as refused:
            resolved(written)
        assert wanted in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1
        return
    instance = resolved(written)
    assert {name: instance.parameters[name] for name in wanted} == wanted
    assert from_parameters(instance.parameters, together=True)[0] == instance.settings


def test_no_synonym_is_a_setting():
    assert not set(SETTINGS) & set(Settings.model_fields)


def test_one_value_of_the_experiment_is_wanted_where_instances_cannot_differ():
    with pytest.raises(SettingsError, match=r"num_folds: received \[4, 5\]; expected one value, which all instances share"):
        resolved({}, num_folds=[4, 5])


def adam(**arguments):
    return keras.optimizers.Adam(**arguments)


NONE = {"momentum": None, "weight_decay": None, "clip_norm": None, "weight_average": None, "optimizer_arguments": None}
HUBER = 'keras:{"class_name": "Huber", "config": {"delta": 2.0}, "module": "keras.losses"}'
F1 = 'keras:{"class_name": "F1Score", "config": {"average": "macro"}, "module": "keras.metrics"}'


def inner():
    def schedule(epoch, rate):
        return rate

    return schedule


class Follow(keras.callbacks.Callback):
    """A callback of the user's own."""


OBJECTS = [
    ({"optimizer": adam(learning_rate=3e-4)}, {"optimizer": "adam", "learning_rate": 3e-4, **NONE}),
    ({"optimizer": adam(), "learning_rate": 0.1}, {"optimizer": "adam", "learning_rate": 0.1}),
    (
        {"optimizer": adam(learning_rate=0.01), "learning_rate": 0.1},
        "it has learning_rate=0.01, but learning_rate=0.1 is given",
    ),
    ({"optimizer": keras.optimizers.SGD}, {"optimizer": "sgd"}),
    (
        {"optimizer": keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, global_clipnorm=1.0)},
        {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "clip_norm": 1.0, "optimizer_arguments": "nesterov=True"},
    ),
    ({"optimizer": adam(use_ema=True, ema_momentum=0.999)}, {"weight_average": 0.999, "optimizer_arguments": None}),
    (
        {"optimizer": adam(learning_rate=keras.optimizers.schedules.CosineDecay(0.01, 100))},
        "its learning rate is CosineDecay, which counts steps. Write schedule='cosine' with learning_rate=0.01, which counts",
    ),
    ({"loss": keras.losses.SparseCategoricalCrossentropy()}, {"loss": "sparse_categorical_crossentropy"}),
    ({"loss": keras.losses.kl_divergence}, {"loss": "kl_divergence"}),
    ({"loss": keras.losses.KLDivergence}, {"loss": "kl_divergence"}),
    (
        {"loss": keras.losses.CategoricalCrossentropy(label_smoothing=0.1)},
        {"loss": "categorical_crossentropy", "label_smoothing": 0.1},
    ),
    (
        {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        "Write loss='sparse_",
    ),
    ({"loss": keras.losses.Huber()}, "unknown loss 'huber' for classification"),
    ({"loss": keras.losses.Huber(delta=2.0)}, "unknown loss 'Huber' for classification"),
    ({"metrics": [keras.metrics.SparseCategoricalAccuracy()]}, {"metrics": "sparse_categorical_accuracy"}),
    ({"metrics": [keras.metrics.F1Score("macro"), "kl_divergence"]}, {"metrics": f"{F1}, kl_divergence"}),
    ({"metrics": keras.metrics.Precision()}, "'precision' is already computed. Remove it"),
    ({"metrics": [sklearn.metrics.cohen_kappa_score]}, {"metrics": "sklearn.metrics.cohen_kappa_score"}),
    (
        {"callbacks": [keras.callbacks.EarlyStopping(patience=5)]},
        {"callbacks": None, "early_stopping": True, "patience": 5, "monitor": "val_loss", "restore_best_weights": False},
    ),
    (
        {"callbacks": keras.callbacks.EarlyStopping("val_acc", patience=0, restore_best_weights=True)},
        {"patience": 1, "monitor": "val_accuracy", "restore_best_weights": True},
    ),
    (
        {"callbacks": [keras.callbacks.EarlyStopping(min_delta=0.1, start_from_epoch=3)]},
        {"min_delta": 0.1, "start_from_epoch": 3},
    ),
    (
        {"callbacks": [keras.callbacks.EarlyStopping(baseline=0.1)]},
        "EarlyStopping with baseline=0.1: there is no such setting. Remove it; the direction of",
    ),
    (
        {"callbacks": [keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=4)]},
        "ReduceLROnPlateau: write schedule='plateau', schedule_decay=0.2, schedule_patience=4.",
    ),
    (
        {"callbacks": [keras.callbacks.ModelCheckpoint("a.keras")]},
        "ModelCheckpoint: remove it, because the model of each fold's best",
    ),
    ({"callbacks": [keras.callbacks.TensorBoard()]}, "TensorBoard: write tensorboard=True."),
    ({"callbacks": [Follow()]}, "Give its class, callbacks='"),
    (
        {"schedule": lambda epoch, rate: rate},
        "schedule: a lambda has no name that the training processes can import. Write it",
    ),
    ({"schedule": inner()}, "and write schedule='my_parts.schedule'."),
    (
        {"schedule": keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)},
        "Write schedule='exponential' with learning_rate=",
    ),
    ({"loss": functools.partial(print)}, "an object partial has no name that other processes can import."),
    (
        {"architecture": keras.Sequential()},
        "a Sequential, but a new network is built for each fold. Write a function buil",
    ),
    ({"architecture": sklearn.svm.SVC}, {"architecture": "svm"}),
    (
        {"architecture": sklearn.svm.SVC()},
        "write architecture='svm'; its options are separate settings (docs/baselines.md).",
    ),
    (
        {"architecture": GaussianNB},
        "GaussianNB is not a supported estimator. Available: boosting, constant, forest, knn",
    ),
    (
        {"metrics": [sklearn.metrics.make_scorer(sklearn.metrics.f1_score)]},
        "name of a metric or a scorer, such as metrics='sklearn",
    ),
    (
        {"fold_strategy": sklearn.model_selection.GroupKFold(3)},
        "mine = GroupKFold(...), and set fold_strategy='my_parts.mine'.",
    ),
]


@pytest.mark.parametrize(("written", "wanted"), OBJECTS, ids=[str(number) for number in range(len(OBJECTS))])
def test_objects_of_keras_and_scikit_learn_are_understood_or_answered(written, wanted):
    of_experiment = {name: written[name] for name in written if name == "fold_strategy"}
    of_instance = {name: value for name, value in written.items() if name not in of_experiment}
    if isinstance(wanted, str):
        with pytest.raises(SettingsError) as refused:
            resolved(of_instance, **of_experiment)
        assert wanted in str(refused.value)
        assert str(refused.value).startswith("exp.py, ")
        return
    instance = resolved(of_instance, **of_experiment)
    assert {name: instance.parameters[name] for name in wanted} == wanted
    assert from_parameters(instance.parameters, together=True)[0] == instance.settings
    assert all(instance.sources[name] == "instance" for name in wanted)


def test_functions_and_classes_of_a_module_are_named_by_their_paths(own_package):
    import own_package.network
    import own_package.parts as parts

    written = {"loss": parts.loss, "optimizer": parts.optimizer, "schedule": parts.schedule, "metrics": [parts.worst, "mse"]}
    by_path = {"loss": "own_package.parts.loss", "optimizer": "own_package.parts.optimizer"}
    by_path |= {"schedule": "own_package.parts.schedule", "metrics": "own_package.parts.worst, mse"}

    assert resolved(written).settings_hash == resolved(by_path).settings_hash
    slow = resolved({"optimizer": parts.Slow(0.1, nesterov=True)}).settings
    assert (slow.optimizer, slow.learning_rate, slow.optimizer_arguments) == ("own_package.parts.Slow", 0.1, "nesterov=True")
    for network in (own_package.network, own_package.network.build):
        assert resolved({"architecture": network}).settings.architecture == "own_package.network.build"


@pytest.fixture
def running_script(tmp_path, monkeypatch):
    """Return a function that makes a module the script that runs."""

    def run(text, name="my_script.py"):
        path = tmp_path / name
        path.write_text(text)
        main = ModuleType("__main__")
        main.__file__ = str(path)
        exec(compile(text, str(path), "exec"), vars(main))  # noqa: S102 - as Python runs a script
        monkeypatch.setitem(sys.modules, "__main__", main)
        monkeypatch.syspath_prepend(tmp_path)
        find_architecture.cache_clear()
        return main

    return run


NETWORK = "def build(input_shape, output_shape, *, n_units: int = 3):\n    pass\n"


@pytest.mark.parametrize(
    ("further", "name", "wanted"),
    [
        ("if __name__ == '__main__' and False:\n    experiment.main()\n", "my_script.py", "my_script.build"),
        (
            "False and experiment.main()\n",
            "my_script.py",
            r"my_script.py, line 3: this line runs the experiment whenever the file is",
        ),
        ("False and experiment.main()\n", "my-script.py", "cell_<hash>.build"),  # whose name cannot be imported
    ],
)
def test_a_function_of_the_script_itself_is_found_by_the_name_of_its_file(running_script, further, name, wanted):
    build = running_script(NETWORK + further, name).build
    if wanted == "my_script.build":
        instance = resolved({"architecture": build, "n_units": 5})
        assert (instance.settings.architecture, instance.options) == (wanted, {"n_units": 5})
        assert instance.settings.own_modules() == {"my_script"}
        return
    if wanted == "cell_<hash>.build":
        instance = resolved({"architecture": build, "n_units": 5})
        assert re.fullmatch(r"cell_[0-9a-f]{8}\.build", instance.settings.architecture)
        assert instance.options == {"n_units": 5}
        return
    with pytest.raises(SettingsError, match=wanted):
        resolved({"architecture": build})


def test_an_option_without_a_type_has_that_of_its_default(running_script):
    options = "*, kernel=3, rate=0.1, wide=True, name='a', units=(4, 8)"
    build = running_script(f"def build(input_shape, output_shape, {options}):\n    pass\n", "my_script.py").build

    instance = resolved({"architecture": build, "kernel": "5", "units": "2, 3", "wide": "false"})

    assert instance.options == {"kernel": 5, "rate": 0.1, "wide": False, "name": "a", "units": (2, 3)}
    with pytest.raises(SettingsError, match="kernel"):
        resolved({"architecture": build, "kernel": "five"})


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("*, n_more=None", r"option n_more of build\(\) needs a type and a literal default \(type NoneType; allowed: int"),
        ("*, n_more", r"received build\(input_shape, output_shape, \*, n_more\) in .*expected build\(.*option=default\)"),
        ("*, size: complex = 3", r"option size of build\(\) needs .* \(type complex; allowed: int"),
    ],
)
def test_an_option_that_no_type_fits_is_named(running_script, options, wanted):
    build = running_script(f"def build(input_shape, output_shape, {options}):\n    pass\n", "my_script.py").build

    with pytest.raises(SettingsError, match=wanted):
        resolved({"architecture": build})


def test_a_grid_names_objects_and_the_copy_of_the_code_has_their_text():
    experiment = Experiment("a test")

    numbers = experiment.grid(optimizer=[adam(learning_rate=0.01), keras.optimizers.SGD(0.1)], seed=[1])

    assert [experiment[number]["comment_1"] for number in numbers] == [
        "optimizer adam, learning_rate 0.01", "optimizer sgd, learning_rate 0.1",
    ]  # fmt: skip
    written = as_script(experiment._declaration)
    assert "'optimizer': 'sgd', " in written
    compile(written, "experiment.py", "exec")


def test_a_loss_with_options_is_the_same_behind_its_text():
    settings = resolved({"loss": keras.losses.Huber(delta=2.0)}, task_type="regression", target_scaling="standard").settings
    true, predicted = np.float32([[0], [1]]), np.float32([[5], [1.5]])

    assert settings.loss == HUBER
    assert settings.scales_loss
    values = keras.ops.convert_to_numpy(loss_function(settings.task.loss_name(HUBER))(true, predicted))
    assert values == pytest.approx([2 * (5 - 1), 0.125])
    with pytest.raises(SettingsError, match="not a Keras object; expected a name, or a text such as keras:"):
        resolved({"loss": 'keras:{"class_name": '}, task_type="regression")


def test_a_loss_of_a_class_of_ones_own_is_made_again_with_its_options(tmp_path, monkeypatch):
    (tmp_path / "my_losses.py").write_text(
        "import keras\n\n\nclass Scaled(keras.losses.Loss):\n"
        "    def __init__(self, factor, name='scaled', **options):\n"
        "        super().__init__(name=name, **options)\n        self.factor = factor\n\n"
        "    def call(self, y_true, y_pred):\n"
        "        return self.factor * keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)\n\n"
        "    def get_config(self):\n        return {**super().get_config(), 'factor': self.factor}\n\n\n"
        "class Forgetful(Scaled):\n    def get_config(self):\n        return {'name': self.name}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import my_losses

    settings = resolved({"loss": my_losses.Scaled(3.0)}, task_type="regression").settings
    assert settings.own_modules() == {"my_losses"}
    assert float(loss_function(settings.loss)(np.float32([[1]]), np.float32([[2]]))[0]) == 3
    with pytest.raises(SettingsError, match=r"loss: Forgetful: its get_config\(\) does not return 'factor'; add it"):
        resolved({"loss": my_losses.Forgetful(3.0)}, task_type="regression")
    del sys.modules["my_losses"]


def test_a_metric_of_keras_with_options_is_computed_under_its_name():
    top_2 = keras_objects.KerasObject("keras.metrics", "TopKCategoricalAccuracy", {"k": 2, "name": "top_2"})
    text = f"{F1}, {top_2.to_text()}"
    targets = np.array([0, 1, 2, 0])
    predictions = np.float32([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.9, 0.1, 0.0]])

    assert directions("classification", text) == {"f1_score": True, "top_2": True}
    values = {name: metric.function(targets, predictions) for name, metric in load("classification", text).items()}
    assert values == pytest.approx({"f1_score": np.mean([2 / 3, 0, 0]), "top_2": 0.75}, abs=1e-3)
    assert keras_objects.split_texts(text)[0] == F1


TARGETS = np.array([0, 1, 2, 2, 1, 0, 0])
ANSWERS = np.random.default_rng(2).dirichlet(np.ones(3), 7).astype(np.float32)


@pytest.mark.parametrize(
    ("task_type", "name", "higher", "expected"),
    [
        ("classification", "cohen_kappa_score", True, sklearn.metrics.cohen_kappa_score(TARGETS, ANSWERS.argmax(axis=1))),
        ("classification", "matthews_corrcoef", True, sklearn.metrics.matthews_corrcoef(TARGETS, ANSWERS.argmax(axis=1))),
        ("classification", "log_loss", False, sklearn.metrics.log_loss(TARGETS, ANSWERS / ANSWERS.sum(1, keepdims=True))),
        ("classification", "neg_log_loss", True, -sklearn.metrics.log_loss(TARGETS, ANSWERS / ANSWERS.sum(1, keepdims=True))),
        ("classification", "f1_weighted", True, sklearn.metrics.f1_score(TARGETS, ANSWERS.argmax(axis=1), average="weighted")),
        ("classification", "f1_score", True, sklearn.metrics.f1_score(TARGETS, ANSWERS.argmax(axis=1), average="macro")),
        ("classification", "hamming_loss", False, np.mean(ANSWERS.argmax(axis=1) != TARGETS)),
        ("regression", "max_error", False, 0.5),
        ("regression", "explained_variance_score", True, 0.75),
    ],
)
def test_metrics_and_scorers_of_scikit_learn_are_metrics(task_type, name, higher, expected):
    text = resolved({"metrics": f"sklearn:{name}"}, task_type=task_type).settings.metrics
    metric = load(task_type, text)[name]
    numbers = np.float32([[1], [2]]), np.float32([[1], [2.5]])

    assert metric.higher_is_better == higher
    assert metric.function(*((TARGETS, ANSWERS) if task_type == "classification" else numbers)) == pytest.approx(
        expected, abs=1e-6
    )


def test_of_two_classes_and_of_items_without_some_class():
    area = load("classification", "sklearn.metrics.roc_auc_score")["roc_auc_score"].function
    two = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])

    assert area(np.array([0, 1, 1]), two) == find("classification", "auc").function(np.array([0, 1, 1]), two)
    assert np.isnan(area(TARGETS[:2], ANSWERS[:2]))
    loss = load("classification", "sklearn.metrics.log_loss")["log_loss"].function
    assert loss(TARGETS[:2], ANSWERS[:2]) == pytest.approx(-np.log(ANSWERS[[0, 1], TARGETS[:2]]).mean(), abs=1e-6)


def test_the_other_name_of_an_estimator_is_an_option_too():
    option = resolved({"architecture": "feature_combination", "models": ("a.keras",), "classifier": "RandomForest"}).options
    assert option["classifier"] == "random_forest"


def test_what_an_object_says_by_default_yields_to_what_the_experiment_has_set():
    stopping = keras.callbacks.EarlyStopping(patience=5)

    kept = resolved(
        {"optimizer": keras.optimizers.Adam(), "callbacks": [stopping]}, learning_rate=0.01, monitor="val_accuracy"
    ).settings
    said = resolved({"optimizer": keras.optimizers.Adam(0.003)}, learning_rate=0.01).settings

    assert (kept.learning_rate, kept.monitor, kept.patience) == (0.01, "val_accuracy", 5)
    assert said.learning_rate == 0.003


def test_a_function_of_scikit_learn_that_is_no_metric_is_refused():
    with pytest.raises(SettingsError, match="does not define whether higher is better"):
        directions("classification", "sklearn.metrics.get_scorer_names")
