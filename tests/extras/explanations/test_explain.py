"""xval explain on a finished experiment: pictures next to the results, and complete attributions."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from xval.__main__ import main
from xval.extras.explanations.clips import explain
from xval.extras.explanations.picture import draw_explanation
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder
from xval.reuse.inference import load_model


@pytest.fixture
def experiment(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("xval.reuse.inference._bind", lambda *_, **__: None)
    results = shutil.copytree(finished.results, tmp_path / "results" / "tones" / "experiment_1")
    return SimpleNamespace(results=results, data=finished.folder / "data", audio=finished.folder / "audio")


@pytest.mark.parametrize("instance", [1, 2], ids=["features", "front end"])
def test_integrated_gradients_add_up_to_the_difference_from_silence(experiment, instance):
    model = load_model(experiment.results / f"instance_{instance}" / "fold_1")
    clip = experiment.audio / "speaker_0_1.wav"

    (found,) = explain(model, clip, output_name="high", steps=200)

    assert found.features.shape == found.attribution.values.shape
    assert found.features.shape[1] == 8  # bins, also where the model reads samples
    assert found.attribution.prediction == pytest.approx(model.predict(clip)["probability_high"][0], abs=1e-4)
    difference = abs(found.attribution.prediction - found.attribution.baseline_prediction)
    assert found.attribution.incompleteness < 0.02 * max(difference, 0.05)


def test_the_command_writes_a_picture_for_each_clip_and_method(experiment, capsys):
    fold = experiment.results / "instance_1" / "fold_1"
    for method in ("integrated_gradients", "occlusion"):
        words = ["explain", fold, experiment.audio / "speaker_0_1.wav", "speaker_2_0.wav", "--method", method]
        assert main([*map(str, words), "--data-folder", str(experiment.data)]) == 0

    written = sorted(path.name for path in (fold / "explanations").iterdir())
    assert written == [
        f"speaker_{name}_{method}.png" for name in ("0_1", "2_0") for method in ("integrated_gradients", "occlusion")
    ]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (fold / "explanations").iterdir())
    assert "(exact: " in capsys.readouterr().out
    assert main(["explain", str(fold), "nobody.wav", "--data-folder", str(experiment.data)]) == 2
    assert main(["explain", str(fold)]) == 2
    assert "give clips to explain" in capsys.readouterr().err
    assert main(["explain", str(fold), "nobody.wav", "--output", "ex2.png"]) == 2
    assert "--output ex2.png: expected a folder" in capsys.readouterr().err


@pytest.mark.parametrize("instance", [1, 2], ids=["features", "front end"])
def test_a_sound_is_drawn_where_it_is_in_a_clip_that_is_padded(experiment, tmp_path, monkeypatch, instance):
    samples = np.zeros(400, np.float32)  # 0.1 s
    samples[300:305] = 0.9  # 0.075 s
    soundfile.write(tmp_path / "click.wav", samples, 4000)
    (found,) = explain(load_model(experiment.results / f"instance_{instance}" / "fold_1"), tmp_path / "click.wav", steps=2)
    monkeypatch.setattr("xval.extras.explanations.picture.png", lambda score: score)

    upper, lower, _ = draw_explanation(found).axes

    left, right, *_ = upper.images[0].get_extent()
    drawn = left + (right - left) * (found.features.sum(axis=1).argmax() + 0.5) / len(found.features)
    assert found.end_s == pytest.approx(0.1)
    assert drawn == pytest.approx(0.075, abs=0.008)  # a frame
    assert right == pytest.approx(left + 0.008 * len(found.features))  # the padding, too
    assert [line.get_xdata()[0] for line in upper.lines] == [pytest.approx(0.1)]
    assert lower.images[0].get_extent() == upper.images[0].get_extent()


def test_the_page_explains_the_worst_predictions_on_request(experiment):
    folder = ExperimentFolder(experiment.results)
    request = PageRequest(1, experiment.data, with_audio=False, with_audit=False, explain="occlusion")

    text = write_page(folder, request).read_text(encoding="utf-8")

    assert 'class="explanation" src="data:image/png;base64,' in text
    assert "Occlusion. " in text
    plain = write_page(folder, PageRequest(1, experiment.data, with_audio=False, with_audit=False, explain="none")).read_text()
    assert "Occlusion" not in plain
