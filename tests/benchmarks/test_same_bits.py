"""What differs between two folders of results is named; what only tells when, where and how long is not."""

import io
import json
import zipfile
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
FOLD = "demo/results/instance_1/fold_1"


def write_model(path: Path, dropout: float = 0.2, weight: float = 0.1, date: str = "2026-01-01") -> None:
    content = io.BytesIO()
    with h5py.File(content, "w") as weights:
        weights["layers/dense/vars/0"] = np.array([[0.0, weight], [1.0, np.nan]], np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Dropout", "config": {"rate": dropout}}))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3", "date_saved": date}))
        archive.writestr("model.weights.h5", content.getvalue())


def write_workbook(path: Path, value: object = 0.5, number_format: str = "0.000", seconds: float = 1.0) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["accuracy", "seconds"])
    workbook.active.append([value, seconds])
    workbook.active["A2"].number_format = number_format
    workbook.save(path)


def write_predictions(path: Path, probability: float = 0.25) -> None:
    pd.DataFrame({"clip": ["a", "b"], "probability": np.array([probability, 1], np.float32)}).to_parquet(path)


def write_json(path: Path, accuracy: float = 0.5, seconds: float = 1.0) -> None:
    path.write_text(json.dumps({"folds": {"1": {"metrics": {"test": {"accuracy": accuracy}}, "seconds": seconds}}}))


def write_text(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")


def write_results(folder: Path, time: str = "0:00:04", date: str = "2026-01-01 10:11") -> Path:
    """Write the results of an experiment, all that may vary taken from when and where it ran."""
    (folder / FOLD).mkdir(parents=True)
    (folder / "demo/terminal").mkdir()
    note = {"folder": str(folder), "checkout": f"{folder}/code"}
    (folder / "made.json").write_text(json.dumps(note))
    seconds, code = float(time[-1]), time[-1] * 16
    write_model(folder / FOLD / "model.keras", date=date)
    write_predictions(folder / FOLD / "predictions.parquet")
    write_json(folder / FOLD / "metrics.json", seconds=seconds)
    write_json(folder / FOLD / "record.json", accuracy=seconds)
    write_workbook(folder / FOLD / "results.xlsx", seconds=seconds)
    write_text(folder / FOLD / "history.csv", f"epoch,loss,seconds\n1,0.5,{seconds}\n")
    write_text(folder / FOLD / "report.html", f"<style>{time}</style><p>demo · {date}</p><p>accuracy <b>0.5</b></p>")
    left = "9 s" if code.startswith("4") else "1 min 12 s"
    table = f"  folds   {'time left':<{len(left)}}\n {'─' * len(left)}\n  4/6     {left}  \n"
    write_text(folder / "demo/terminal/02.txt", table)
    write_text(folder / "demo/terminal/01.txt", f"{folder}/results ({seconds:.0f} s)\n1  cnn  {time}, code {code}\n")
    return folder


@pytest.fixture
def compare(monkeypatch, capsys):
    """Return a function that compares two folders as the command does: to the exit code and what it printed."""
    monkeypatch.syspath_prepend(str(FOLDER))
    same_bits = import_module("same_bits")

    def compare(before: Path, after: Path, *options: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["same_bits.py", str(before), str(after), *options])
        return same_bits.main(), capsys.readouterr().out

    return compare


@pytest.fixture
def folders(tmp_path):
    return write_results(tmp_path / "before"), write_results(tmp_path / "later", time="0:00:09", date="2026-02-03 04:05")


def test_results_of_another_time_and_place_are_the_same(compare, folders):
    exit_code, printed = compare(*folders)

    assert exit_code == 0, printed
    assert printed.endswith("the same\n")
    assert "8 files" in printed


# Of each file how it is altered, and what names the difference.
ALTERATIONS = {
    "model.keras": [
        (lambda path: write_model(path, weight=np.nextafter(np.float32(0.1), 1)), "first layers/dense/vars/0 [0, 1]: "),
        (lambda path: write_model(path, dropout=0.3), "first config.json.config.rate: 0.2 before, 0.3 after"),
    ],
    "predictions.parquet": [(lambda path: write_predictions(path, 0.26), "first probability [0]: ")],
    "metrics.json": [(lambda path: write_json(path, 0.51), "first .folds.1.metrics.test.accuracy: 0.5 before, 0.51 after")],
    "results.xlsx": [
        (lambda path: write_workbook(path, 0.51), "first Sheet!A2 [0]: 'value 0.5' before, 'value 0.51' after"),
        (lambda path: write_workbook(path, "0.5"), """first Sheet!A2 [0]: 'value 0.5' before, 'value "0.5"' after"""),
        (lambda path: write_workbook(path, number_format="0.00"), """'format "0.000"' before, 'format "0.00"' after"""),
    ],
    "history.csv": [
        (lambda path: write_text(path, "epoch,loss,seconds\n1,0.50,1.0\n"), "first loss [0]: '0.5' before, '0.50' after")
    ],
    "report.html": [(lambda path: write_text(path, "<p>demo · 2026-01-01</p><p>accuracy 0.6</p>"), "'accuracy 0.6' after")],
    "../../../terminal/02.txt": [
        (lambda path: write_text(path, path.read_text().replace("4/6", "5/6")), "' 4/6 TIME' before, ' 5/6 TIME' after"),
    ],
    "../../../terminal/01.txt": [
        (lambda path: write_text(path, path.read_text().replace("1  cnn", "2  cnn")), "'2  cnn  TIME, code HASH' after")
    ],
}


@pytest.mark.parametrize(
    ("name", "alter", "named"),
    [(name, alter, named) for name, cases in ALTERATIONS.items() for alter, named in cases],
)
def test_what_differs_is_named(compare, folders, name, alter, named):
    alter(folders[1] / FOLD / name)

    exit_code, printed = compare(*folders)

    assert exit_code == 1, printed
    assert named in printed
    assert printed.endswith("1 of 8 files differ\n")


def test_a_file_that_is_gone_is_named(compare, folders):
    (folders[1] / FOLD / "history.csv").unlink()

    exit_code, printed = compare(*folders)

    assert exit_code == 1
    assert "history.csv: only before" in printed


def test_folders_that_hold_no_results_are_refused(compare, tmp_path, folders, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path, folders[0])

    assert "has no made.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listed", "exit_code", "named"),
    [
        ("demo/*/history.csv loss*  # losses have more digits\n", 0, "8 files, the same but for what is listed"),
        ("demo/*/history.csv epoch*  # other epochs\n", 1, "other epochs. Nothing matches: remove it"),
        ("demo/*/history.csv *  # digits\ndemo/none.csv  # gone\n", 1, "0 demo/none.csv: gone. Nothing matches"),
    ],
)
def test_what_differs_on_purpose_is_listed_with_its_reason(compare, folders, tmp_path, listed, exit_code, named):
    write_text(folders[1] / FOLD / "history.csv", "epoch,loss,seconds\n1,0.50,1.0\n")
    write_text(tmp_path / "listed.txt", listed)

    found, printed = compare(*folders, "--may-differ", str(tmp_path / "listed.txt"))

    assert (found, named in printed) == (exit_code, True), printed


def test_a_line_without_a_reason_is_refused(compare, folders, tmp_path):
    write_text(tmp_path / "listed.txt", "demo/*\n")

    with pytest.raises(SystemExit, match=r"line 1: received 'demo/\*'; expected JOB/FILE \[PART\]  # the reason"):
        compare(*folders, "--may-differ", str(tmp_path / "listed.txt"))
