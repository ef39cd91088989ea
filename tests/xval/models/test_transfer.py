import json
import re

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.base.errors import SettingsError
from xval.base.json_files import write_json
from xval.data.fold import load_fold
from xval.folds.plan import Fold
from xval.models.build import build_model
from xval.models.saved.initial import find_initial_model, hash_model
from xval.models.transfer import match_layers, network_blocks, start_from
from xval.settings.resolve import Declaration, resolve
from xval.training.compiled import compile_model
from xval.training.fit import train_model

SHAPE = (12, 8)
FOLD = Fold(1, ("a", "b"), ("c",), ("d",))
OPTIONS = {"cnn_small": {"n_filters": [3, 4], "dropout": 0.2}, "mlp": {"n_units": [5, 4], "dropout": 0.0}}
OPTIONS["crnn"] = {"n_filters": [3], "n_units": 4}


def corpus(folder, classes="xy", shape=SHAPE, dataset="small"):
    """Return a store of four items whose examples lie higher, the later their class."""
    rng = np.random.default_rng(len(classes))
    labels = [classes[number % len(classes)] for number in range(12)]
    offsets = np.array([classes.index(label) for label in labels]).reshape(-1, *[1] * len(shape))
    predictors = {item: (rng.normal(3, 2, size=(12, *shape)) + offsets).astype(np.float32) for item in "abcd"}
    return store.write(dataset, predictors, dict.fromkeys("abcd", labels), data_folder=folder)


def describe(path, opened, architecture, **changes):
    """Write what xval writes beside a saved model."""
    content = {"architecture": architecture, "task_type": "classification", "class_names": list(opened.class_names)}
    write_json(path.with_suffix(".json"), content | {"target_names": [], "seen_items": {"other": ["a"]}} | changes)


@pytest.fixture
def build(make_settings, make_options):
    """Return a function that gives the settings of an instance and its fresh model."""

    def build(opened, architecture="cnn_small", **changes):
        own = {"architecture": architecture, "num_epochs": 2, "learning_rate": 0.05} | OPTIONS[architecture] | changes
        chosen = make_settings(**own)
        return chosen, build_model(chosen, make_options(**own), opened, ("a", "b"))

    return build


@pytest.fixture
def save_initial(tmp_path, build):
    """Return a function that saves a model whose every weight is unlike that of a fresh one, moving statistics too."""

    def save_initial(classes="xy", architecture="cnn_small", shape=SHAPE, **changes):
        opened = corpus(tmp_path / f"source_{classes}", classes, shape)
        _, model = build(opened, architecture, **changes)
        rng = np.random.default_rng(9)
        for layer in weighted(model):
            layer.set_weights([rng.uniform(0.1, 1, size=weight.shape) for weight in layer.get_weights()])
        path = tmp_path / "initial.keras"
        model.save(path)
        describe(path, opened, architecture)
        return model, path

    return save_initial


@pytest.fixture
def start(tmp_path, build):
    """Return a function that gives a store, the settings, a model that has started from the saved one, and the facts."""

    def start(path, classes="xy", architecture="cnn_small", shape=SHAPE, **changes):
        folder = tmp_path / f"target_{classes}_{len(list(tmp_path.iterdir()))}"
        opened = corpus(folder, classes, shape)
        chosen, model = build(opened, architecture, initial_model=str(path), **changes)
        facts = start_from(model, find_initial_model(chosen, FOLD, folder / "small"), chosen, opened)
        return opened, chosen, model, facts

    return start


def weighted(model):
    """Return the layers of the network that have weights, from input to output."""
    return [layer for block in network_blocks(model) for layer in block if layer.weights]


def weights(model):
    return [[np.array(weight) for weight in layer.get_weights()] for layer in weighted(model)]


def equal(ones, others):
    """Return for each layer whether all of its weights are the same bit for bit."""
    return [all(map(np.array_equal, one, other)) for one, other in zip(ones, others, strict=True)]


def train(opened, chosen, model):
    data = load_fold(opened, FOLD, in_memory=True)
    return train_model(compile_model(model, chosen, seed=1), data, chosen, seed=1)


# copying


def test_every_layer_is_copied_where_the_classes_are_the_same(save_initial, start):
    source, path = save_initial()

    opened, _, model, facts = start(path)

    assert equal(weights(model), weights(source)) == [True] * 5
    assert facts["layers_copied"] == [layer.name for layer in weighted(model)]
    assert facts["layers_frozen"] == []
    mean = model.get_layer("normalization").get_weights()[0]
    assert mean == pytest.approx(opened.moments(["a", "b"]).mean(), rel=1e-5)  # not that of the initial model's items


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_a_regression_starts_with_the_answers_of_the_initial_model_on_targets_of_another_scale(scaling, tmp_path, build):
    rng = np.random.default_rng(1)
    predictors = {item: rng.normal(size=(5, *SHAPE)).astype(np.float32) for item in "abcd"}
    models = {}
    for name, scale in (("source", 3.0), ("target", 50.0)):
        numbers = {item: rng.normal(10 * scale, scale, size=(5, 2)) for item in "abcd"}
        opened = store.write(name, predictors, numbers, data_folder=tmp_path, task_type="regression")
        given = {"task_type": "regression", "architecture": "mlp", "normalization": "none"}
        if models:
            path = tmp_path / "initial.keras"
            models["source"].save(path)
            describe(path, opened, "mlp", task_type="regression", target_names=["0", "1"])
            given |= {"initial_model": str(path)}
        chosen, models[name] = build(opened, target_scaling=scaling if name == "source" else "standard", **given)
    start_from(models["target"], find_initial_model(chosen, FOLD, tmp_path / "target"), chosen, opened)

    answers = [model.predict(predictors["d"], verbose=0) for model in models.values()]
    assert answers[1] == pytest.approx(answers[0], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("classes", ["xyz", "yz"])
def test_the_output_layer_is_new_where_the_classes_differ(classes, save_initial, start):
    source, path = save_initial()

    _, _, model, facts = start(path, classes)

    assert equal(weights(model), weights(source)) == [True] * 4 + [False]
    assert facts["layers_copied"] == [layer.name for layer in weighted(model)][:-1]
    assert model.output.shape[-1] == len(classes)


def test_the_output_layer_is_new_where_nothing_names_the_classes(save_initial, start):
    source, path = save_initial()
    path.with_suffix(".json").unlink()

    assert equal(weights(start(path)[2]), weights(source)) == [True] * 4 + [False]


def test_layers_of_another_shape_are_named_with_both_shapes(save_initial, start):
    _, path = save_initial(n_filters=[3, 6])

    with pytest.raises(
        SettingsError, match=r"layer 'conv2d_\d+' is Conv2D with .* \(3, 3, 3, 4\), but layer .* \(3, 3, 3, 6\)"
    ):
        start(path)


def test_networks_of_other_depth_are_refused(save_initial, start):
    _, path = save_initial(n_filters=[3])

    with pytest.raises(SettingsError, match=r"has 2 layers with weights .* 'cnn_small' has 4"):
        start(path)


def autoencoder(path, opened):
    """Save a convolutional autoencoder whose first layers are alike with those of `cnn_small`, and return it."""
    inputs = x = keras.Input(SHAPE)
    x = keras.layers.Reshape((*SHAPE, 1))(x)
    for number, filters in enumerate((3, 4)):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name="conv2d_7" if number else "first")(x)
        x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same", name="rebuilt")(x))
    rng = np.random.default_rng(9)
    model.set_weights([rng.uniform(0.1, 1, size=weight.shape) for weight in model.get_weights()])
    model.save(path)
    describe(path, opened, "cnn_small", task_type="representation", class_names=[])
    return model


def test_the_encoder_of_an_autoencoder_becomes_the_lower_part_of_a_classifier(tmp_path, start):
    source = autoencoder(tmp_path / "initial.keras", corpus(tmp_path / "source", "xy"))

    with pytest.raises(
        SettingsError, match=r"has 5 layers with weights .* or set initial_model_match to names, shapes or prefix"
    ):
        start(tmp_path / "initial.keras")
    _, _, model, facts = start(tmp_path / "initial.keras", initial_model_match="prefix", frozen_layers=2)

    assert equal(weights(model)[:4], weights(source)[:4]) == [True] * 4
    names = [layer.name for layer in weighted(model)]
    assert facts["layers_copied"] == facts["layers_frozen"] == names[:4]
    assert facts["layers_new"] == names[4:]
    assert facts["layers_unused"] == [layer.name for layer in weighted(source)][4:]


def test_layers_are_matched_by_name_or_by_shape_in_order_and_only_where_they_are_alike():
    def network(*layers):
        return keras.Sequential([keras.Input((6,)), *(keras.layers.Dense(units, name=name) for name, units in layers)])

    here = network(("a", 5), ("new", 7), ("b", 5), ("c", 4)).layers
    there = network(("a", 5), ("b", 5), ("x", 7), ("c", 5), ("d", 4)).layers

    def found(match, layers=here, sources=there):
        return [(layer.name, source.name) for layer, source in match_layers(layers, sources, match)]

    assert found("names") == [("a", "a")]  # b and c read another number of values there
    assert found("prefix") == [("a", "a")]
    assert found("shapes") == [("a", "a"), ("new", "x"), ("b", "c"), ("c", "d")]
    assert found("shapes", there, here) == [("a", "a"), ("x", "new"), ("c", "b"), ("d", "c")]  # nothing fits the b of there
    assert found("names", sources=here) == found("shapes", sources=here) == found("prefix", sources=here)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"initial_model_match": "prefix", "n_filters": [9]},
            r"match='prefix': no layer matches\. The first layers of .*'first' \(Conv2D.* Build both alike",
        ),
        (
            {"initial_model_match": "shapes", "n_filters": [3, 9], "frozen_layers": 2},
            r"layer 'conv2d_\d+' would be frozen, but no layer of .* Freeze fewer blocks with frozen_layers",
        ),
    ],
)
def test_what_does_not_fit_is_neither_copied_nor_frozen(changes, message, tmp_path, start):
    autoencoder(tmp_path / "initial.keras", corpus(tmp_path / "source", "xy"))

    with pytest.raises(SettingsError, match=message):
        start(tmp_path / "initial.keras", **changes)


def test_an_initial_model_with_nothing_to_copy_is_refused(save_initial, start):
    _, path = save_initial(architecture="mlp", n_units=[])

    with pytest.raises(SettingsError, match=r"nothing of .* can be copied"):
        start(path, "xyz", "mlp", n_units=[])


# freezing


def test_frozen_blocks_stay_bit_for_bit_and_the_rest_does_not(save_initial, start):
    source, path = save_initial()
    opened, chosen, model, facts = start(path, frozen_layers=1, early_stopping=False, augment_noise=0.1)
    assert facts["layers_frozen"] == facts["layers_copied"][:2]

    history = train(opened, chosen, model)

    assert len(history.epochs) == 2
    # convolution, batch normalisation with its moving statistics | convolution, batch normalisation, dense
    assert equal(weights(model), weights(source)) == [True, True, False, False, False]
    changed = [np.array_equal(*pair) for pair in zip(weights(model)[3], weights(source)[3], strict=True)]
    assert changed == [False] * 4  # the moving statistics of what is not frozen move


def test_a_frozen_batch_normalisation_normalises_by_its_moving_statistics_in_training_too(save_initial, start):
    _, path = save_initial()
    values = np.random.default_rng(1).normal(size=(6, 12, 8, 3)).astype(np.float32)
    for frozen_layers, same in ((1, True), (0, False)):
        _, _, model, _ = start(path, frozen_layers=frozen_layers)
        layer = weighted(model)[1]
        assert isinstance(layer, keras.layers.BatchNormalization)
        found = [keras.ops.convert_to_numpy(layer(values, training=training)) for training in (True, False)]
        assert np.array_equal(*found) == same


def test_all_convolutions_are_frozen_and_what_follows_them_is_not(save_initial, start):
    _, path = save_initial(architecture="crnn")
    _, _, model, facts = start(path, architecture="crnn", frozen="convolutions")
    assert [[layer.name.partition("_")[0] for layer in block if layer.weights] for block in network_blocks(model)] == [
        ["conv2d", "batch"],
        ["bidirectional"],
        ["dense"],
    ]
    names = [layer.name for layer in weighted(model)]
    assert (facts["layers_copied"], facts["layers_frozen"]) == (names, names[:2])
    assert [bool(layer.trainable_weights) for layer in weighted(model)] == [False, False, True, True]


def test_the_penalty_counts_trained_kernels_alone(save_initial, start):
    _, path = save_initial(architecture="mlp")

    model = start(path, architecture="mlp", frozen_layers=1, regularization_lambda=0.1)[2]

    wanted = sum(float((kernel**2).sum()) for kernel, _ in weights(model)[1:])
    assert float(sum(model.losses)) == pytest.approx(0.1 * wanted, rel=1e-5)


class Own(keras.Model):
    """Makes the layer that answers first, and perhaps has a weight that is no layer's."""

    def __init__(self, *, has_weight=False):
        super().__init__()
        self.last, self.first, self.has_weight = keras.layers.Dense(2), keras.layers.Dense(3), has_weight

    def build(self, _):
        if self.has_weight:
            self.shift = self.add_weight(shape=(2,))

    def call(self, x):
        return self.last(self.first(x)) + (self.shift if self.has_weight else 0)


def whole(network):
    """Return a network as xval saves it."""
    inputs = keras.Input((4,))
    scaled = keras.layers.BatchNormalization(name="normalization")(inputs)
    return keras.Model(inputs, keras.layers.Softmax(name="prediction")(network(scaled)))


def test_the_blocks_of_an_own_class_come_in_the_order_of_its_calls():
    network = Own()

    first, second = network_blocks(whole(network))

    assert [layer for layer in first if layer.weights] == [network.first]
    assert [layer for layer in second if layer.weights] == [network.last]


def test_an_own_class_with_a_weight_outside_of_its_layers_is_one_block():
    network = Own(has_weight=True)

    (block,) = network_blocks(whole(network))

    assert [layer for layer in block if layer.weights] == [network]


def test_a_layer_of_the_network_that_has_the_name_of_one_around_it_is_in_a_block():
    dense = [keras.layers.Dense(4, name=name) for name in ("normalization", "frontend", "temperature", "target_scaling")]

    blocks = network_blocks(whole(keras.Sequential(dense)))

    assert [layer for block in blocks for layer in block if layer.weights] == dense


def test_layers_ahead_of_the_first_kernel_and_within_other_models_belong_to_blocks():
    inner = keras.Sequential([keras.layers.Conv1D(2, 3), keras.layers.BatchNormalization(), keras.layers.ReLU()])
    inputs = keras.Input((5, 9, 1))
    hidden = keras.layers.TimeDistributed(inner)(keras.layers.LayerNormalization()(inputs))
    hidden = keras.layers.TimeDistributed(keras.layers.Conv1D(2, 1))(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))

    kinds = [[type(layer).__name__ for layer in block if layer.weights] for block in network_blocks(model)]

    assert kinds == [["LayerNormalization", "Conv1D", "BatchNormalization"], ["TimeDistributed"], ["Dense"]]


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        (
            "cnn_small",
            {"frozen_layers": 3},
            r"frozen_layers=3: the network has 2 blocks that can be frozen \(conv2d.*never frozen",
        ),
        ("mlp", {"frozen": "convolutions"}, "the network has no convolution before its output layer"),
    ],
)
def test_blocks_that_are_not_there_cannot_be_frozen(architecture, changes, message, save_initial, start):
    _, path = save_initial(architecture=architecture)

    with pytest.raises(SettingsError, match=message):
        start(path, architecture=architecture, **changes)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"frozen_layers": 2}, "frozen_layers=2 would freeze random weights. Set initial_model"),
        ({"frozen": "convolutions"}, "frozen='convolutions' would freeze random weights. Set"),
        ({"initial_model": "m.keras", "frozen": "convolutions", "frozen_layers": 1}, "contradict each other"),
        ({"initial_model": "m.keras", "frozen_layers": -1}, "frozen_layers: received -1"),
        ({"initial_model_match": "names"}, "initial_model_match='names' has no effect without initial_model"),
        ({"initial_model": "m.keras", "unfreeze_every": 2}, "unfreeze_every=2: nothing is frozen. Set frozen_layers"),
        (
            {"initial_model": "m.keras", "frozen_layers": 1, "unfreeze_every": 9, "num_epochs": 9},
            "would unfreeze nothing in num_epochs=9",
        ),
        ({"initial_model": "m.h5"}, r"expected none, the path of a \.keras file"),
        ({"initial_model": "fold_{folds}/m.keras"}, r"in which \{fold\} is replaced by the number"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(parameters, message):
    with pytest.raises(SettingsError, match=message):
        resolve(Declaration("exp.py", "exp.py", "", {}, {1: parameters}))


# in an experiment


@pytest.mark.usefixtures("in_process", "eagerly")
def test_an_experiment_goes_on_from_another_one(project):
    pattern = "results/toy/experiment_1/instance_1/fold_{fold}/model.keras"
    small = {"architecture": "mlp", "n_units": (6,)}
    project.write_script(small, num_epochs=1, executor="inline", num_folds=2)
    first = (project.folder / "exp.py").read_text()
    inputs = keras.Input(SHAPE)
    hidden = keras.layers.Dense(6)(keras.layers.Flatten()(inputs))
    keras.Model(inputs, keras.layers.Dense(3)(hidden)).save(project.folder / "foreign.keras")
    leaking = {"initial_model": pattern.replace("{fold}", "1")}
    project.write_script(
        {**small, "initial_model": pattern, "frozen_layers": 1},
        {**small, "initial_model": "foreign.keras"},
        {**small, **leaking},
        num_epochs=1,
        executor="inline",
        num_folds=2,
        num_experiment=2,
    )
    second = (project.folder / "exp.py").read_text().replace("experiment.main()", "experiment.main(arguments)")
    lines = ["    try:", "        experiment.main([])", "    except SystemExit as end:", "        assert end.code == 0"]
    code = [first.replace("    experiment.main()", "\n".join(lines)), "import sys; arguments = sys.argv[1:]", second]
    (project.folder / "exp.py").write_text("\n".join(code))

    ended = project.run(1, 2)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for fold in (1, 2):
        folders = [project.results.with_name(f"experiment_{n}") / "instance_1" / f"fold_{fold}" for n in (1, 2)]
        source, model = (keras.models.load_model(folder / "model.keras") for folder in folders)
        assert equal(weights(model), weights(source)) == [True, False]
        record, beside = (json.loads((folders[1] / name).read_text()) for name in ("record.json", "model.json"))
        for content in (record, beside):
            assert content["initial_model_hash"] == hash_model(folders[0] / "model.keras")
            assert content["initial_model_items"] == "unseen"
        assert len(record["layers_copied"]) == 2
        assert beside["seen_items"] == {"toy": sorted({*record["items"]["training"], *record["items"]["validation"]})}

    line = "instance 2: possible leakage: initial_model foreign.keras: the training data of it"
    assert ended.stdout.count(line) == 1
    record = json.loads((project.results.with_name("experiment_2") / "instance_2" / "fold_1" / "record.json").read_text())
    assert record["initial_model_items"] == "unknown"

    refused = project.run(3)

    assert refused.returncode == 2
    assert re.search(r"error: exp\.py, instance 3: fold 2: initial_model: .* Put \{fold\} in its path", refused.stderr)
    assert not (project.results.with_name("experiment_2") / "instance_3" / "settings.json").exists()

    # The same audio with random labels, under another name of the corpus and of each item.
    opened, rng = store.open_store(project.folder / "data" / "toy" / "features" / "custom"), np.random.default_rng(1)
    examples = {f"new {item}": opened.predictors(item) for item in opened.items}
    labels = {f"new {item}": rng.permutation(opened.targets(item)) for item in opened.items}
    store.write("renamed", examples, labels, data_folder=project.folder / "data")
    project.write_script({**small, "initial_model": pattern}, dataset="renamed", executor="inline", num_folds=2, fold_seed=3)

    refused = project.run()

    assert refused.returncode == 2
    for knows in ("has seen what fold 1 tests", "has seen what fold 2 tests"):
        assert re.search(rf"{knows}: \d+ of its \d+ clips by their audio \(new speaker_\d#0", refused.stderr), refused.stderr
    assert not (project.folder / "results" / "renamed" / "experiment_1" / "instance_1").exists()
