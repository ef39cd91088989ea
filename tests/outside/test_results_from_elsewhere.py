"""Results that were copied, shared or downloaded are looked at: nothing of them runs, hangs, is lost or cannot be read."""

import json
import shutil
import sys

import pytest
from filelock import FileLock

pytestmark = pytest.mark.long

LEAVES_A_MARK = "from pathlib import Path as _Path\n_Path({!r}).open('a').write(__name__ + ' ')\n"
ANEW = """
import runpy, signal, sys
signal.alarm(100)
for name in [*sys.modules]:
    if name.partition(".")[0] == "sklearn":  # so that it is looked for again
        del sys.modules[name]
sys.argv[:] = ["xval", *sys.argv[1:]]
runpy.run_module("xval", run_name="__main__", alter_sys=True)
"""
IN_PYTHON = """
import os, sys
sys.path[:] = [place for place in sys.path if place not in ("", os.getcwd())]  # where Python itself would look
for name in [*sys.modules]:
    if name.partition(".")[0] == "sklearn":
        del sys.modules[name]
import xval
xval.load_results(sys.argv[1]), xval.load_scores(sys.argv[1]), xval.load_predictions(sys.argv[1])
print(xval.compare_instances(sys.argv[1], metric="cohen_kappa_score").metric)
print(xval.load_model(sys.argv[1] + "/instance_3").class_names)
"""


@pytest.fixture
def downloaded(copied):
    """Return results with a metric of scikit-learn, beside which lie files that have the names of packages; and their mark."""
    study, mark = copied, copied.folder / "imported.txt"
    added = study.xval("add-metrics", study.EXPERIMENT, "sklearn:cohen_kappa_score")
    assert added.returncode == 0, added.stderr
    for folder in ("", "theirs/"):
        for name in ("sklearn/__init__", "sklearn/metrics", "pandas", "scipy/__init__", "optuna", "csv"):
            study.file(f"{folder}{name}.py", LEAVES_A_MARK.format(str(mark)))
    for number, place in enumerate((str(study.folder / "theirs"), "theirs", "."), start=1):
        path = study.results / f"instance_{number}" / "settings.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"own_folders": [place]}))
        (path.parent / "estimates.json").unlink()
    return study, mark


@pytest.mark.parametrize(
    "words",
    [["rebuild", "{}"], ["report", "{}", "--no-audio"], ["ensemble", "{}", "1,3"], ["refit", "{}:3"], ["audit", "{}"]],
    ids=lambda words: words[0],
)
def test_no_file_beside_results_stands_for_a_package(downloaded, words):
    study, mark = downloaded

    ended = study.python("-c", ANEW, *(word.format(study.EXPERIMENT) for word in words))

    assert not mark.exists(), (mark.read_text(), ended.stderr)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_nor_in_a_session_of_python(downloaded):
    study, mark = downloaded
    assert study.xval("rebuild", study.EXPERIMENT).returncode == 0

    ended = study.python("-c", IN_PYTHON, study.EXPERIMENT)

    assert not mark.exists(), (mark.read_text(), ended.stderr)
    assert ended.stdout.split("\n")[:2] == ["cohen_kappa_score", "('high', 'low')"], ended.stderr


@pytest.mark.parametrize("command", ["status", "rebuild", "list", "report"])
def test_a_lease_of_ten_years_is_waited_for_by_nobody(copied, command):
    copied.file(f"{copied.EXPERIMENT}/leases.json", json.dumps({"lease_s": 315360000}))
    for name in (".rebuild", "instance_1/.fold_1"):
        copied.file(f"{copied.EXPERIMENT}/{name}.lease/1", "elsewhere-1-1 000000000007\n")
    (copied.results / "instance_1" / "fold_1").rename(copied.folder / "fold_1")

    ended = copied.python("-c", ANEW.replace("100", "20"), command, copied.EXPERIMENT)

    assert ended.returncode in (0, 2), ended  # and no signal has ended it
    assert "Traceback" not in ended.stderr
    assert command == "list" or "leases.json: lease_s=315360000; expected a number of seconds above 0, up to 3600" in (
        ended.stdout + ended.stderr
    )


def rows_of(study, folder):
    listed = study.xval("list", folder, "--format", "json")
    assert listed.returncode == 0, listed.stderr
    return [row | {"experiment": ""} for row in json.loads(listed.stdout)]


def test_a_copy_is_listed_as_what_it_was_copied_from(copied):
    before = rows_of(copied, "results")
    assert [row["state"] for row in before] == ["done"]

    shutil.copytree(copied.folder / "results", copied.folder / "copy", copy_function=shutil.copy)  # with the time of copying

    assert rows_of(copied, "copy") == before
    rebuilt = copied.xval("rebuild", "copy/small/experiment_1")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rows_of(copied, "copy") == before


def test_what_has_changed_in_a_copy_is_unknown(copied):
    shutil.copytree(copied.folder / "results", copied.folder / "copy", copy_function=shutil.copy)
    record = copied.folder / "copy/small/experiment_1/instance_1/fold_1/record.json"
    record.write_text(record.read_text().replace('"epoch', ' "epoch'))

    assert [row["state"] for row in rows_of(copied, "copy")] == ["unknown"]


def test_a_summary_of_an_earlier_version_is_named_with_what_renews_it(copied):
    before = rows_of(copied, "results")
    summary = copied.results / "summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"version": "1.0"}))
    command = ("rebuild", copied.EXPERIMENT)

    listed, rows = copied.xval("list", "results"), rows_of(copied, "results")
    renewed = copied.xval(*command)

    assert f"xval {' '.join(command)}" in listed.stdout, listed.stdout
    assert [row["state"] for row in rows] == ["unknown"]
    assert renewed.returncode == 0, renewed.stderr
    assert [row["state"] for row in rows_of(copied, "results")] == [row["state"] for row in before] == ["done"]


def test_near_duplicates_that_were_not_searched_are_not_said_to_be_none(copied):
    (copied.folder / "data/small/near_duplicates.csv").unlink()

    checked = copied.xval("audit", copied.EXPERIMENT)

    (line,) = (line for line in checked.stdout.splitlines() if "not compared with each other" in line)
    assert "not checkable near-duplicates" in checked.stdout
    assert "xval prepare CORPUS ... --check" in line


@pytest.mark.skipif(sys.platform != "linux", reason="the rights are those of Linux")
def test_results_on_a_share_that_may_only_be_read(copied):
    latex = copied.xval("report", copied.EXPERIMENT, "--latex")
    assert latex.returncode == 0, latex.stderr
    (copied.results / "summary.json").unlink()  # so that it would be written anew
    folders = [copied.results, *(path for path in copied.results.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    looks = [["--latex"], ["--details"]]
    try:
        table, page = (copied.without_rights("report", copied.EXPERIMENT, *words) for words in looks)
        others = [copied.without_rights(*words, copied.EXPERIMENT) for words in (["status"], ["compare"], ["list"])]
    finally:
        for folder in folders:
            folder.chmod(0o755)

    assert (table.returncode, table.stdout) == (0, latex.stdout), table.stderr
    assert page.returncode == 1, page.stderr
    assert f"{copied.EXPERIMENT}/report.html: Permission denied" in page.stderr
    assert [ended.returncode for ended in others] == [0, 0, 0], [ended.stderr for ended in others]


def test_a_search_that_runs_is_running(copied):
    (copied.results / "instance_1" / "fold_1").rename(copied.folder / "fold_1")
    lock = copied.results / "instance_1" / "search" / ".fold_1_trial_2.lock"
    lock.parent.mkdir()

    with FileLock(lock):
        status, rows = copied.xval("status", copied.EXPERIMENT, "--format", "json"), rows_of(copied, "results")
    after = rows_of(copied, "results")

    assert json.loads(status.stdout)["running"] == 1
    assert [row["state"] for row in rows] == ["running"]
    assert [row["state"] for row in after] == ["unknown"]


def test_a_page_with_clips_is_not_replaced_by_one_without(copied):
    page = copied.results / "report.html"
    before = page.read_bytes()
    assert before.count(b'src="data:audio/') == 3
    (copied.folder / "data").rename(copied.folder / "moved")

    refused = copied.mistake("-m", "xval", "report", copied.EXPERIMENT)

    assert page.read_bytes() == before
    assert "report.html: kept" in refused
    assert "--data-folder DIR" in refused
    without = copied.xval("report", copied.EXPERIMENT, "--no-audio")
    assert without.returncode == 0, without.stderr
    assert b"data:audio/" not in page.read_bytes()


@pytest.mark.long
def test_nor_by_an_ensemble_and_its_corpus_may_be_named(copied):
    page = copied.results / "report.html"
    before = page.read_bytes()
    (copied.folder / "data").rename(copied.folder / "moved")

    ensemble = copied.xval("ensemble", copied.EXPERIMENT, "1,2", "--data-folder", "moved")
    (copied.folder / "moved").rename(copied.folder / "again")
    refused = copied.xval("report", copied.EXPERIMENT)
    named = copied.xval("report", copied.EXPERIMENT, "--data-folder", "again")

    assert ensemble.returncode == 0, ensemble.stderr
    assert refused.returncode == 2
    assert named.returncode == 0, named.stderr
    assert page.read_bytes().count(b'src="data:audio/') == before.count(b'src="data:audio/')


def test_a_page_with_explanations_is_not_replaced_by_one_without(copied):
    page, pictures = copied.results / "report.html", b'<img class="explanation"'
    explained = copied.xval("report", copied.EXPERIMENT, "--explain", "occlusion", "--no-audit")
    assert explained.returncode == 0, explained.stderr
    before = page.read_bytes()
    assert pictures in before

    plain = copied.mistake("-m", "xval", "report", copied.EXPERIMENT)
    without_audio = copied.mistake("-m", "xval", "report", copied.EXPERIMENT, "--no-audio")
    for model in copied.results.glob("instance_*/fold_*/model.*"):
        model.unlink()
    failed = copied.mistake("-m", "xval", "report", copied.EXPERIMENT, "--explain", "occlusion")

    assert page.read_bytes() == before
    assert "Give --explain occlusion to compute them again, or --explain none" in plain
    assert without_audio == plain
    assert "a new page would have none: " in failed
    assert "--explain none" in failed
    without = copied.xval("report", copied.EXPERIMENT, "--explain", "none")
    assert without.returncode == 0, without.stderr
    assert pictures not in page.read_bytes()
    assert copied.xval("report", copied.EXPERIMENT).returncode == 0


def test_a_run_says_on_the_page_what_it_had(copied):
    page = copied.results / "report.html"
    assert copied.xval("report", copied.EXPERIMENT, "--explain", "occlusion", "--no-audit").returncode == 0

    (copied.results / "instance_2" / "fold_1").rename(copied.folder / "fold_1")
    ended = copied.run()

    assert ended.returncode == 0, ended.stderr
    text = page.read_text()
    assert '<img class="explanation"' not in text
    assert f"xval report {copied.EXPERIMENT} --explain occlusion" in text


STOPS = """
from pathlib import Path
import keras

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if Path({!r}).exists():
            raise KeyboardInterrupt
"""


def test_the_page_of_an_interrupted_run_says_what_adds_the_clips(empty):
    empty.recordings(n_speakers=4)
    assert empty.prepare("table", "audio/clips.csv", "--dataset", "small").returncode == 0
    stop, page = empty.folder / "stop", empty.results / "report.html"
    empty.file("mine.py", STOPS.format(str(stop)))
    features = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    empty.train({"architecture": "mlp"}, callbacks="mine.Stop", num_epochs=1, page="complete", **features)
    assert "data:audio/" in page.read_text()
    shutil.rmtree(empty.fold(fold=2))
    stop.touch()

    ended = empty.run()

    assert ended.returncode == 130, ended
    text = page.read_text()
    assert "data:audio/" not in text
    assert (
        f"Clips to listen to are added when the run has ended; if it was interrupted: xval report {empty.EXPERIMENT}." in text
    )
    assert empty.xval("report", empty.EXPERIMENT).returncode == 0
    assert "Clips to listen to are added when" not in page.read_text()


MINE = "from xval import metric\n@metric(higher_is_better=True)\ndef mine(targets, predictions):\n    return 0.5\n"


def test_an_ensemble_leaves_out_a_metric_whose_code_is_not_trusted(study):
    mark = study.folder / "imported.txt"
    study.file("mine.py", MINE + LEAVES_A_MARK.format(str(mark)))
    study.train(*[{"architecture": "logistic", "C": (c,)} for c in (0.1, 1.0)], metrics="sklearn:cohen_kappa_score, mine.mine")
    mark.unlink()

    ensemble = study.xval("ensemble", study.EXPERIMENT, "1,2")
    looks = [study.xval(command, study.EXPERIMENT) for command in ("compare", "report", "audit")]
    known, record = study.scores(901), study.record(901)

    assert ensemble.returncode == 0, ensemble.stderr
    assert "skipped: the metric mine.mine, which ensemble 1+2 has no values of: module mine: not imported" in ensemble.stderr
    assert "give --import mine" in ensemble.stderr
    assert "cohen_kappa_score" in known
    assert "mine" not in {*known, *record["further_metrics"]}
    assert [ended.returncode for ended in looks] == [0, 0, 0], [ended.stderr for ended in looks]
    assert not mark.exists()
    trusted = study.xval("ensemble", study.EXPERIMENT, "1,2", "--import", "mine")
    assert trusted.returncode == 0, trusted.stderr
    assert "left out" not in trusted.stderr
    assert study.scores(901)["mine"] == 0.5
    assert mark.exists()


REPORTS = """
import sys, warnings, xval
from pathlib import Path
folder, mark = map(Path, sys.argv[1:])
def look(**options):
    for path in [*folder.glob("instance_*/estimates.json"), folder / "summary.json"]:
        path.unlink(missing_ok=True)  # so that its values are computed anew
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        xval.Results(folder).report(**options)
    print(mark.exists(), any("mine: not imported" in str(warning.message) for warning in caught))
look()
look(modules=["mine"])
"""


@pytest.mark.parametrize("place", ["theirs", ".", "absolute"])
def test_a_page_written_from_python_imports_what_is_named_alone(study, place):
    mark, folder = study.folder / "imported.txt", "theirs" if place == "absolute" else place
    study.file("mine.py", MINE + LEAVES_A_MARK.format(str(mark)))
    study.train({"architecture": "logistic", "C": (1.0,)}, metrics="mine.mine")
    mark.unlink()
    if folder != ".":
        study.file(f"{folder}/mine.py", (study.folder / "mine.py").read_text())
        (study.folder / "mine.py").unlink()
    path = study.results / "instance_1" / "settings.json"
    own_folder = str(study.folder / folder) if place == "absolute" else folder
    path.write_text(json.dumps(json.loads(path.read_text()) | {"own_folders": [own_folder]}))

    ended = study.python("-c", REPORTS, study.EXPERIMENT, mark)

    assert ended.stdout.split("\n")[:2] == ["False True", "True False"], ended.stdout + ended.stderr


@pytest.mark.slow
def test_a_metric_that_imports_keras_writes_nothing_into_the_progress(study):
    metric = "from xval import metric\n\n@metric(higher_is_better=True)\ndef mine(targets, predictions): return 0.5\n"
    study.file("mine.py", f"import keras\n{metric}")
    study.script({"architecture": "mlp"}, metrics="mine.mine")

    ended = study.python("exp.py", in_workers=True, TF_CPP_MIN_LOG_LEVEL="0")

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
