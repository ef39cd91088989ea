"""The page of a bundle: its files, and the package onnxruntime-web that runs the model."""

import json
import os
import re
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from xval.base.errors import SettingsError
from xval.base.size_limits import LARGEST_TEXT_BYTES
from xval.extras.bundle import page
from xval.extras.bundle.facts import BundleFacts
from xval.extras.bundle.page import make_page, read_runtime

READY = "document.getElementById('state')?.textContent === 'Ready.'"
HOSTILE = "</script><script>alert(1)</script>\u2028'\"<img src=x onerror=alert(2)>"


def test_the_package_is_read_as_an_archive_or_a_folder_and_another_version_is_noted(make_package, tmp_path):
    archive = make_package(tmp_path)

    for path in (archive, tmp_path, tmp_path / "package"):
        runtime = read_runtime(path)
        assert runtime.files["dist/ort.wasm.min.js"] == b"/* dist/ort.wasm.min.js */"
        assert runtime.note == f"onnxruntime-web 1.0.0 is untested; the tested version is {page.VERSION}."


def test_a_file_of_an_implausible_size_is_not_read(make_package, tmp_path, monkeypatch):
    archive = make_package(tmp_path)
    os.truncate(tmp_path / "package" / "package.json", LARGEST_TEXT_BYTES + 1)
    with pytest.raises(SettingsError, match=r"not a package onnxruntime-web with.*larger than 268435456 bytes"):
        read_runtime(tmp_path / "package")

    monkeypatch.setattr(page, "LARGEST_TEXT_BYTES", 10)
    with pytest.raises(SettingsError, match=r"not a package onnxruntime-web with.*plausible size"):
        read_runtime(archive)


def test_another_package_and_an_altered_one_raise_errors(make_package, tmp_path):
    with pytest.raises(SettingsError, match=rf"the package is 'other'\. Get it with npm pack onnxruntime-web@{page.VERSION}"):
        read_runtime(make_package(tmp_path / "one", name="other"))
    with pytest.raises(SettingsError, match=rf"min\.js differs from version {page.VERSION} \(SHA-256\)\. Get it"):
        read_runtime(make_package(tmp_path / "two", version=page.VERSION))
    (tmp_path / "no.tgz").write_text("no archive")
    for path in ("no.tgz", "nowhere.tgz", "."):
        with pytest.raises(SettingsError, match=r"not a package onnxruntime-web with package\.json, dist.*npm pack"):
            read_runtime(tmp_path / path)


@pytest.mark.parametrize("target", ["package/large", "package/package.json"])
def test_a_link_of_an_archive_is_no_file_wherever_it_leads(tmp_path, target):
    archive = tmp_path / "links.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        link = tarfile.TarInfo("package/package.json")
        link.type, link.linkname = tarfile.LNKTYPE, target
        packed.addfile(tarfile.TarInfo("package/large"))
        packed.addfile(link)

    with pytest.raises(SettingsError, match=r"package/package\.json is not a file of plausible size"):
        read_runtime(archive)


def test_a_damaged_archive_raises_an_error(make_package, tmp_path):
    archive = make_package(tmp_path)
    content = bytearray(archive.read_bytes())
    content[40:60] = bytes(20)
    archive.write_bytes(content)

    with pytest.raises(SettingsError, match="not a package onnxruntime-web with"):
        read_runtime(archive)


def test_a_page_loads_only_its_own_scripts_and_shows_names_as_text(make_package, tmp_path):
    facts = BundleFacts(8000, 4000, None, ("a", HOSTILE), False, True, None, None)
    files = make_page(HOSTILE, facts, b"onnx", read_runtime(make_package(tmp_path)))

    html = files["index.html"].decode()
    scripts = re.findall(r"<script[^>]*>", html)
    assert {f"web/{name}" for name in re.findall(r'src="web/([^"]*)"', html)} == files.keys() - {"index.html"}
    assert len(scripts) == 4
    assert "alert(1)" in html
    assert "<img" not in html
    assert "default-src 'none'" in html
    assert not re.search(rb"https?://", files["index.html"] + files["web/page.js"])
    model = files["web/model.js"].decode().partition(" = ")[2].rstrip(";\n")
    assert json.loads(model)["facts"]["columns"][1] == HOSTILE


def test_a_prediction_that_is_not_a_number_is_named_and_no_class_is_shown(make_package, tmp_path, browser):
    runtime = read_runtime(make_package(tmp_path))
    fake_runtime = """
        class Tensor { constructor(type, samples) { this.samples = samples; } }
        const run = async ({ samples }) => ({ y: { data: samples.samples[0] > 0.2 ? [NaN, NaN] : [0.25, 0.75] } });
        window.ort = { env: { wasm: {} }, Tensor, InferenceSession: { create: async () => ({ outputNames: ["y"], run }) } };
    """
    runtime = replace(runtime, files={**runtime.files, page._SCRIPT: fake_runtime.encode()})
    facts = BundleFacts(8000, 4000, None, ("a", "b"), False, True, None, None)
    for name, content in make_page("model", facts, b"onnx", runtime).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for name, level in (("quiet", 0.1), ("loud", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", np.full(4000, level), 8000)

    browser.open((tmp_path / "index.html").as_uri(), 1300, READY)
    field = browser.tell("DOM.querySelector", nodeId=browser.tell("DOM.getDocument")["root"]["nodeId"], selector="#files")
    files = [str(tmp_path / f"{name}.wav") for name in ("quiet", "loud")]
    browser.tell("DOM.setFileInputFiles", nodeId=field["nodeId"], files=files)
    browser.see(f"document.querySelectorAll('#answers section').length === 2 && {READY}")
    quiet, loud = browser.value("[...document.querySelectorAll('#answers section')].map((section) => section.textContent)")

    assert quiet.startswith("quiet.wavb0.750a0.250")
    assert loud == "loud.wavNo prediction: the model outputs NaN or infinite values"
