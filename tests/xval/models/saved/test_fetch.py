"""Models named by their address and checksum."""

import hashlib
import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from xval.base.errors import SettingsError
from xval.folds.plan import Fold
from xval.models.saved.fetch import cached_path, fetch_model
from xval.models.saved.initial import find_initial_model, hash_model
from xval.settings.model_address import parse_address


class Quiet(SimpleHTTPRequestHandler):
    asked: list

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def address(tmp_path, tiny_parts, write_model, monkeypatch):
    """Return a function that gives the address of a small model, and what the server was asked for."""
    monkeypatch.setenv("XVAL_CACHE", str(tmp_path / "cache"))
    path, asked = write_model(tiny_parts, "an encoder.keras"), []
    digits = hashlib.sha256(path.read_bytes()).hexdigest()
    handler = partial(type("Counting", (Quiet,), {"asked": asked}), directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def address(scheme, sha256=digits):
        where = f"http://127.0.0.1:{server.server_port}/an%20encoder.keras" if scheme == "http" else path.as_uri()
        return f"{where}#sha256={sha256}"

    yield address, asked, path
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_model_is_fetched_once_and_used_like_any_other(scheme, address, tmp_path, make_settings):
    write, asked, path = address
    settings = make_settings(initial_model=write(scheme), dataset="small")
    found = [find_initial_model(settings, Fold(number, ("a",), ("b",), ("c",)), tmp_path / "small") for number in (1, 2)]

    assert len(asked) == (scheme == "http")
    assert found[0].path == cached_path(parse_address(write(scheme)))
    assert found[0].path.read_bytes() == path.read_bytes()
    assert {each.hash for each in found} == {hash_model(path)}
    assert found[0].leakage.state == "unknown"
    assert [each.name for each in found[0].path.parent.iterdir() if each.is_file()] == ["an encoder.keras"]


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_model_with_another_checksum_is_refused_and_not_left(scheme, address):
    wrong = parse_address(address[0](scheme, "0" * 64))

    with pytest.raises(
        SettingsError, match=r"initial_model: .*(the checksum of the download is not sha256:0|its sha256 is .*; expected 0)"
    ):
        fetch_model(wrong)

    assert not list(cached_path(wrong).parent.glob("*.keras*"))


def test_a_file_in_the_cache_that_was_changed_is_refused(address):
    found = fetch_model(parse_address(address[0]("file")))
    found.write_bytes(b"other")

    with pytest.raises(SettingsError, match=r"an encoder\.keras is not the file of file://"):
        fetch_model(parse_address(address[0]("file")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://host/m.keras", r"followed by its checksum: #sha256="),
        ("https://host/m.keras#sha256=12", r"followed by its checksum"),
        (f"ftp://host/m.keras#sha256={'0' * 64}", r"expected an address, http://, https:// or file://"),
        (f"https://host/m.h5#sha256={'0' * 64}", r"that ends in \.keras"),
        (f"https://host/{{fold}}/m.keras#sha256={'0' * 64}", r"\{fold\} is not supported in it"),
    ],
)
def test_an_address_without_a_whole_checksum_is_refused(text, message, make_settings):
    with pytest.raises(SettingsError, match=message):
        make_settings(initial_model=text)


@pytest.mark.parametrize("name", ["zero", "pipe"])
def test_what_is_no_file_is_neither_waited_for_nor_copied_without_end(tmp_path, monkeypatch, name):
    monkeypatch.setenv("XVAL_CACHE", str(tmp_path / "cache"))
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "zero.keras").symlink_to("/dev/zero")

    with pytest.raises(SettingsError, match=rf"initial_model: .*not a regular file: '.*{name}\.keras'"):
        fetch_model(parse_address(f"{(tmp_path / name).as_uri()}.keras#sha256={'0' * 64}"))

    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_an_address_with_a_control_character_is_refused():
    with pytest.raises(SettingsError, match="expected an address, http"):
        parse_address(f"file:///a%00b.keras#sha256={'0' * 64}")
