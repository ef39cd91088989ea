"""Fetching from a server on this machine that speaks the interface of the hub and serves tiny random models."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from preprocessing.__main__ import main
from preprocessing.embeddings.embedder import identify, load_embedder
from preprocessing.encoders import Preset, find_in_cache, find_preset, preset_names, read_note
from preprocessing.encoders.fetch import check_request, fetch
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError

COMMIT = "c" * 40
WEIGHTS = "model.safetensors"
API = "/api/models/somebody/tiny/revision/"


class Hub:
    """Files of one repository behind an address, and the requests that came.

    Attributes:
        files: Their content by name.
        announced: The SHA-256 that the server says the weights have; None: the true one.
        sizes: What the server says that files have (bytes), by name, where that is not true.
        commit: What the server says that the revision is.
        etag: What the server calls each file; empty: its SHA-256.
        sent: How many bytes of the weights a request gets before the connection breaks; None: all.
        pause_s: After the first bytes of the weights (s).
        is_sending: Set when these are sent.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.requests = files, list[str]()
        self.announced: str | None = None
        self.sizes: dict[str, int | None] = {}
        self.commit, self.etag = COMMIT, ""
        self.sent: int | None = None
        self.pause_s = 0.0
        self.is_sending = threading.Event()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self._answer(with_body=False)

            def do_GET(self) -> None:
                self._answer(with_body=True)

            def _answer(self, *, with_body: bool) -> None:
                path = self.path.partition("?")[0]
                hub.requests.append(path)
                if path.startswith(API):
                    self._send(200, hub.describe(), {"Content-Type": "application/json"}, with_body)
                    return
                name = path.removeprefix(f"/somebody/tiny/resolve/{COMMIT}/")
                if name not in hub.files:
                    self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)
                    return
                content = hub.files[name]
                etag = hub.etag or hashlib.sha256(content).hexdigest()
                self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, with_body, is_weights=name == WEIGHTS)

            def _send(
                self, status: int, content: bytes, headers: dict[str, str], with_body: bool, *, is_weights: bool = False
            ) -> None:
                self.send_response(status)
                for header, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(header, value)
                self.end_headers()
                if with_body:
                    if is_weights:
                        content = content[: hub.sent]
                        self.wfile.write(content[:1000])
                        hub.is_sending.set()
                        time.sleep(hub.pause_s)
                        content = content[1000:]
                    self.wfile.write(content)
                    self.close_connection = True

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def describe(self) -> bytes:
        """Return what the hub says of the repository."""
        siblings = [
            {
                "rfilename": name,
                "size": self.sizes.get(name, len(content)),
                "lfs": {"sha256": self.announced or hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 1}
                if not name.endswith(".json")
                else None,
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"id": "somebody/tiny", "sha": self.commit, "siblings": siblings}).encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.files[WEIGHTS]).hexdigest()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, pretrained_models: Any) -> dict[str, bytes]:
    """Return the files of a tiny random wav2vec2."""
    folder = tmp_path_factory.mktemp("tiny")
    pretrained_models.write("wav2vec2", folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def hub(tiny: dict[str, bytes], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub(dict(tiny))
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
    address = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address)
    hurried = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})  # between tries
    for module in ("huggingface_hub.file_download", "huggingface_hub.utils._http"):
        monkeypatch.setattr(f"{module}.time", hurried)
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Preset]:
    """Return a function that writes the preset ``tiny``."""
    folder = tmp_path / "presets"
    folder.mkdir()
    monkeypatch.setattr("preprocessing.encoders._FOLDER", folder)

    def write(**changes: object) -> Preset:
        facts = {"source": "somebody/tiny", "family": "transformers", "revision": COMMIT, "purpose": "tests"} | changes
        lines = [f"{name} = {json.dumps(value)}" for name, value in facts.items() if value is not None]
        (folder / "tiny.toml").write_text("\n".join(lines))
        forget()
        return find_preset("tiny")

    yield write
    forget()


def forget() -> None:
    find_preset.cache_clear()
    preset_names.cache_clear()


def left_in(cache: Path) -> list[str]:
    return sorted(path.relative_to(cache).as_posix() for path in cache.rglob("*")) if cache.exists() else []


def settings(name: str) -> FeatureSettings:
    return FeatureSettings(features="embedding", embedding_model=name)


def test_what_is_fetched_embeds_and_is_found_without_the_server(hub: Hub, named: Callable[..., Preset]) -> None:
    preset = named(sha256=hub.sha256)
    fetched = fetch(preset, check_request(preset, None, None, unchecked=False))
    assert (fetched.revision, fetched.sha256, fetched.is_checked) == (COMMIT, hub.sha256, True)
    assert read_note(preset) == {"revision": COMMIT, "weights_sha256": hub.sha256, "is_checked": True}
    n_requests = len(hub.requests)
    assert identify(settings("tiny")) == identify(settings(f"transformers:{fetched.path.parent}"))
    noise = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    assert np.isfinite(load_embedder(settings("tiny")).embed(noise, 16000, (0,))).all()
    assert len(hub.requests) == n_requests


def test_without_a_revision_the_commit_that_came_is_noted_and_used(hub: Hub, named: Callable[..., Preset]) -> None:
    preset = named(revision=None, branch="refs/pr/3")
    with pytest.raises(SettingsError, match=r"has no SHA-256 .*--sha256 .*--unchecked"):
        check_request(preset, None, None, unchecked=False)
    assert not fetch(preset, check_request(preset, None, None, unchecked=True)).is_checked
    assert hub.requests[0] == f"{API}refs%2Fpr%2F3"
    assert read_note(preset)["revision"] == COMMIT
    placed = find_in_cache(preset)
    assert placed is not None
    assert placed.parent.name == COMMIT


def _truncated(hub: Hub) -> None:
    hub.sent = 1000


def _other_than_announced(hub: Hub) -> None:
    hub.announced = hub.sha256
    hub.files[WEIGHTS] = hub.files[WEIGHTS][:-1] + b"\1"


def _other(hub: Hub) -> None:
    hub.files[WEIGHTS] = hub.files[WEIGHTS][:-1] + b"\1"


def _pickled(hub: Hub) -> None:
    hub.files["pytorch_model.bin"] = hub.files.pop(WEIGHTS)


def _astray(hub: Hub) -> None:
    hub.commit = "../../astray"


def _gone(hub: Hub) -> None:
    hub.http.shutdown()
    hub.http.server_close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, "cannot be downloaded from http://127.0.0.1.*No partial file is left"),
        (_other_than_announced, "the SHA-256 of model.safetensors is .*; expected .*. The download is deleted"),
        (_other, "the SHA-256 of model.safetensors is .*; expected .*. It is not downloaded"),
        (_pickled, r"Its weights are a pickle \(pytorch_model.bin\),.*never downloaded"),
        (_astray, f"the server names '../../astray' as the revision; expected {COMMIT}"),
        (_gone, "cannot be downloaded from http://127.0.0.1.*No partial file is left"),
    ],
)
def test_what_is_not_whole_or_not_the_file_leaves_nothing(
    damage: Callable[[Hub], None], message: str, hub: Hub, cache: Path, named: Callable[..., Preset]
) -> None:
    preset = named(sha256=hub.sha256)
    damage(hub)
    with pytest.raises(SettingsError, match=message):
        fetch(preset, preset.sha256)
    assert left_in(cache) == []
    assert not any(path.endswith(".bin") for path in hub.requests)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        (
            WEIGHTS,
            16_000_000,
            r"model\.safetensors: the server says 16 MB, and at most 15 MB are allowed by the preset\.",
        ),
        ("config.json", 51_000_000, "the files next to its weights: the server says 51 MB, and at most 50 MB are allowed"),
        (WEIGHTS, None, r"does not give the size of model\.safetensors, so it is"),
        (WEIGHTS, 9_000, "more data arrived than announced.*No partial file is left"),
        ("config.json", -1, "more data arrived than announced.*No partial file is left"),
    ],
)
def test_more_than_the_preset_or_the_server_says_is_not_read(
    name: str, size: int | None, message: str, hub: Hub, cache: Path, named: Callable[..., Preset]
) -> None:
    hub.sizes[name] = size
    with pytest.raises(SettingsError, match=message):
        fetch(named(size_mb=10), None)
    assert left_in(cache) == []
    assert any(WEIGHTS in path for path in hub.requests) == (size == 9_000)


def test_what_the_disk_has_no_room_for_is_not_fetched(
    hub: Hub, cache: Path, named: Callable[..., Preset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    hub.sizes[WEIGHTS] = 3_000_000
    with pytest.raises(SettingsError, match=r"needs 3 MB in .*hub, where 2 MB are free. Free some space, .*HF_HUB_CACHE"):
        fetch(named(), None)
    assert left_in(cache) == []


def test_what_a_server_calls_its_files_leads_nowhere_else(hub: Hub, named: Callable[..., Preset], tmp_path: Path) -> None:
    hub.etag = str(tmp_path / "outside")
    hub.files["../../../outside.json"] = hub.files["config.json"]
    preset = named(sha256=hub.sha256)
    fetched = fetch(preset, preset.sha256)
    assert {path.name for path in fetched.path.parent.iterdir()} == {"config.json", "preprocessor_config.json", WEIGHTS}
    assert not [*tmp_path.rglob("outside*")]


def test_a_pickle_is_refused_even_where_a_preset_names_one(hub: Hub, named: Callable[..., Preset]) -> None:
    preset = named(weights="pytorch_model.bin")
    with pytest.raises(SettingsError, match=r"pytorch_model\.bin is not one of \.safetensors, \.onnx"):
        fetch(preset, None)
    assert hub.requests == []


def test_options_that_contradict_a_preset_and_presets_that_are_not_of_the_hub_are_refused(named: Callable[..., Preset]) -> None:
    with pytest.raises(SettingsError, match=r"--sha256 .* differs from the preset"):
        check_request(named(sha256="a" * 64), "b" * 64, None, unchecked=False)
    with pytest.raises(SettingsError, match="--revision main differs from the preset"):
        check_request(named(), "b" * 64, "main", unchecked=False)
    with pytest.raises(SettingsError, match=r"comes with a package. Install it: pip install nothing"):
        check_request(named(source="pip install nothing"), None, None, unchecked=False)
    with pytest.raises(SettingsError, match=r"cannot be loaded, so it is not downloaded\. Take another"):
        check_request(named(family=None, obstacle="Take another."), None, None, unchecked=False)


def command(hub: Hub, cache: Path, *words: str) -> "subprocess.Popen[str]":
    """Start the command; the preset is that of wav2vec2-base with another source."""
    start = (
        "import sys; from preprocessing import encoders;"
        f"preset = encoders.find_preset('wav2vec2-base').model_copy(update=dict(source='somebody/tiny', revision={COMMIT!r},"
        f" sha256={hub.sha256!r})); encoders.find_preset = lambda name: preset;"
        "from preprocessing.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", start, "encoders", "fetch", "wav2vec2-base", *words],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_command_asks_first_and_fetches_nothing_without_an_answer(hub: Hub, cache: Path) -> None:
    with command(hub, cache) as refused:
        printed, errors = refused.communicate("n\n", timeout=200)
    assert "Apache-2.0" in printed
    assert "somebody/tiny" in printed
    assert "380 MB" in printed
    assert "Nothing was fetched" in errors
    assert refused.returncode == 2
    assert hub.requests == []
    assert left_in(cache) == []
    with command(hub, cache) as agreed:
        printed, _ = agreed.communicate("y\n", timeout=200)
    assert agreed.returncode == 0
    assert f"SHA-256    {hub.sha256} (as expected)" in printed
    assert (cache / "models--somebody--tiny" / "snapshots" / COMMIT / WEIGHTS).is_file()


def test_ctrl_c_leaves_nothing(hub: Hub, cache: Path) -> None:
    hub.pause_s = 20.0
    with command(hub, cache, "--yes") as process:
        assert hub.is_sending.wait(200)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 130, errors
    assert left_in(cache) == []


def test_what_a_killed_fetch_left_is_removed_by_the_next_one(hub: Hub, cache: Path, named: Callable[..., Preset]) -> None:
    hub.pause_s = 20.0
    with command(hub, cache, "--yes") as process:
        assert hub.is_sending.wait(200)
        process.kill()
        process.communicate(timeout=200)
    assert left_in(cache)
    hub.pause_s = 0.0
    preset = named(sha256=hub.sha256)

    fetch(preset, preset.sha256)

    assert [path.name for path in cache.iterdir()] == ["models--somebody--tiny"]


def test_weights_without_a_note_are_checked_again(hub: Hub, cache: Path, named: Callable[..., Preset]) -> None:
    preset = named(sha256=hub.sha256)
    weights = fetch(preset, preset.sha256).path
    note = cache / "models--somebody--tiny" / "xval.json"
    noted, n_requests = note.read_bytes(), len(hub.requests)
    note.unlink()  # killed before it was written

    main(["encoders", "fetch", "tiny", "--yes"])

    assert note.read_bytes() == noted
    assert len(hub.requests) == n_requests
    content = weights.read_bytes()
    note.unlink()
    weights.write_bytes(b"others")

    main(["encoders", "fetch", "tiny", "--yes"])

    assert weights.read_bytes() == content
    assert note.read_bytes() == noted


def test_a_server_that_does_not_answer_is_given_up(
    cache: Path, named: Callable[..., Preset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.encoders.fetch._ANSWER_S", 0.3)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()  # nobody accepts
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(SettingsError, match=r"cannot be downloaded from http://127\.0\.0\.1.*No partial file is left"):
            fetch(named(sha256="a" * 64), "a" * 64)
    assert left_in(cache) == []
