"""A training that is interrupted goes on inside its fold, and ends as one that nothing has disturbed, bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest

ALL = ("11:4", "12:3", "13:test", "14:3")


@pytest.fixture
def interrupt(run_on, tmp_path):
    """Return a function that has checkpoint_probe.py train jobs on a backend, undisturbed and interrupted."""
    probe, root = Path(__file__).with_name("checkpoint_probe.py"), Path(__file__).parents[3]

    def interrupt(backend, *names):
        printed = run_on(backend, probe, tmp_path, *names, path=[root])
        return json.loads(printed.splitlines()[-1])

    return interrupt


@pytest.mark.parametrize(
    ("backend", "names"),
    [
        ("torch", ALL),
        ("tensorflow", ALL[:1]),
        ("jax", ALL[:1]),
        pytest.param("tensorflow", ALL[1:], marks=pytest.mark.slow),
        pytest.param("jax", ALL[1:], marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_training_goes_on_and_ends_as_an_undisturbed_one(backend, names, interrupt):
    for name, found in interrupt(backend, *names).items():
        where = name.partition(":")[2]
        n_before = 5 if where == "test" else int(where) - 1

        assert found["gone_on"] == found["undisturbed"], name
        assert found["seen"] == list(range(n_before + 1, 6)), name
        assert found["went_on"]["after_epoch"] == n_before
        assert found["went_on"]["seconds_before"] > 0
        (note,) = found["notes"]
        assert ("continues with its test" if where == "test" else f"continues at epoch {where} of 5") in note
        assert found["files"] == []  # no checkpoint is left of a job that is done


@pytest.fixture
def make_training(tmp_path, make_settings, make_options):
    """Return a function that gives what trains a small network with checkpoints, and its job."""
    import keras

    from preprocessing import store
    from xval.data.fold import load_fold
    from xval.folds.plan import Fold
    from xval.jobs.checkpoints import FoldCheckpoints
    from xval.jobs.job import Job
    from xval.jobs.observers import Observer, Observers
    from xval.models.build import build_model
    from xval.training.compiled import compile_model
    from xval.training.fit import train_model
    from xval.training.own_callbacks import own_parts

    class Watching(Observer):
        """Ends the process at an epoch, and keeps notes."""

        def __init__(self, end_after, notes):
            self.end_after, self.note = end_after, notes.append

        def epoch(self, values):
            if values["epoch"] == self.end_after:
                raise KeyboardInterrupt

    fold = Fold(1, ("a", "c"), ("b",), ("d",))
    rng = np.random.default_rng(0)
    examples = {item: rng.normal(size=(4, 3, 4)).astype(np.float32) for item in "abcd"}
    opened = store.write("toy", examples, {item: ["x", "y"] * 2 for item in "abcd"}, data_folder=tmp_path)
    data = load_fold(opened, fold, in_memory=True)

    def make(*, end_after=None, notes=None, code="code", **changes):
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        given = {"architecture": "mlp", "n_units": (4,), "dropout": 0.5, "num_epochs": 4, "batch_size": 2}
        chosen = given | {"checkpoint_minutes": 1e-9} | changes
        settings, options = make_settings(**chosen), make_options(**chosen)
        compiled = compile_model(build_model(settings, options, opened, fold.training), settings, seed=1)
        job = Job(str(tmp_path), code, str(opened.folder), 1, fold, settings, options, "hash", "folds", seed=1)
        (tmp_path / "instance_1").mkdir(exist_ok=True)
        watching = Watching(end_after, [] if notes is None else notes)
        observers = Observers([watching], *own_parts(settings))
        checkpoints = FoldCheckpoints(job, tmp_path, observers, {})
        observers.add(checkpoints)
        return lambda: train_model(compiled, data, settings, seed=1, observers=observers, checkpoints=checkpoints), checkpoints

    return make


@pytest.fixture
def interrupted(make_training, tmp_path):
    """Leave the checkpoint of the second epoch; return its path."""
    train, _ = make_training(end_after=3)
    with pytest.raises(KeyboardInterrupt):
        train()
    return tmp_path / "instance_1" / ".fold_1.checkpoint.npz"


def rewrite(path, change):
    """Change the content of a checkpoint, and write it whole."""
    from dataclasses import replace

    from xval.jobs.checkpoint_file import read_checkpoint, write_checkpoint

    found = read_checkpoint(path)
    state = dict(found.state)
    change(state)
    write_checkpoint(path, replace(found, state=state), path.parent)


DAMAGES = {
    "a flipped bit": lambda path: path.write_bytes(flipped(path.read_bytes())),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "empty": lambda path: path.write_bytes(b""),
    "a pickle": lambda path: np.savez(path, allow_pickle=True, state=np.array([{}], object)),
    "another form of weights": lambda path: rewrite(path, lambda state: state["model"]["variables"].pop()),
    "another dtype": lambda path: rewrite(
        path, lambda state: state.update(model={"variables": [each.astype("complex64") for each in variables_of(state)]})
    ),
    "no early stopping": lambda path: rewrite(path, lambda state: state.pop("EarlyStopping")),
    "a text": lambda path: rewrite(path, lambda state: state["EarlyStopping"].update(best="0.5")),
    "another form of best weights": lambda path: rewrite(path, lambda state: state["EarlyStopping"]["best_weights"].pop()),
    "an epoch too few": lambda path: rewrite(
        path, lambda state: state.update(epochs={**state["epochs"], "values": state["epochs"]["values"][:1]})
    ),
    "an end behind the end": lambda path: rewrite(path, lambda state: state["epochs"].update(last_epoch=5)),
    "the form of an earlier version": lambda path: rewrite(
        path, lambda state: state.update(variables=state.pop("model")["variables"], history=state.pop("epochs"), callbacks=[])
    ),
    "no random numbers": lambda path: rewrite(path, lambda state: state.update(random={})),
}


def variables_of(state):
    return state["model"]["variables"]


def flipped(content):
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def test_a_checkpoint_of_no_use_is_said_and_removed_and_the_fold_begins_again(interrupted, make_training, monkeypatch):
    begun, notes, content = [], [], interrupted.read_bytes()

    def fit(*_, initial_epoch, **__):
        begun.append(initial_epoch)
        raise KeyboardInterrupt

    monkeypatch.setattr("keras.Model.fit", fit)
    train, checkpoints = make_training(notes=notes)
    with pytest.raises(KeyboardInterrupt):
        train()
    assert (begun.pop(), notes) == (2, [])

    for name, damage in DAMAGES.items():
        interrupted.write_bytes(content)
        damage(interrupted)
        with pytest.raises(KeyboardInterrupt):
            train()

        assert begun.pop() == 0, name
        assert notes.pop().startswith("fold 1 restarts, because its checkpoint cannot be used: "), name
        assert not interrupted.exists(), name
    checkpoints.complete(record := {})
    assert record == {}


def test_a_fold_that_begins_again_is_as_if_there_had_been_no_checkpoint(interrupted, make_training):
    rewrite(interrupted, lambda state: state["epochs"].update(last_epoch=5))  # found out when the model has its variables
    notes = []

    begun_again = make_training(notes=notes)[0]()

    assert "fold 1 restarts, because its checkpoint cannot be used: its state does not match" in notes[0]
    assert begun_again.epochs == make_training(checkpoint_minutes=0)[0]().epochs


def test_a_checkpoint_of_another_training_is_refused_by_name_and_a_pipe_is_not_waited_for(interrupted, make_training):
    import os

    notes = []
    assert make_training(notes=notes)[1].find().epoch == 2
    make_training(notes=notes, seed=2)[1].find()  # the job has a seed of its own: a setting counts by the hash of all
    (interrupted.parent.parent / "code").mkdir()
    (interrupted.parent.parent / "code" / "x.py").write_text("a = 1")
    assert make_training(notes=notes, code=str(interrupted.parent.parent / "code"))[1].find() is None
    os.mkfifo(interrupted)
    assert make_training(notes=notes)[1].find() is None

    assert "its checkpoint cannot be used: it is of another code" in notes[0]
    assert "not a regular file" in notes[1]
    assert len(notes) == 2


def test_a_full_disk_costs_the_checkpoint_and_not_the_training(make_training, monkeypatch):
    def write(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xval.jobs.checkpoints.write_checkpoint", write)
    notes = []

    history = make_training(notes=notes)[0]()

    assert len(history.epochs) == 4
    assert notes == ["fold 1: its checkpoint cannot be written (No space left on device)"]


def test_with_zero_minutes_and_with_callbacks_of_ones_own_there_is_none(interrupted, make_training, own_package):
    (own_package / "callbacks.py").write_text("import keras\n\nclass Own(keras.callbacks.Callback):\n    pass\n")
    assert make_training(checkpoint_minutes=0)[1].find() is None
    interrupted.unlink()

    make_training(callbacks="own_package.callbacks.Own")[0]()

    assert not interrupted.exists()
