"""Labels are reviewed in the browser, and verdicts go to the corpus alone."""

import json

ASK = """
import http.client, json, os, runpy, signal, sys, threading, time
asked, printed = json.loads(sys.argv.pop(1)), sys.stdout
class Watched:
    text = ""
    def write(self, text): Watched.text += text; return printed.write(text)
    def flush(self): printed.flush()
    def isatty(self): return False
def ask():
    while "Ctrl-C" not in Watched.text: time.sleep(0.02)
    host, _, place = Watched.text.split("http://")[1].split()[0].partition("/")
    for method, what, body in asked:
        if method == "RENAME":
            os.rename(what, body); continue
        connection = http.client.HTTPConnection(host)
        started = time.process_time()
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, f"/{place}{what}", body and json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        print("ANSWER", json.dumps([answer.status, text, time.process_time() - started]), file=sys.stderr)
    os.kill(os.getpid(), signal.SIGINT)
sys.stdout = Watched()
threading.Thread(target=ask, daemon=True).start()
sys.argv[:] = ["xval", *sys.argv[1:]]
runpy.run_module("xval", run_name="__main__", alter_sys=True)
"""


def ask(study, *asked):
    """Start a review, ask it for some things, and return the answers: status, text, seconds of the processor."""
    ended = study.python("-c", ASK, json.dumps(asked), "review-labels", f"{study.EXPERIMENT}:1", "--reviewer", "ann")
    return [json.loads(line.removeprefix("ANSWER ")) for line in ended.stderr.splitlines() if line.startswith("ANSWER ")]


def test_true_and_false_are_no_numbers(copied):
    bodies = [{"number": True, "verdict": "right", "label": None}, {"number": 0, "verdict": "wrong", "label": True}]

    answers = ask(copied, *(("POST", "verdict", body) for body in bodies), ("POST", "undo", {"number": False}))

    assert [status for status, *_ in answers] == [400, 400, 400]
    assert not (copied.folder / "data/small/corrections.csv").exists()


def test_a_corpus_that_is_gone_while_it_is_reviewed_is_said(copied):
    body = {"number": 0, "verdict": "right", "label": None}
    gone = ("RENAME", "data/small", "data/renamed")

    shown, *answers = ask(copied, ("GET", "suspect/0", None), gone, ("GET", "state", None), ("GET", "suspect/0", None),
                          ("POST", "verdict", body), ("POST", "undo", {"number": None}))  # fmt: skip

    assert shown[0] == 200
    assert [status for status, *_ in answers] == [409] * 4
    assert all("the dataset is no longer there" in json.loads(text)["error"] for _, text, _ in answers)
    assert not (copied.folder / "data/small").exists()


def test_a_verdict_is_a_line_that_is_appended(copied):
    first, second, other = ({"number": n, "verdict": v, "label": None} for n, v in ((0, "right"), (1, "unsure"), (0, "unsure")))
    ask(copied, ("POST", "verdict", first))
    path = copied.folder / "data/small/corrections.csv"
    head, row = path.read_text().splitlines()
    index_hash = row.rpartition(",")[2]
    others = [f"some_{n}.wav,right,high,,bo,2026-01-01T00:00:00+00:00,why,{index_hash}" for n in range(20000)]
    path.write_text("\n".join([head, row, *others, ""]))
    before, inode = path.read_text(), path.stat().st_ino

    *_, (status, text, _) = ask(copied, ("POST", "verdict", second))

    assert (status, json.loads(text)["verdicts"]) == (200, {"0": "right", "1": "unsure"})
    assert path.stat().st_ino == inode
    assert path.read_text().startswith(before)
    assert path.read_text().count("\n") == 20003

    (changed, undone) = ask(copied, ("POST", "verdict", other), ("POST", "undo", {"number": 1}))  # which replaces the first

    assert (json.loads(changed[1])["verdicts"], json.loads(undone[1])["verdicts"]) == (
        {"1": "unsure", "0": "unsure"},
        {"0": "unsure"},
    )
    assert path.read_text().count("\n") == 20002


def test_a_file_that_a_spreadsheet_saved_gets_verdicts_too(copied):
    ask(copied, ("POST", "verdict", {"number": 0, "verdict": "right", "label": None}))
    path = copied.folder / "data/small/corrections.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())

    ((status, text, _),) = ask(copied, ("POST", "verdict", {"number": 1, "verdict": "right", "label": None}))

    assert (status, json.loads(text)["verdicts"]) == (200, {"0": "right", "1": "right"})
    assert path.read_text(encoding="utf-8-sig").count("\n") == 3
