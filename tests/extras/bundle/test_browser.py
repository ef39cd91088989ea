"""The page of a bundle in a browser, opened from the disk: on files, and on a file instead of the microphone.

onnxruntime-web is not part of this project: XVAL_ORT_WEB is the path of its package, as npm pack writes it.
"""

import base64
import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import xval
from xval.extras.bundle.write import BundleRequest, write_bundle
from xval.models.saved.description import read_description

PACKAGE = os.environ.get("XVAL_ORT_WEB")
READY = "document.getElementById('state')?.textContent === 'Ready.'"
PREDICTIONS = """[...document.querySelectorAll("#answers section")].map((section) => ({
  name: section.querySelector("h2").textContent,
  text: section.textContent,
  novelty: Number(section.querySelector("p[title]")?.title),
  ...Object.fromEntries([...section.querySelectorAll("tr")].map(({cells}) => [cells[0].textContent, Number(cells[1].title)])),
}))"""
SAVED = """new Response(recording).arrayBuffer().then((buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))))"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PACKAGE is None, reason="XVAL_ORT_WEB is not the path of a package onnxruntime-web"),
]


@pytest.fixture(scope="module")
def bundle(finished, tmp_path_factory):
    request = BundleRequest(tmp_path_factory.mktemp("page") / "bundle", runtime=Path(PACKAGE))
    return write_bundle(finished.results / "instance_1" / "fold_1", request).folder


def sample_rate_hz(bundle):
    return read_description(bundle / "model.keras").feature_settings.sample_rate_hz


def choose(browser, files):
    """Choose files in the input field of the page, and return the predictions that it shows."""
    document = browser.tell("DOM.getDocument")["root"]["nodeId"]
    field = browser.tell("DOM.querySelector", nodeId=document, selector="#files")["nodeId"]
    browser.tell("DOM.setFileInputFiles", nodeId=field, files=[str(file) for file in files])
    browser.see(f"document.querySelectorAll('#answers section').length === {len(files)} && {READY}")
    return browser.value(PREDICTIONS)


def assert_equal_predict(shown, files, bundle):
    table = xval.load_model(bundle / "model.keras").predict(list(files))
    for prediction, (_, row) in zip(shown, table.iterrows(), strict=True):
        for name in ("low", "high"):
            assert prediction[name] == pytest.approx(row[f"probability_{name}"], abs=1e-5)
        assert prediction["novelty"] == pytest.approx(row["novelty"], abs=1e-5)


def test_twenty_files_get_the_predictions_of_predict(finished, bundle, browser):
    files = sorted((finished.folder / "audio").glob("*.wav"))[:20]
    browser.open((bundle / "index.html").as_uri(), 1300, READY)
    shown = choose(browser, files)

    assert [prediction["name"] for prediction in shown] == [file.name for file in files]
    assert len(files) == 20
    assert_equal_predict(shown, files, bundle)


def test_every_kind_of_wav_is_read_as_xval_reads_it_and_others_are_decoded_or_named(bundle, browser, tmp_path):
    samples, rate_hz = np.random.default_rng(0).normal(0, 0.1, (2000, 2)), sample_rate_hz(bundle)
    files = []
    for kind in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        files.append(tmp_path / f"{kind}.wav")
        soundfile.write(files[-1], samples, rate_hz, subtype=kind)
    others = [tmp_path / name for name in ("other.wav", "x.flac", "<img src=x onerror=window.hacked=1>.wav")]
    soundfile.write(others[0], samples, 2 * rate_hz)
    soundfile.write(others[1], samples, rate_hz)
    others[2].write_text("no audio")
    browser.open((bundle / "index.html").as_uri(), 390, READY)
    shown = choose(browser, [*files, *others])

    assert browser.value("document.documentElement.scrollWidth <= innerWidth")
    assert_equal_predict(shown[: len(files)], files, bundle)
    assert all("Decoded by the browser." in prediction["text"] for prediction in shown[-3:-1])
    assert not any("Decoded" in prediction["text"] for prediction in shown[:-3])
    assert "No prediction" in shown[-1]["text"]
    assert shown[-1]["name"] == others[2].name
    assert browser.value("window.hacked === undefined")


def test_samples_that_are_no_numbers_get_no_prediction(bundle, browser, tmp_path):
    files = [tmp_path / f"{name}.wav" for name in ("nan", "infinite", "huge", "empty")]
    for file, wrong in zip(files, (np.nan, np.inf, 1e12), strict=False):
        samples = np.random.default_rng(0).normal(0, 0.1, 2000)
        samples[1000] = wrong
        soundfile.write(file, samples, sample_rate_hz(bundle), subtype="FLOAT")
    soundfile.write(files[-1], np.zeros(0), sample_rate_hz(bundle))
    browser.open((bundle / "index.html").as_uri(), 390, READY)

    texts = [prediction["text"] for prediction in choose(browser, files)]

    reasons = ("NaN or infinite", "NaN or infinite", "far beyond full scale", "no samples")
    assert all("No prediction" in text and reason in text for text, reason in zip(texts, reasons, strict=True))
    assert browser.value("document.querySelector('#answers table')") is None


def test_a_microphone_recording_is_predicted_as_predict_does_and_can_be_saved(finished, bundle, start_browser, tmp_path):
    file = sorted((finished.folder / "audio").glob("*.wav"))[0]
    options = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    browser = start_browser(*options, f"--use-file-for-fake-audio-capture={file}")
    browser.open((bundle / "index.html").as_uri(), 390, READY)
    browser.click("#microphone")
    browser.see("document.getElementById('state').textContent === 'Recording ...'")
    time.sleep(1)
    browser.click("#microphone")
    browser.see(f"document.querySelector('#answers a') !== null && {READY}")

    saved = tmp_path / "microphone.wav"
    saved.write_bytes(base64.b64decode(browser.value(SAVED)))
    samples, rate_hz = soundfile.read(saved)
    assert rate_hz == sample_rate_hz(bundle)
    assert np.abs(samples).max() > 0.01
    assert_equal_predict(browser.value(PREDICTIONS), [saved], bundle)
