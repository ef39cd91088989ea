"""Fetching from a server on this machine: checked, unpacked safely, never fetched twice; errors say what to do by hand."""

import hashlib
import io
import os
import random
import socket
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from preprocessing.corpora._download import WORK_FOLDER, Archive, download
from xval.base.errors import CorpusError


class Server:
    """A folder behind an address, and the paths that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        folder.mkdir()

        class Handler(SimpleHTTPRequestHandler):
            def log_message(handler, *_: object) -> None:  # noqa: N805
                self.asked.append(handler.path)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def offer(self, name: str, content: bytes, algorithm: str = "md5", **options) -> Archive:
        (self.folder / name).write_bytes(content)
        checksum = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
        return Archive(f"{self.url}/{name}", f"{algorithm}:{checksum}", **options)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return tmp_path / "data" / "corpus"


def console(**options) -> Console:
    return Console(file=io.StringIO(), width=200, **options)


def zipped(files: dict[str, str | bytes], **attributes: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = attributes.get("mode", 0o644) << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def tarred(*members: tarfile.TarInfo, content: bytes = b"audio", mode: str = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for member in members:
            member.size = len(content) if member.isfile() else 0
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith(WORK_FOLDER)
    )


def test_archives_are_fetched_unpacked_and_removed(server: Server, corpus: Path) -> None:
    archives = [
        server.offer("one.zip", zipped({"audio/a.wav": "a", "read me.txt": "r"})),
        server.offer("two.tar.gz", tarred(tarfile.TarInfo("audio/b.wav")), "sha256"),
        server.offer("labels.csv", b"path,label\n", "sha1", unpack=False),
    ]
    shown = console()
    download(archives, corpus, shown)
    assert files(corpus) == ["audio/a.wav", "audio/b.wav", "labels.csv", "read me.txt"]
    assert (corpus / "audio/b.wav").read_bytes() == b"audio"
    assert sorted(path.name for path in (corpus / WORK_FOLDER).iterdir()) == ["one.zip.unpacked.txt", "two.tar.gz.unpacked.txt"]
    text = shown.file.getvalue()
    assert "Fetching one.zip: 0.0 of 0.0 MB" in text
    assert "Unpacking two.tar.gz" in text


def test_what_is_there_is_not_fetched_again(server: Server, corpus: Path) -> None:
    archives = [server.offer("one.zip", zipped({"a.wav": "a"})), server.offer("list.txt", b"list", unpack=False)]
    download(archives, corpus, console())
    assert len(server.asked) == 2
    (corpus / "a.wav").write_text("changed by the user")
    download(archives, corpus, console())
    assert len(server.asked) == 2
    assert (corpus / "a.wav").read_text() == "changed by the user"
    (corpus / "a.wav").unlink()
    download(archives, corpus, console())
    assert server.asked[2:] == ["/one.zip"]
    assert (corpus / "a.wav").read_text() == "a"


def test_a_new_version_is_fetched(server: Server, corpus: Path) -> None:
    download([server.offer("one.zip", zipped({"a.wav": "a"}))], corpus, console())
    download([server.offer("one.zip", zipped({"a.wav": "better"}))], corpus, console())
    assert (corpus / "a.wav").read_text() == "better"


def test_an_interrupted_unpacking_begins_again_without_the_network(
    server: Server, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = server.offer("one.zip", zipped({"a.wav": "a", "b.wav": "b"}))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extractall", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download([archive], corpus, console())
    assert files(corpus) == []
    server.asked.clear()
    download([archive], corpus, console())
    assert files(corpus) == ["a.wav", "b.wav"]
    assert server.asked == []


def test_a_note_that_was_not_written_whole_is_none(server: Server, corpus: Path) -> None:
    archives = [server.offer("one.zip", zipped({"a.wav": "a"}))]
    download(archives, corpus, console())
    (corpus / WORK_FOLDER / "one.zip.unpacked.txt").write_text("")
    download(archives, corpus, console())
    assert server.asked == ["/one.zip", "/one.zip"]
    assert files(corpus) == ["a.wav"]


def test_an_archive_put_there_by_hand_needs_no_network_and_stays(server: Server, corpus: Path) -> None:
    archive = server.offer("one.zip", zipped({"a.wav": "a"}))
    corpus.mkdir(parents=True)
    (corpus / "one.zip").write_bytes((server.folder / "one.zip").read_bytes()[:-1])
    with pytest.raises(CorpusError, match=r"one\.zip is not the file of http.*: its md5 is.*It may be incomplete\."):
        download([archive], corpus, console())
    (corpus / "one.zip").write_bytes((server.folder / "one.zip").read_bytes())
    download([archive], corpus, console())
    download([archive], corpus, console())
    assert files(corpus) == ["a.wav", "one.zip"]
    assert server.asked == []


def test_a_wrong_checksum_leaves_nothing(server: Server, corpus: Path) -> None:
    right = server.offer("one.zip", zipped({"a.wav": "a"}))
    with pytest.raises(
        CorpusError, match=r"the checksum of the download is not md5:0{32}.*download it yourself to /.*corpus as one\.zip "
    ):
        download([Archive(right.url, "md5:" + "0" * 32)], corpus, console())
    assert files(corpus) == []
    assert list((corpus / WORK_FOLDER).iterdir()) == []


def test_no_file_and_no_server_are_told_apart(server: Server, corpus: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"gone\.zip cannot be downloaded: the server returned 404 .*yourself to .*data/corpus"
    ):
        download([Archive(f"{server.url}/gone.zip", "md5:" + "0" * 32)], corpus, console())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(CorpusError, match=rf"no connection to 127\.0\.0\.1:{port} .*yourself to"):
        download([Archive(f"http://127.0.0.1:{port}/a.zip", "md5:" + "0" * 32)], corpus, console())


def test_a_zip_that_leads_out_of_the_folder_is_not_unpacked(server: Server, corpus: Path) -> None:
    for name in ("../evil", "audio/../../evil", "/root/evil", "C:/evil", "..\\evil"):
        with pytest.raises(CorpusError, match=r"has '.*evil', a path outside the folder"):
            download([server.offer("bad.zip", zipped({"good.wav": "g", name: "e"}))], corpus, console())
    with pytest.raises(CorpusError, match="has 'link', a link"):
        download([server.offer("bad.zip", zipped({"link": "/etc/passwd"}, mode=0o120777))], corpus, console())
    assert files(corpus.parent) == [f"corpus/{WORK_FOLDER}/bad.zip"]


def test_a_tar_with_links_or_ways_out_is_not_unpacked(server: Server, corpus: Path) -> None:
    link, hard, out = tarfile.TarInfo("link"), tarfile.TarInfo("hard"), tarfile.TarInfo("../evil")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    hard.type, hard.linkname = tarfile.LNKTYPE, "a.wav"
    for member, fault in (
        (link, "'link', a link or"),
        (hard, "'hard', a link or"),
        (out, "'../evil', a path outside the folder"),
    ):
        with pytest.raises(CorpusError, match=fault):
            download([server.offer("bad.tar.gz", tarred(tarfile.TarInfo("a.wav"), member))], corpus, console())
    assert not (corpus / "a.wav").exists()


def _damaged_xz() -> bytes:
    content = bytearray(tarred(tarfile.TarInfo("a.wav"), mode="w:xz", content=os.urandom(100_000)))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def _damaged_bz2() -> bytes:
    """Return an archive that decodes into other audio: only the checksum of its last block tells, behind all members."""
    content = bytearray(tarred(tarfile.TarInfo("a.wav"), mode="w:bz2", content=random.Random(11).randbytes(1_000_000)))
    content[-40_000] ^= 0xFF
    return bytes(content)


def _sparse_without_map() -> bytes:
    member = tarfile.TarInfo("a.wav")
    member.pax_headers = {"GNU.sparse.realsize": "9" * 13, "GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return tarred(member, mode="w")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.zip", lambda: zipped({"aé": "x"}).replace("é".encode(), b"\xff\xfe")),
        ("bad.tar.xz", _damaged_xz),
        ("bad.tar.bz2", _damaged_bz2),
        ("sparse.tar", _sparse_without_map),
        ("nothing.tar", lambda: b""),
    ],
)
def test_whatever_is_wrong_with_an_archive_is_said_in_a_line(server: Server, corpus: Path, name: str, content) -> None:
    with pytest.raises(CorpusError, match=rf"{name} cannot be unpacked: ") as refused:
        download([server.offer(name, content())], corpus, console())
    assert "\n" not in str(refused.value)
    assert files(corpus.parent) == [f"corpus/{WORK_FOLDER}/{name}"]


def test_a_bomb_is_not_unpacked(server: Server, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xval.base.size_limits._UNCHECKED_BYTES", 1 << 20)
    zeros = tarfile.TarInfo("zeros.wav")
    bombs = {
        "zeros.zip": zipped({"zeros.wav": "0" * 5_000_000}),
        "zeros.tar.gz": tarred(zeros, content=bytes(5_000_000)),
    }
    for name, content in bombs.items():
        with pytest.raises(CorpusError, match=rf"{name}: it has 0\.. MB but unpacks to .* because more may be a zip bomb"):
            download([server.offer(name, content)], corpus, console())
    assert files(corpus.parent) == [f"corpus/{WORK_FOLDER}/{name}" for name in sorted(bombs)]


def test_an_archive_that_the_disk_has_no_room_for_is_not_unpacked(
    server: Server, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CorpusError, match=r"a\.zip unpacks to 0\.0 GB, but the disk has room for 0\.0 GB"):
        download([server.offer("a.zip", zipped({"a.wav": "a" * 2000}))], corpus, console())


def test_an_archive_writes_no_notes_of_what_was_unpacked(server: Server, corpus: Path) -> None:
    with pytest.raises(CorpusError, match=r"has '\.download/b\.zip\.unpacked\.txt', a path outside the folder"):
        download([server.offer("a.zip", zipped({f"{WORK_FOLDER}/b.zip.unpacked.txt": "x"}))], corpus, console())


def test_a_folder_that_cannot_be_written_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="corpus cannot be written: Not a directory"):
        download([server.offer("a.csv", b"a", unpack=False)], tmp_path / "file" / "corpus", console())


def test_a_terminal_gets_a_bar(server: Server, corpus: Path) -> None:
    shown = console(force_terminal=True)
    download([server.offer("big.bin", b"x" * 300_000, unpack=False)], corpus, shown)
    assert "300.0/300.0 kB" in shown.file.getvalue()


@pytest.mark.parametrize(
    ("url", "checksum", "message"),
    [
        ("http://a/b.zip", "d41d8cd98f00b204e9800998ecf8427e", "checksum.* expected md5:"),
        ("http://a/b.zip", "md5:12", "checksum"),
        ("http://a/", "md5:" + "0" * 32, "'' is not a file name"),
        ("http://a/b%2fc.zip/..", "md5:" + "0" * 32, "not a file name"),
        ("http://a/b.rar", "md5:" + "0" * 32, r"'b\.rar' cannot be unpacked; expected \.zip"),
    ],
)
def test_an_archive_is_checked_when_it_is_named(url: str, checksum: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        Archive(url, checksum)


def test_the_name_comes_from_the_address() -> None:
    assert Archive("https://a/files/The%20corpus.zip?download=1", "md5:" + "0" * 32).file_name == "The corpus.zip"
    assert Archive("https://a/x/content", "MD5:" + "0" * 32, file_name="c.tgz").file_name == "c.tgz"
