"""Labelled audio that takes milliseconds to make, and models that answer from tables."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from xval.base.errors import AudioError
from xval.base.json_files import write_json
from xval.models.saved.description import ModelDescription, mean_thresholds
from xval.reuse.inference import LeftOut

RATE_HZ = 8000


class ModelOfTables:
    """Answers as `xval.reuse.inference.SavedModel` does, from what each file is said to hold.

    Args:
        folder: Of its one member, with model.json and perhaps seen_audio.npy.
        description: The content of its model.json.
        answers: For the name of a file, or a number for arrays in their order, the values of its row.
        unreadable: Files that it cannot read.
    """

    def __init__(self, folder, description, answers, unreadable=()):
        self.description = ModelDescription.model_validate(description)
        self.descriptions = (self.description,)
        self.path, self.members = folder, [folder / "model.keras"]
        self.task_type, self.class_names = self.description.task_type, self.description.class_names
        self.target_names, self.is_untested = self.description.target_names, False
        self.thresholds = mean_thresholds(self.descriptions)
        self.answers, self.unreadable, self.asked = answers, unreadable, []

    def predict(self, audio, *, per="file", skip_unreadable=False, items=None, enrolment=None):
        self.asked += audio
        tables, left_out = [pd.DataFrame()], []
        for number, each in enumerate(audio):
            name = number if isinstance(each, np.ndarray) else Path(getattr(each, "path", each)).name
            if name in self.unreadable:
                if not skip_unreadable:
                    raise AudioError(f"{each}: no audio.")
                left_out.append(LeftOut(number, str(name), f"{each}: no audio."))
                continue
            values = np.atleast_2d(np.asarray(self.answers(name) if callable(self.answers) else self.answers[name], np.float32))
            if not np.isfinite(values).all():
                left_out.append(LeftOut(number, str(name), f"{each}: the model predicts NaN.", is_undefined=True))
                continue
            if self.task_type == "representation":
                columns = {"squared_error": values[:, 0]}
            elif self.task_type == "regression":
                columns = {f"predicted_{target}": values[:, column] for column, target in enumerate(self.target_names)}
            else:
                columns = {f"probability_{label}": values[:, column] for column, label in enumerate(self.class_names)}
            tables.append(pd.DataFrame({"path": str(name), **columns}))
        table = pd.concat(tables, ignore_index=True)
        table.attrs |= {"left_out": left_out, "cut": 0}
        return table


@pytest.fixture
def make_model(tmp_path, make_description):
    """Return a function that makes a `ModelOfTables` whose seen_audio.npy holds some hashes (None: there is none)."""
    folder = tmp_path / "model"
    folder.mkdir()

    def make(answers, seen=(), unreadable=(), **changes):
        if seen is not None:
            np.save(folder / "seen_audio.npy", np.sort(np.array(list(seen), np.uint64)))
        description = make_description(**{"class_names": ("a", "b", "c")} | changes)
        write_json(folder / "model.json", description)
        return ModelOfTables(folder, description, answers, unreadable)

    return make


@pytest.fixture
def watch():
    return lambda title: nullcontext(lambda done, total: None)


def write_tone(path, seed, duration_s=0.05):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, int(RATE_HZ * duration_s)).astype(np.float32), RATE_HZ)


@pytest.fixture
def animals(tmp_path):
    """A folder of class folders: a, b and c with two files of each of three speakers."""
    folder = tmp_path / "animals"
    for number, label in enumerate("abc"):
        for speaker in range(3):
            for take in range(2):
                write_tone(folder / label / f"{label}_s{speaker}_{take}.wav", 100 * number + 10 * speaker + take)
    return folder


@pytest.fixture
def tone():
    return write_tone
