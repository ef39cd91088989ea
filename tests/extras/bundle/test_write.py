"""Bundles: their exports predict as `predict` does, every file is listed and intact, and unsupported models raise errors."""

import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import xval
from xval.__main__ import main
from xval.base.errors import ExportError, ResultsError
from xval.extras.bundle import write
from xval.extras.bundle.card import describe_bundle
from xval.extras.bundle.checksums import find_changes
from xval.extras.bundle.evidence import gather_evidence
from xval.extras.bundle.facts import BundleFacts
from xval.extras.bundle.write import BundleRequest, write_bundle
from xval.extras.export.agreement import ExportAgreement
from xval.extras.export.formats import FORMATS
from xval.extras.export.samples import check_samples
from xval.extras.export.write import Export
from xval.models.saved.description import read_description
from xval.results.scores import read_scores

LICENCE = 'mine: "<b>" & #1'


def leave_description(path, format_name, output, **_):
    description = output.with_name(f"{output.name}.json")
    description.touch()
    return Export(output, description, (None, None), 2, ExportAgreement(0.0, 0.0, 1))


def front_matter(folder):
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


@pytest.mark.parametrize("instance", [1, 2])
def test_the_exports_predict_clips_as_predict_does(finished, bundled, instance):
    folder = bundled(instance)
    files = sorted((finished.folder / "audio").glob("*.wav"))[::6]
    table = xval.load_model(folder / "model.keras").predict(files)
    expected = table.filter(regex="^(probability_|novelty)").to_numpy(np.float32)
    rate_hz = read_description(folder / "model.keras").feature_settings.sample_rate_hz

    assert table.columns[-1] == "novelty"
    assert np.ptp(expected, axis=0).max() > 1e-3  # equal predictions of all clips would show nothing
    for name, format_name in (("model.onnx", "onnx"), ("model.tflite", "tflite")):
        predict = FORMATS[format_name].read(folder / name, None)
        for file, row in zip(files, expected, strict=True):
            samples, file_rate_hz = soundfile.read(file, dtype="float32")
            assert file_rate_hz == rate_hz
            assert predict(samples[np.newaxis])[0] == pytest.approx(row, abs=1e-5)


def test_every_file_has_a_checksum_and_the_zip_file_holds_the_same(bundled, tmp_path):
    folder = bundled(1)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    with zipfile.ZipFile(folder.with_name("bundle.zip")) as archive:
        archive.extractall(tmp_path)
    unpacked = tmp_path / "bundle"

    assert find_changes(unpacked) == []
    assert (unpacked / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()
    (unpacked / "model.onnx").write_bytes(b"")
    (unpacked / "model.json").unlink()
    (unpacked / "more.txt").touch()
    assert find_changes(unpacked) == [
        "model.json: missing",
        "model.onnx: changed",
        "more.txt: not one of the bundle's files",
    ]
    (unpacked / "SHA256SUMS").write_text("no checksums")
    with pytest.raises(ResultsError, match=r"SHA256SUMS: has no checksums"):
        find_changes(unpacked)


def test_the_card_has_the_front_matter_of_the_hub_with_the_scores_of_the_record(finished, bundled):
    scores = read_scores(finished.results / "instance_1" / "fold_1", {})
    about = front_matter(bundled(1))

    assert (about["license"], about["license_name"]) == ("other", LICENCE)
    (model,) = about["model-index"]
    (result,) = model["results"]
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["accuracy"] == scores.side("clip_test")["accuracy"]
    assert about["provenance"]["verdict"] == "clean"
    assert about["provenance"]["is_tested"]
    card = (bundled(1) / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\*\*It was tested on \d+ \w+ that it was not trained on\.\*\*", card)
    assert "`model.tflite`" in card
    assert 'mine: "&lt;b&gt;" &amp; \\#1' in card
    assert "untested" not in card


def test_the_crate_names_every_file_and_what_it_refers_to(bundled):
    folder = bundled(1)
    crate = json.loads((folder / "ro-crate-metadata.json").read_text())
    entries = {entry["@id"]: entry for entry in crate["@graph"]}
    root = entries["./"]

    assert len(entries) == len(crate["@graph"])
    assert entries["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert entries["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {"name", "description", "datePublished", "license"} <= root.keys()
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {part["@id"] for part in root["hasPart"]} == files - {"ro-crate-metadata.json", "SHA256SUMS"}
    assert {"evidence/folds.json", "evidence/settings.json", "evidence/fold_2/record.json", "evidence/code.zip"} <= files
    referred = re.findall(r'\{\s*"@id": "([^"]*)"\s*\}', json.dumps(crate))
    assert set(referred) - {"https://w3id.org/ro/crate/1.1"} <= entries.keys()
    assert entries["#licence"]["name"] == LICENCE


def test_the_card_of_a_model_outside_its_experiment_has_no_scores(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "export_model", leave_description)  # other tests export
    for name in ("model.keras", "model.json"):
        (tmp_path / "moved").mkdir(exist_ok=True)
        shutil.copy(finished.results / "instance_1" / "fold_1" / name, tmp_path / "moved")
    (tmp_path / "moved" / "mine.npy").touch()
    bundle = write_bundle(tmp_path / "moved" / "model.keras", BundleRequest(tmp_path / "bundle"))

    card = (bundle.folder / "README.md").read_text(encoding="utf-8")
    about = front_matter(bundle.folder)
    assert about["license"] == "unknown"
    assert about["provenance"] == {
        "verdict": "unknown",
        "parts": ["the model itself"],
        "reasons": ["there is no record.json of an experiment next to it"],
        "is_tested": None,
    }
    assert "model-index" not in about
    assert "so its scores are unknown." in card
    assert "Unknown. Ask the author before you use the model." in card
    assert not (bundle.folder / "mine.npy").exists()
    assert not (bundle.folder / "evidence").exists()
    assert not (bundle.folder / "index.html").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": "mfcc"}, r"features=mfcc is not supported; expected features=logmel, stft or waveform"),
        ({"features": "logmel", "trim_db": 30}, r"trim_db=30\.0 cuts the ends of a clip before the model\. Set trim_db=none"),
        ({"features": "logmel", "feature_deltas": 1}, r"feature_deltas=1 is not supported\. Set feature_deltas=0"),
        ({"features": "logmel", "stretch_frames": 20}, r"stretch_frames=20 is not supported\. Set stretch_frames=none"),
        (
            {"features": "logmel", "example_length_s": 1},
            r"example_length_s=1\.0 cuts clips into windows\. Set example_length_s=none.*predict reads its fold folder",
        ),
        ({"features": "waveform", "crop_s": 1}, r"crop_s=1\.0 repeats short clips before the model\. Set crop_s=none"),
        (
            {"features": "waveform", "padding": "masked"},
            r"padding=masked marks the ends of samples before the model\. Set padding=auto",
        ),
    ],
)
def test_settings_that_a_graph_of_samples_does_not_support_raise_with_the_reason(make_description, tmp_path, changes, reason):
    (tmp_path / "model.json").write_text(json.dumps(make_description(changes)))
    described = read_description(tmp_path / "model.keras")

    with pytest.raises(ExportError, match=rf"model\.keras: cannot be exported with --from-samples: {reason}"):
        check_samples(described, tmp_path / "model.keras")


def test_the_error_of_a_bundle_names_no_option_of_export(make_description, tmp_path):
    (tmp_path / "model.json").write_text(json.dumps(make_description({"features": "mfcc"})))

    with pytest.raises(ExportError, match="features=mfcc is not supported") as caught:
        check_samples(read_description(tmp_path / "model.keras"), tmp_path / "model.keras", for_bundle=True)

    assert "cannot be bundled" in str(caught.value)
    assert "--from-samples" not in str(caught.value)


def test_other_tasks_and_features_of_a_script_are_not_supported(make_description, tmp_path):
    path = tmp_path / "model.keras"
    described = {
        "script": make_description(is_custom=True),
        "autoencoder": make_description(task_type="representation"),
    }
    for word, content in described.items():
        (tmp_path / "model.json").write_text(json.dumps(content))
        with pytest.raises(ExportError, match=word):
            check_samples(read_description(path), path)


def test_a_model_that_one_format_cannot_express_raises_with_the_command_for_the_other(finished, tmp_path, monkeypatch):
    def fail_for_tflite(path, format_name, output, **options):
        if format_name == "tflite":
            raise ExportError("its output differs.")
        return leave_description(path, format_name, output, **options)

    monkeypatch.setattr(write, "export_model", fail_for_tflite)
    fold = finished.results / "instance_1" / "fold_1"

    with pytest.raises(
        ExportError, match=r"differs\. A bundle has both .*xval export .*model\.keras --from-samples --format NAME"
    ):
        write_bundle(fold, BundleRequest(tmp_path / "bundle"))
    assert not (tmp_path / "bundle").exists()


def test_only_a_bundle_is_replaced_and_only_with_overwrite(finished, bundled, tmp_path):
    model = finished.results / "instance_1" / "fold_1"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()

    with pytest.raises(ResultsError, match=r"mine: exists and is not a bundle. Give another folder with --output"):
        write_bundle(model, BundleRequest(tmp_path / "mine", overwrite=True))
    with pytest.raises(ResultsError, match=r"bundle: already exists.*--overwrite"):
        write_bundle(model, BundleRequest(bundled(1)))
    with pytest.raises(ResultsError, match=r"one model can be exported at a time\. Give one of .*fold_1.model\.keras"):
        write_bundle(model.parent, BundleRequest(tmp_path / "new"))
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match=r"cannot be written.*--output"):
        write_bundle(model, BundleRequest(tmp_path / "file" / "bundle"))
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


@pytest.mark.parametrize("failing", ["bundle", "bundle.zip"])
@pytest.mark.parametrize("reason", [PermissionError("in use"), KeyboardInterrupt()])
def test_the_previous_folder_and_zip_file_stay_if_the_new_ones_cannot_be_renamed(
    bundled, finished, tmp_path, monkeypatch, failing, reason
):
    target = tmp_path / "bundle"
    shutil.copytree(bundled(1), target)
    monkeypatch.setattr(write, "export_model", leave_description)
    (target / "old_file").touch()
    (tmp_path / "bundle.zip").write_bytes(b"of the old one")

    def failing_move(move):
        def fail_for_the_new_one(path, to):
            if to == tmp_path / failing and not path.name.endswith(".replaced"):
                raise reason
            return move(path, to)

        return fail_for_the_new_one

    monkeypatch.setattr(Path, "rename", failing_move(Path.rename))
    monkeypatch.setattr(Path, "replace", failing_move(Path.replace))
    expected = KeyboardInterrupt if isinstance(reason, KeyboardInterrupt) else ResultsError
    with pytest.raises(expected):
        write_bundle(finished.results / "instance_1" / "fold_1", BundleRequest(target, is_zipped=True, overwrite=True))
    assert (target / "old_file").exists()
    assert (tmp_path / "bundle.zip").read_bytes() == b"of the old one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "bundle.zip"]


def test_the_commands_print_the_files_and_what_is_skipped(bundled, finished, tmp_path, monkeypatch, capsys):
    folder = bundled(1)  # which really exports
    monkeypatch.setattr(write, "export_model", leave_description)  # other tests export
    monkeypatch.chdir(tmp_path)
    model = str(finished.results / "instance_1" / "fold_1")

    assert main(["publish", model]) == 2
    assert f"xval bundle {model} --hub OWNER/NAME" in capsys.readouterr().err
    assert main(["bundle", model, "--output", "out", "--hub", "name"]) == 2
    assert "--hub name: expected OWNER/NAME" in capsys.readouterr().err
    assert main(["bundle", model, "--output", "out"]) == 0
    printed = capsys.readouterr().out
    assert "Written: out (" in printed
    assert "index.html is skipped, because it needs onnxruntime-web. Get it with npm pack onnxruntime-web@" in printed
    assert "The licence is unknown. Give it with --licence NAME." in printed
    assert "The files name 6 " in printed
    assert main(["bundle", model, "--output", "other", "--hub", "me/my_words"]) == 0
    assert "Written: other (" in capsys.readouterr().out
    assert main(["bundle", str(folder), "--hub", "me/my_words"]) == 0
    printed = capsys.readouterr().out
    assert "MB  model.onnx" in printed
    assert "Nothing was uploaded." in printed
    assert f"hf upload me/my_words {folder} ." in printed
    (Path("out") / "README.md").write_text("another card")
    assert main(["bundle", "out", "--hub", "me/my_words"]) == 1
    assert "out: README.md: changed" in capsys.readouterr().out


def test_names_are_text_in_the_front_matter_whatever_they_hold(finished):
    hostile = "a: [b]\n---\u2028 # <b> {x} 'y' \"z\" \x85\U0001f600"
    evidence = gather_evidence(finished.results / "instance_1" / "fold_1" / "model.keras")
    described = evidence.described.model_copy(update={"dataset": hostile, "class_names": (hostile, "b")})
    facts = BundleFacts(8000, 4000, None, (hostile, "b"), False, True, None, 1)
    text = describe_bundle(replace(evidence, described=described), hostile, facts, ["README.md"])

    about = yaml.safe_load(text.split("\n---\n")[0])
    assert about["license_name"] == hostile
    assert about["model-index"][0]["results"][0]["dataset"]["name"] == hostile
    assert "<b>" not in text.split("\n---\n", 1)[1].split("## Files")[0]
