"""What code of the user's own prints is told line by line, whatever progress bars write and however many threads do."""

from threading import Thread

from xval.engine.worker.printed import _LONGEST, PrintedLines


def told(*written):
    """Return the lines that are told of some writes, and of the end."""
    lines = []
    stream = PrintedLines(lines.append)
    for content in written:
        stream.write(content)
    stream.end()
    return lines


def test_lines_are_told_when_they_are_complete():
    assert told(b"one\ntw", b"o\nthree") == ["one", "two", "three"]
    assert told("f\u00fcr\n".encode()[:2], "f\u00fcr\n".encode()[2:], b"\xff\n") == ["f\u00fcr", "\ufffd"]


def test_of_a_progress_bar_its_last_state_is_told():
    bar = [f"\r{percent}%".encode() for percent in range(101)]

    assert told(*bar, b"\n") == ["100%"]
    assert told(*bar) == ["100%"]
    assert told(b"".join(bar) + b"\nnext\r\n") == ["100%", "next"]
    stream = PrintedLines(lambda _: None)
    for _ in range(1000):
        stream.write(b"\r" + b"#" * 100)
    assert len(stream._begun) <= 101  # what is written over is not kept


def test_a_line_without_end_is_told_in_pieces():
    pieces = told(*[b"." * 1000] * 200)

    assert "".join(pieces) == "." * 200_000
    assert max(map(len, pieces)) <= _LONGEST + 1000


def test_lines_of_several_threads_stay_whole():
    lines = []
    stream = PrintedLines(lines.append)

    def write(name):
        for _ in range(300):
            stream.write(f"{name * 20}\n".encode())

    threads = [Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(lines) == sorted(name * 20 for name in "abcd" for _ in range(300))
