"""A number that voices carry is learned within a few epochs, and what a run leaves has it in its own unit, by its name."""

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.corpora._demo_speech import SAMPLE_RATE_HZ, draw_speaker, speak
from xval.answers.audit import audit
from xval.results.folder import ExperimentFolder


@pytest.mark.slow
@pytest.mark.usefixtures("in_process")
def test_the_formant_scale_of_unseen_demo_voices_is_better_than_chance_within_five_epochs(project):
    (project.folder / "audio").mkdir()
    rows = ["path,item,label:formant_scale"]
    for number in range(40):
        speaker = draw_speaker(number, seed=1)
        for take in range(3):
            samples = speak("heed", speaker, np.random.default_rng([number, take]))
            soundfile.write(project.folder / "audio" / f"{number}_{take}.wav", samples, SAMPLE_RATE_HZ)
            rows.append(f"{number}_{take}.wav,s{number},{100 * speaker.tract_factor}")
    (project.folder / "audio" / "voices.csv").write_text("\n".join(rows))
    project.settings = {"n_mels": 32}
    project.prepare("voices.csv", "--task-type", "regression")
    network = {"architecture": "cnn_small", "num_epochs": 5, "batch_size": 8, "learning_rate": 0.001}
    project.write_script(network, task_type="regression", fold_strategy="holdout", test_fraction=0.3, **project.settings)

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = project.records()[1, 1]
    found, chance = record["metrics"]["test"], record["chance"]["test"]
    assert found["rmse"] < 0.8 * chance["rmse"]
    fold = project.results / "instance_1" / "fold_1"
    answers = pd.read_parquet(fold / "predictions.parquet").query("side == 'test'")
    errors = answers["predicted_formant_scale"] - answers["target_formant_scale"]
    assert found["mae"] == pytest.approx(errors.abs().mean(), rel=1e-5)
    model = keras.saving.load_model(fold / "model.keras")
    deviation, mean, *rest = model.get_layer("target_scaling").get_weights()
    assert found["loss"] == pytest.approx((errors**2).mean() / deviation[0] ** 2, rel=1e-4)

    # The audit finds the scale of the targets to be that of the training items, and tells another one.
    def normaliser():
        verdicts = audit(ExperimentFolder(project.results), project.folder / "data")
        return next(verdict for verdict in verdicts if verdict.rule == "normaliser")

    assert (normaliser().state, normaliser().n_checked) == ("ok", 1)
    model.get_layer("target_scaling").set_weights([deviation, 1.1 * mean, *rest])
    model.save(fold / "model.keras")
    assert "the target statistics of its model are not those of its training items" in normaliser().faults[0]
