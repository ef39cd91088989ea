from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xval.base import keras_backends
from xval.base.config_file import APART, read_defaults
from xval.base.errors import SettingsError
from xval.experiment.declare import parse_assignments
from xval.jobs.plan import write_settings
from xval.jobs.written_settings import other_backends
from xval.results.folder import ExperimentFolder
from xval.settings.parameters import hash_parameters
from xval.settings.resolve import Declaration, describe_numbers, resolve
from xval.settings.schema import EXPERIMENT_KEYS, UNHASHED_KEYS, Settings
from xval.settings.space import Choice, SearchPlan


def declare(*instances, **parameters):
    return Declaration("experiments/exp1.py", "experiments/exp1.py", "a test", parameters, dict(enumerate(instances, start=1)))


@pytest.fixture(autouse=True)
def no_backend_variable(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


def test_every_parameter_has_a_default_and_every_default_a_parameter():
    defaults = {key for name, section in read_defaults().items() if name not in APART for key in section}

    assert defaults == set(Settings.model_fields) - {"comment_1", "comment_2", "search"}


def test_the_sets_of_keys_name_parameters_that_exist():
    assert set(Settings.model_fields) >= EXPERIMENT_KEYS | UNHASHED_KEYS


def test_layers_override_each_other_and_their_source_is_kept():
    declaration = declare({"learning_rate": 0.1}, learning_rate=0.2, batch_size=7, num_epochs=9)

    (instance,) = resolve(declaration, [1], {"num_epochs": "3"})

    assert (instance.settings.learning_rate, instance.settings.batch_size, instance.settings.num_epochs) == (0.1, 7, 3)
    names = ("learning_rate", "batch_size", "num_epochs", "patience", "dropout")
    assert [instance.sources[name] for name in names] == [
        "instance", "experiment", "--set", "config.ini", "architectures/cnn_small.py",
    ]  # fmt: skip


def test_the_options_of_an_architecture_that_is_not_there_are_no_further_faults():
    with pytest.raises(SettingsError) as refused:
        resolve(declare({"architecture": "cnn_smal", "n_filters": (8,), "dropout": 0.1, "batch_size": -1}))
    assert [line.split(": ")[1][:30] for line in str(refused.value).splitlines()] == ["batch_size"]
    with pytest.raises(SettingsError, match=r"^[^\n]*unknown architecture 'cnn_smal'[^\n]*$"):
        resolve(declare({"architecture": "cnn_smal", "n_filters": (8,), "dropout": 0.1}))


def test_the_backend_variable_lies_between_config_and_experiment(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")

    assert resolve(declare({}))[0].settings.backend == "jax"
    assert resolve(declare({}))[0].sources["backend"] == "KERAS_BACKEND"
    assert resolve(declare({"backend": "torch"}))[0].settings.backend == "torch"


def test_the_default_backend_is_one_that_is_installed_and_estimators_do_not_depend_on_it(monkeypatch):
    estimator, network = {"architecture": "svm"}, {"architecture": "mlp"}
    (before,) = resolve(declare(estimator))
    monkeypatch.setattr(keras_backends, "find_spec", lambda name: SimpleNamespace(origin=name) if name == "jax" else None)

    instances = resolve(declare(network, estimator, {**network, "backend": "torch"}, {**network, "backend": "auto"}))

    assert [instance.settings.backend for instance in instances] == ["jax", "tensorflow", "torch", "jax"]
    assert instances[1].settings_hash == before.settings_hash
    assert [instance.settings.uses_keras for instance in instances] == [True, False, True, True]


def test_auto_means_the_backend_of_earlier_results_while_it_is_installed(monkeypatch, tmp_path):
    declaration = declare({"architecture": "mlp"}, {"architecture": "mlp", "backend": "jax"}, {"architecture": "svm"})
    monkeypatch.setattr(keras_backends, "find_spec", lambda name: SimpleNamespace(origin=name) if name == "torch" else None)
    folder = ExperimentFolder(tmp_path)
    before = resolve(declaration)
    for instance in before:
        write_settings(folder, instance, "")

    def install_later(*names):
        monkeypatch.setattr(keras_backends, "find_spec", lambda name: SimpleNamespace(origin=name) if name in names else None)
        backends = other_backends(folder, resolve(declaration))
        return backends, resolve(replace(declaration, backends=backends))

    backends, instances = install_later("tensorflow", "torch")
    assert backends == {1: "torch"}
    assert [instance.settings_hash for instance in instances] == [instance.settings_hash for instance in before]
    assert [instance.sources["backend"] for instance in instances] == ["config.ini", "instance", "config.ini"]
    assert install_later("tensorflow")[1][0].settings.backend == "tensorflow"
    (chosen,) = resolve(replace(declaration, backends={1: "torch"}), [1], {"backend": "tensorflow"})
    assert chosen.settings.backend == "tensorflow"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"architecture": "cnn_smal"}, r"exp1.py, instance 1: unknown architecture 'cnn_smal'.*Did you mean 'cnn_small'\?"),
        ({"learing_rate": 0.1}, r"instance 1: unknown parameter 'learing_rate'\. Did you mean 'learning_rate'\?"),
        ({"batch_size": -1}, r"batch_size: received -1; allowed: greater than 0"),
        ({"batch_size": "many"}, r"batch_size: received 'many'; allowed: a valid integer"),
        (
            {"n_filters": None},
            r"n_filters: received None; expected one value \(int\) or several, such as \(16, 32, 64, 128\)\.$",
        ),
        ({"batch_size": True}, r"batch_size: received True; expected a number"),
        ({"learning_rate": float("nan")}, r"learning_rate: received nan"),
        ({"monitor": "val_acuracy"}, r"monitor 'val_acuracy' is not a metric of this instance.*Did you mean 'val_accuracy'\?$"),
        ({"optimizer": "adan"}, r"unknown optimizer 'adan'.*Did you mean 'adam'\?"),
        ({"metrics": "kl_divergense"}, r"unknown metric 'kl_divergense' for classification.*Did you mean 'kl_divergence'\?"),
        ({"clip_average": "vote"}, r"clip_average: received 'vote'.*Did you mean 'votes'\?"),
        ({"architecture": "own.network"}, "'own': there is no module 'own' in"),
        ({"loss": "huber"}, r"unknown loss 'huber' for classification"),
        ({"normalization": "per_bim"}, r"normalization: received 'per_bim'.*Did you mean 'per_bin'\?"),
        ({"win_length": 4096}, r"win_length=4096 is longer than n_fft=1024"),
        ({"dropout": "high"}, r"dropout: received 'high'"),
        ({"seed": -1}, "seed: received -1"),
        ({"num_folds": 3}, r"'num_folds' applies to the whole experiment"),
        ({"event_threshold": 0.3}, r"'event_threshold' belongs to task_type frame_classification and has no effect on classif"),
    ],
)
def test_wrong_parameters_are_errors_that_say_where_what_and_what_else(parameters, message):
    with pytest.raises(SettingsError, match=message):
        resolve(declare(parameters))


@pytest.mark.parametrize(
    ("task_type", "parameters", "message"),
    [
        ("frame_classification", {"monitor": "val_event_f1"}, r"monitor 'val_event_f1': metrics of segments and events are"),
        ("frame_classification", {"metrics": "own_package.parts.event_f1"}, "'event_f1' is already computed. Rename it"),
        ("frame_classification", {"metrics": "own_package.parts.worst", "monitor": "val_worst"}, None),
        ("representation", {"metrics": "own_package.parts.worst"}, "a representation only has the metrics mse, "),
    ],
)
def test_metrics_and_monitors_of_the_other_tasks(own_package, task_type, parameters, message):
    parts = own_package / "parts.py"
    parts.write_text(
        parts.read_text() + "\n@metric(higher_is_better=True)\ndef event_f1(targets, predictions):\n    return 0.0\n"
    )
    network = {"representation": "daf_autoencoder", "frame_classification": "sincnet"}[task_type]
    features = {"features": "waveform"} if task_type == "frame_classification" else {}
    declared = declare({"architecture": network, **parameters}, task_type=task_type, **features)
    if message is None:
        assert resolve(declared)[0].settings.monitor == parameters["monitor"]
        return
    with pytest.raises(SettingsError, match=message):
        resolve(declared)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "mlp"},
            r"'mlp' supports.*; received task_type=frame_classification\. Architectures for it: crnn, denet, sincnet",
        ),
        ({"frontend": "none"}, "architecture 'crnn' reads spectrograms. Set features=waveform and frontend=logmel"),
        (
            {"architecture": "sincnet", "features": "logmel", "frontend": "none"},
            "received features='logmel'. Set features='waveform', and frontend='logmel' for",
        ),
        ({"label_frame_s": 0.025}, "hop_length=160 does not divide the 400 samples of a frame of label_frame_s=0.025"),
    ],
)
def test_what_frames_want_of_architecture_and_features(changes, message):
    found = {"architecture": "crnn", "frontend": "logmel", "features": "waveform"}
    assert resolve(declare(found, task_type="frame_classification"))
    with pytest.raises(SettingsError, match=message):
        resolve(declare(found | changes, task_type="frame_classification"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_weights": "balanced"}, "needs clips with one class each.*Set class_weights=none"),
        ({"clip_average": "logits"}, "clip_average='logits' needs clips with one class each.*Set clip_average=probabilities"),
        ({"clip_average": "votes"}, "clip_average='votes' needs clips with one"),
        ({"monitor": "val_tuned_macro_f1"}, "thresholds are chosen only after training. Monitor the loss or .*val_lrap"),
        ({"loss": "categorical_crossentropy"}, "unknown loss 'categorical_crossentropy' for multilabel_classification"),
        (
            {"architecture": "svm"},
            r"'svm' supports classification; received task_type=multilabel_classification\. Architectures for it: cnn_small,",
        ),
        ({"architecture": "feature_combination"}, "'feature_combination' supports classification; received task_type"),
        ({"label_form": "multi_label"}, "'label_form' belongs to task_type frame_classification"),
        ({"label_smoothing": 0.1, "augment_mixup": 0.3, "monitor": "val_mean_average_precision"}, None),
        ({"loss": "binary_focal_crossentropy", "metrics": "binary_crossentropy", "early_stopping": False}, None),
    ],
)
def test_several_labels_refuse_what_is_meant_for_one_class(changes, message):
    declared = declare({"architecture": "mlp"} | changes, task_type="multilabel_classification")
    if message is None:
        assert resolve(declared)[0].settings.task.has_thresholds
        return
    with pytest.raises(SettingsError, match=message):
        resolve(declared)


def test_the_scale_of_targets_belongs_to_regression_and_leaves_results_of_before_what_they_are():
    with pytest.raises(SettingsError, match="'target_scaling' belongs to task_type regression and has no effect on classif"):
        resolve(declare({"target_scaling": "standard"}))

    def found(**changes):
        (instance,) = resolve(declare({}, **changes))
        before = {name: value for name, value in instance.parameters.items() if name != "target_scaling"}
        return instance.settings.target_scaling, instance.settings_hash == hash_parameters(before)

    assert found() == ("none", True)
    assert found(task_type="regression") == ("standard", False)
    assert found(task_type="regression", target_scaling="none") == ("none", True)


def test_clips_of_a_regression_are_averaged_alone():
    with pytest.raises(SettingsError, match="clip_average='votes' needs classes; received task_type=regression"):
        resolve(declare({"clip_average": "votes"}, task_type="regression"))


def test_parts_of_ones_own_are_taken_by_their_dotted_path(own_package):
    own = {
        "architecture": "own_package.network", "n_hidden": "7", "loss": "own_package.parts.loss",
        "optimizer": "own_package.parts.optimizer", "schedule": "own_package.parts.schedule",
        "metrics": ["own_package.parts.worst", "mse"], "monitor": "val_worst",
    }  # fmt: skip

    (instance,) = resolve(declare(own))

    assert instance.options == {"n_hidden": 7}
    assert instance.settings.metrics == "own_package.parts.worst, mse"
    del own["n_hidden"]
    assert resolve(declare(own))[0].sources["n_hidden"] == "own_package.network"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"architecture": "own_package.network", "n_hiden": 3}, r"unknown parameter 'n_hiden'\. Did you mean 'n_hidden'\?"),
        ({"architecture": "own_package.network", "n_hidden": "x"}, r"n_hidden: received 'x'"),
        ({"loss": "own_package.parts.three"}, r"received three\(a, b, c\).*expected loss\(y_true, y_pred\)"),
        ({"loss": "own_package.parts.loss", "augment_mixup": 0.2}, r"augment_mixup gives examples shares of classes"),
        ({"loss": "own_package.parts.loss", "label_smoothing": 0.2}, r"label_smoothing gives examples shares of classes"),
        ({"monitor": "val_worst"}, r"monitor 'val_worst' is not a metric of this instance"),
    ],
)
def test_parts_of_ones_own_that_do_not_fit_are_refused(own_package, parameters, message):
    with pytest.raises(SettingsError, match=message):
        resolve(declare(parameters))


def test_all_faults_of_all_chosen_instances_are_named_at_once():
    declaration = declare({"batch_size": 0}, {"optimizer": "adan"}, {"learning_rate": "x", "patience": 0})

    with pytest.raises(SettingsError) as caught:
        resolve(declaration)

    lines = str(caught.value).splitlines()
    assert [("instance 1" in line, "instance 2" in line, "instance 3" in line) for line in lines] == [
        (True, False, False), (False, True, False), (False, False, True), (False, False, True),
    ]  # fmt: skip


def test_only_chosen_instances_are_checked():
    assert [instance.number for instance in resolve(declare({}, {"batch_size": 0}), [1])] == [1]


def test_unknown_instance_numbers_are_refused():
    with pytest.raises(SettingsError, match=r"no instance 4, 9\. Available: 1-2"):
        resolve(declare({}, {}), [1, 4, 9])


def test_texts_become_the_type_that_the_parameter_has():
    (instance,) = resolve(declare({"learning_rate": "0.001", "batch_size": "16", "generator": "true", "fmax_hz": "none"}))

    assert (instance.settings.learning_rate, instance.settings.batch_size) == (0.001, 16)
    assert instance.settings.generator is True
    assert instance.settings.fmax_hz is None


def test_the_older_names_of_reshaping_are_understood():
    assert resolve(declare({"reshaping_type": "cnn"}))[0].settings.reshaping_type == "conv"


def test_assignments_are_read_and_never_executed():
    read = parse_assignments(['architecture="vgg_mini"', 'learning_rate="0.001"', "batch_size=8", "x = (1, 2)"], "here")

    assert read == {"architecture": "vgg_mini", "learning_rate": "0.001", "batch_size": 8, "x": (1, 2)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=__import__('os').system('true')", "is not a literal"),
        ("a=b", "is not a literal"),
        ("architecture", "an assignment such as"),
        ("import os; a=1", "an assignment such as"),
    ],
)
def test_assignments_that_are_no_literals_are_refused(text, message):
    with pytest.raises(SettingsError, match=message):
        parse_assignments([text], "experiments/exp1.py, instance 1")


def test_an_assignment_that_comes_twice_is_refused():
    with pytest.raises(SettingsError, match="'a' comes twice"):
        parse_assignments(["a=1", "a=2"], "here")


def test_the_hash_changes_with_what_changes_a_result_and_with_nothing_else():
    base = resolve(declare({}))[0].settings_hash

    assert resolve(declare({"comment_1": "hello", "generator": True}))[0].settings_hash == base
    assert resolve(declare({}, experiment_folder="elsewhere", workers=3))[0].settings_hash == base
    assert resolve(declare({"learning_rate": 0.002}))[0].settings_hash != base
    assert resolve(declare({"dropout": 0.11}))[0].settings_hash != base
    assert resolve(declare({}, threads_per_job=2))[0].settings_hash != base


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans() | st.none(), min_size=1))
def test_the_hash_does_not_depend_on_the_order_of_parameters(parameters):
    reversed_order = dict(reversed(parameters.items()))

    assert hash_parameters(parameters) == hash_parameters(reversed_order)


@given(st.sets(st.integers(min_value=1, max_value=60)))
def test_described_numbers_name_exactly_the_numbers(numbers):
    described = describe_numbers(numbers)

    named = set()
    for part in [] if described == "none" else described.split(", "):
        first, _, last = part.partition("-")
        named |= set(range(int(first), int(last or first) + 1))
    assert named == numbers


@pytest.mark.parametrize("device", ["x", "", "0;1", "-1", "cpu,0", "٣", "0,", True])
def test_devices_are_gpu_numbers_or_the_cpu(device):
    with pytest.raises(SettingsError, match=r"exp1\.py, experiment: gpu_ID: received"):
        resolve(declare({}, gpu_ID=device))


@pytest.mark.parametrize(("device", "wanted"), [(0, "0"), ("0,1", "0,1"), ("cpu", "cpu")])
def test_devices_are_written_either_way(device, wanted):
    assert resolve(declare({}, gpu_ID=device))[0].settings.gpu_ID == wanted


def test_a_fault_that_several_instances_share_is_reported_once():
    declaration = declare(*({"architecture": name, "batch_sice": 3} for name in ("cnn_small", "crnn", "mlp")), num_epoch=3)

    with pytest.raises(SettingsError) as raised:
        resolve(declaration)

    assert str(raised.value).splitlines() == [
        "experiments/exp1.py, experiment: unknown parameter 'num_epoch'. Did you mean 'num_epochs'?",
        "experiments/exp1.py, instances 1-3: unknown parameter 'batch_sice'. Did you mean 'batch_size'?",
    ]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("leave_one_group_out", "leave_one_out"),
        ("LeaveOneGroupOut", "leave_one_out"),
        ("stratified_group", "balanced"),
        ("StratifiedGroupKFold", "balanced"),
        ("predefined_split", "predefined"),
        ("group_shuffle_split", "holdout"),
    ],
)
def test_names_of_scikit_learn_are_written_as_those_of_the_strategies(make_settings, name, ours):
    assert make_settings(fold_strategy=name) == make_settings(fold_strategy=ours)
    assert make_settings(fold_strategy=name).fold_settings().fold_strategy == ours


def test_parts_that_settings_or_a_search_of_them_name_belong_to_the_code(make_settings, own_package):
    space = {
        "architecture": Choice(("own_package.network.wider", "mlp")),
        "optimizer": Choice(("adam", "own_package.parts.Slow")),
    }
    named = {
        "metrics": "kl_divergence, own_package.parts.worst",
        "schedule": "own_package.parts.schedule",
        "architecture": "cnn_small",
    }
    settings = make_settings(search=SearchPlan(space, 3).to_text(), monitor="val_balanced_accuracy", **named)

    assert settings.own_parts() == {
        "architectures.cnn_small.build", "architectures.mlp.build", "own_package.network.wider",
        "own_package.network.reshaping_type", "own_package.parts.Slow", "own_package.parts.worst", "own_package.parts.schedule",
    }  # fmt: skip
    assert settings.own_modules() == {"own_package.network", "own_package.parts"}


def test_a_splitter_of_ones_own_is_looked_up_and_belongs_to_the_code(make_settings, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_folds.py").write_text("def split(items): ...\ndef two(items, seed): ...\nclass Own: ...\n")

    assert "my_folds" in make_settings(fold_strategy="my_folds.split").own_modules()
    assert make_settings(fold_strategy="my_folds.Own").fold_strategy == "my_folds.Own"
    for name, message in {
        "my_folds.splitt": r"my_folds\.py has no 'splitt'\. Available: Own, split, two\. Did you mean 'split'",
        "my_folds.two": r"'my_folds\.two': received two\(items, seed\) in .*; expected split\(items\)",
        "balance": r"fold_strategy: received 'balance'\. Available: balanced, holdout, .* Did you mean 'balanced'",
    }.items():
        with pytest.raises(SettingsError, match=message):
            make_settings(fold_strategy=name)
    with pytest.raises(SettingsError, match=r"fold_repeats=2 .*fold_strategy='my_folds\.split'\. Set"):
        make_settings(fold_strategy="my_folds.split", fold_repeats=2)
