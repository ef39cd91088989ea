"""Features that not every experiment needs: each gives the numbers that anyone can compute from its files."""

import http.client
import json
import os
import re
import signal
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import soundfile
import yaml
from matplotlib.image import imread
from scipy.optimize import brentq
from sklearn.metrics import balanced_accuracy_score, roc_curve

import xval

pytestmark = pytest.mark.long

FOLD = "results/small/experiment_1/instance_1/fold_1"
OF_SVM = "results/small/experiment_1/instance_3/fold_1"
CLIP = "audio/low/s1_0.wav"
RATE_HZ = 4000
PITCHES_HZ = {"low": 400, "high": 1200}
SPEAKER = ("--item-pattern", r"(s\d)_")
CONFIG = "[execution]\nexecutor = inline\n[experiment]\npage = none\n"


def tone(path: Path, label: str, seed: int, noise: float = 0.08) -> Path:
    """Write a short tone of a class."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(rng.integers(700, 1000)) / RATE_HZ
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.sin(2 * np.pi * (PITCHES_HZ[label] + rng.normal(0, 60)) * time_s)
    soundfile.write(path, samples + noise * rng.normal(size=len(time_s)), RATE_HZ)
    return path


def done(ended):
    """Hold a command to have succeeded, and return what it printed."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def predicted(study, model, *arguments):
    """Return what predict writes, by path."""
    done(study.xval("predict", model, *arguments, "--output", "predicted.csv"))
    return pd.read_csv(study.folder / "predicted.csv").set_index("path")


def rows_of_test(study, instance):
    """Return the test predictions of all folds of an instance."""
    return pd.concat([study.predictions(instance, fold).query("side == 'test'") for fold in (1, 2, 3)])


# live: a folder that is followed


def wait_for_rows(study, process, n_rows):
    """Wait until rows.csv has so many rows."""
    path = study.folder / "rows.csv"
    while not path.exists() or path.read_bytes().count(b"\n") < n_rows + 1:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def end(process):
    """Press Ctrl-C, and return the exit code and what was printed."""
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=100)
    return process.returncode, printed


def test_files_that_come_into_a_folder_get_a_row_each_and_none_twice(copied):
    incoming = copied.folder / "incoming"
    follow = ("-m", "xval", "predict", FOLD, "--follow", "incoming", "--output", "rows.csv")
    first = tone(incoming / "one.wav", "low", 1)

    with copied.started(*follow) as process:
        wait_for_rows(copied, process, 1)
        (incoming / "broken.wav").write_bytes(b"no sound at all")
        tone(incoming / "deep" / "two.wav", "high", 2)
        wait_for_rows(copied, process, 2)
        tone(incoming / "z.wav", "low", 3)  # is read later than the broken one
        wait_for_rows(copied, process, 3)
        code, printed = end(process)
    assert code == 1, printed
    assert "incoming/broken.wav" in printed
    assert "3 files answered, 1 skipped" in printed
    assert "Traceback" not in printed
    (incoming / "broken.wav").unlink()
    before = (copied.folder / "rows.csv").read_bytes()
    os.utime(first)  # what has a row is not read again

    with copied.started(*follow) as process:
        tone(incoming / "four.wav", "high", 4)
        wait_for_rows(copied, process, 4)
        code, printed = end(process)

    assert code == 0, printed
    assert "1 file answered" in printed
    after = (copied.folder / "rows.csv").read_bytes()
    assert after.startswith(before)
    rows = pd.read_csv(copied.folder / "rows.csv").set_index("path")
    at_once = predicted(copied, FOLD, "incoming")
    assert sorted(rows.index) == sorted(at_once.index)
    assert np.allclose(rows.loc[at_once.index, "probability_low"], at_once["probability_low"], atol=1e-5)


# quickstart


def end_of(printed):
    """Return the table and what follows."""
    return printed[printed.index("  instance   name") :]


def test_quickstart_goes_all_steps_and_a_second_call_trains_nothing(empty):
    empty.file("config.ini", CONFIG)
    for speaker in range(4):
        for take, label in enumerate(("low", "high") * 2):
            tone(empty.folder / "words" / label / f"s{speaker}_{take}.wav", label, 10 * speaker + take)
    command = ("quickstart", "words", *SPEAKER, "--minutes", "9")

    printed = done(empty.xval(*command))
    results = empty.folder / "results" / "words" / "experiment_1"
    times = {path: path.stat().st_mtime_ns for path in results.glob("instance_*/fold_*/record.json")}
    again = done(empty.xval(*command))
    assert "Nothing to do" in done(empty.python("experiments/start_words.py"))

    steps = re.findall(r"^Step (\d+) of (\d+)", printed, re.MULTILINE)
    assert [int(number) for number, _ in steps] == list(range(1, int(steps[0][1]) + 1))
    jobs = xval.load_jobs(results)
    assert set(jobs["status"]) == {"done"}
    assert len(times) == len(jobs) == len(steps) * jobs["fold"].nunique()
    for line in ("Result: ", "Evidence: ", "Next: "):
        assert len(re.findall(f"^{line}", printed, re.MULTILINE)) == 1
    for number in range(1, len(steps) + 1):
        assert re.search(rf"^ +{number} [* ]", end_of(printed), re.MULTILINE)
    assert end_of(again) == end_of(printed)
    assert {path: path.stat().st_mtime_ns for path in results.glob("instance_*/fold_*/record.json")} == times


def test_quickstart_finds_labels_in_names(empty):
    empty.file("config.ini", CONFIG)
    labels = {}
    for speaker in range(4):
        for take, label in enumerate(("low", "high") * 2):
            labels[tone(empty.folder / "names" / f"s{speaker}_{label}_{take}.wav", label, 10 * speaker + take).name] = label

    done(empty.xval("quickstart", "names", *SPEAKER, "--label-pattern", "_(low|high)_", "--minutes", "0"))

    corpus = pd.read_parquet(empty.folder / "data" / "names" / "corpus.parquet")
    assert dict(zip(corpus["path"], corpus["label"], strict=True)) == labels
    assert (corpus["item"] == corpus["path"].str[:2]).all()
    assert "names" in (empty.folder / "experiments" / "start_names.py").read_text()


# tracking


@pytest.fixture
def mlflow_runs(monkeypatch):
    """Return a function that reads the runs of a study's store of MLflow, by name."""
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def read(study):
        client = mlflow.MlflowClient(tracking_uri=(study.folder / "results" / "mlflow").as_uri())
        (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
        runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
        return client, runs

    return read


def test_mlflow_has_a_run_of_each_fold_with_the_scores_of_the_results(study, mlflow_runs):
    study.train({"architecture": "mlp", "n_units": (4,)}, {"architecture": "svm", "C": (1.0,)}, tracking="mlflow")

    client, runs = mlflow_runs(study)

    folds = [(instance, fold) for instance in (1, 2) for fold in (1, 2)]
    names = [f"instance {instance}, fold {fold}" for instance, fold in folds]
    assert sorted(runs) == sorted([*names, "instance 1", "instance 2", "results"])
    scores = xval.load_results(study.results).set_index(["instance", "fold"])
    for key, name in zip(folds, names, strict=True):
        run = runs[name]
        found = run.data.metrics
        rows = scores.loc[[key]]
        rows = rows[rows["side"].isin(["validation", "test"]) & rows["value"].notna()]
        assert len(rows) > 10
        expected = {f"{row.side}_{row.metric}": row.value for row in rows.itertuples()}
        assert {name: found.get(name) for name in expected} == expected
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == runs[f"instance {key[0]}"].info.run_id
        assert run.data.params["architecture"] == ("mlp", "svm")[key[0] - 1]
        assert run.data.params["num_folds"] == "2"
    curve = client.get_metric_history(runs[names[0]].info.run_id, "val_loss")
    assert [point.value for point in curve] == pytest.approx(list(study.history()["val_loss"]), rel=1e-6)


def test_a_store_that_cannot_be_written_costs_no_fold(study):
    study.file("results/mlflow", "a file in its place")

    printed = study.train({"architecture": "svm", "C": (1.0,)}, tracking="mlflow").stdout

    assert printed.count("tracking has stopped: ") == 1
    assert list(xval.load_jobs(study.results)["status"]) == ["done", "done"]


# abstention


def full_coverage(page):
    """Return the last value of the curve of error rates over coverage in a page."""
    picture = re.search(r'<svg[^>]*aria-label="error rate over the share of clips predicted".*?</svg>', page, re.DOTALL)[0]
    ticks = [
        (float(y) - 4, float(value))
        for y, value in re.findall(r'<text x="[^"]*" y="([^"]*)" class="end axis">([^<]*)</text>', picture)
    ]
    (curve,) = re.findall(r'<path d="([^"]*)" class="curve training">', picture)
    x, y = curve.rpartition("L")[2].split()
    (low, low_value), (high, high_value) = ticks[0], ticks[-1]
    return float(x), low_value + (float(y) - low) / (high - low) * (high_value - low_value)


def test_the_error_rate_at_full_coverage_is_that_of_all_predictions(finished):
    rows = rows_of_test(finished, xval.Results(finished.results).best)
    error = np.mean([np.mean(item["target"] != item["predicted"]) for _, item in rows.groupby("item")])

    _, shown = full_coverage((finished.results / "report.html").read_text())

    assert 0 < error < 1
    assert shown == pytest.approx(error, abs=0.004)


CLASSES = ["high", "low"]


def sets_by_hand(validation, new, coverage):
    """Return the classes of each new clip that fits no worse than enough of the weight of the validation speakers.

    Args:
        validation: For each model the rows of its validation clips.
        new: For each model the rows of its predictions of the new clips.
    """
    rows = pd.concat(validation, keys=range(len(validation)), names=["model", None]).reset_index()
    of_truth = [row[f"probability_{row['target']}"] for _, row in rows.iterrows()]
    speakers, n_clips = rows["item"].nunique(), rows.groupby("item")["item"].transform("size")
    sets = []
    for clip in range(len(new[0])):
        kept = {new_class_of(new, clip)}
        for name in CLASSES:
            weight = 1 / (speakers + 1)
            for probability, model, n_of_speaker in zip(of_truth, rows["model"], n_clips, strict=True):
                if probability <= new[model][f"probability_{name}"].iloc[clip]:
                    weight += 1 / n_of_speaker / (speakers + 1)
            if weight > 1 - coverage + 1e-9:
                kept.add(name)
        sets.append(kept)
    return sets


def new_class_of(new, clip):
    """Return the most probable class of a clip over the models."""
    return max(CLASSES, key=lambda name: sum(model[f"probability_{name}"].iloc[clip] for model in new))


@pytest.mark.parametrize("number", [1, 901], ids=["a network", "an ensemble"])
def test_sets_of_classes_are_those_of_the_validation_speakers(copied, number):
    if number == 901:
        done(copied.xval("ensemble", copied.EXPERIMENT, "1,3"))
    for take in range(6):
        for label in PITCHES_HZ:
            tone(copied.folder / "new" / f"{label}_{take}.wav", label, 100 + take, noise=0.05 * 2**take)
    instance = f"{copied.EXPERIMENT}/instance_{number}"
    folds = [predicted(copied, f"{instance}/fold_{fold}", "new") for fold in (1, 2, 3)]
    validation = [copied.predictions(number, fold).query("side == 'validation'") for fold in (1, 2, 3)]

    sizes = []
    for coverage in (0.3, 0.5, 0.6, 0.8):
        found = predicted(copied, instance, "new", "--coverage", coverage)
        sets = [set(cell.split(";")) for cell in found["set"]]
        assert sets == sets_by_hand(validation, folds, coverage), coverage
        for answer, kept in zip(found["answer"], sets, strict=True):
            assert answer.startswith("abstained: ") or {answer} == kept
        sizes.append(sets)
    for smaller, larger in pairwise(sizes):
        assert all(one <= other for one, other in zip(smaller, larger, strict=True))
    assert {len(kept) for kept in sizes[-1]} | {len(kept) for kept in sizes[0]} == {1, 2}
    # With fewer speakers than the coverage needs, sets hold all classes.
    assert set(predicted(copied, instance, "new", "--coverage", "0.95")["set"].map(len)) == {len("high;low")}


# subgroups


def test_scores_of_subgroups_are_group_bys_of_the_predictions(copied):
    clips = pd.read_csv(copied.folder / "audio" / "clips.csv")
    numbers = clips["path"].str.extract(r"s(\d)_(\d)").astype(int)
    clips["room"] = ("hall " + ((numbers[1] // 2 + numbers[0]) % 3).astype(str)).to_numpy()
    clips.to_csv(copied.folder / "audio" / "clips.csv", index=False)
    done(copied.prepare("table", "audio/clips.csv", "--dataset", "small"))
    rows = xval.load_predictions(copied.results).query("instance == 2 and side == 'test'")
    rows = rows.merge(clips[["path", "gender", "room"]], left_on="clip", right_on="path")
    assert len(rows) == 24

    done(copied.xval("groups", f"{copied.EXPERIMENT}:2", "--by", "gender", "--by", "room", "--output", "groups.csv"))

    table = pd.read_csv(copied.folder / "groups.csv").set_index(["column", "group"])["value"]
    for column in ("gender", "room"):
        expected = rows.groupby(column)[["target", "predicted"]].apply(
            lambda group: balanced_accuracy_score(group["target"], group["predicted"])
        )
        found = table[column]
        is_gap = found.index.str.startswith("gap: ")
        assert dict(found[~is_gap]) == pytest.approx(dict(expected))
        (name,) = found.index[is_gap]
        assert found[name] == pytest.approx(expected.max() - expected.min())
        higher, lower = name.removeprefix("gap: ").split(" minus ")
        assert expected[higher] == pytest.approx(expected.max())
        assert expected[lower] == pytest.approx(expected.min())
        assert expected.nunique() > 1


# sample_size


def test_more_speakers_narrow_the_interval_and_those_of_the_pilot_have_that_of_compare(copied):
    plan = ("sample-size", "--from", f"{copied.EXPERIMENT}:2", "--baseline", "1", "--metric", "accuracy", "--speakers")

    done(copied.xval(*plan, "6,12,48", "--output", "plan.csv"))
    done(copied.xval(*plan, "6,12,48", "--output", "plan.svg"))
    done(copied.xval("compare", copied.EXPERIMENT, "2", "--baseline", "1", "--metric", "accuracy", "--output", "pairs.csv"))

    table = pd.read_csv(copied.folder / "plan.csv")
    assert list(table.iloc[:, 0]) == [6, 12, 48]
    for name in ("value ±", "difference ±", "least difference"):
        assert (np.diff(table[name]) < 0).all(), name
    assert "<svg" in (copied.folder / "plan.svg").read_text()
    (pair,) = pd.read_csv(copied.folder / "pairs.csv").to_dict("records")
    assert table["difference ±"][0] == pytest.approx((pair["high"] - pair["low"]) / 2, abs=1e-4)


# cross_corpus


def test_pairs_of_corpora_are_a_cross_validation_and_evaluations(copied):
    copied.file("config.ini", CONFIG)
    for speaker in range(4):
        for take, label in enumerate(("low", "high") * 2):
            tone(copied.folder / "other" / label / f"o{speaker}_{take}.wav", label, 200 + 10 * speaker + take, noise=0.3)
    done(copied.prepare("folders", "other", "--item-pattern", r"(o\d)_", "--dataset", "other"))
    settings = {"architecture": "svm", "C": "1.0", "num_folds": 2, "fold_repeats": 1, "sample_rate_hz": RATE_HZ,
                "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}  # fmt: skip
    words = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]

    done(copied.xval("cross-corpus", "small", "other", *words, "--output", "pairs.csv"))

    pairs = pd.read_csv(copied.folder / "pairs.csv").set_index(["trained_on", "tested_on"])
    assert len(pairs) == 4
    for name, other in (("small", "other"), ("other", "small")):
        rows = xval.load_predictions(copied.folder / "results" / "cross" / name / "experiment_1").query("side == 'test'")
        within = balanced_accuracy_score(rows["target"], rows["predicted"])  # of all folds together
        assert pairs.loc[(name, name), "value"] == pytest.approx(within)
        code = (
            f"import xval\nmodel = xval.load_model('results/cross/{name}/experiment_1/instance_1/refit')\n"
            f"scores = model.evaluate('data/{other}')\nprint('SCORE', repr(float(scores['balanced_accuracy'])))"
        )
        evaluated = re.search(r"^SCORE (.*)$", done(copied.python("-c", code)), re.MULTILINE)[1]
        assert set(pairs["metric"]) == {"balanced_accuracy"}
        assert pairs.loc[(name, other), "value"] == pytest.approx(float(evaluated))


# speaker_eer


def test_the_equal_error_rate_is_that_of_the_roc_curve_of_all_pairs(copied):
    done(copied.xval("embed", FOLD, "audio", "--output", "embeddings.parquet"))
    table = pd.read_parquet(copied.folder / "embeddings.parquet")
    speakers = table["path"].str.extract(r"(s\d)_")[0].to_numpy()
    vectors = table.filter(regex="^embedding_").to_numpy(dtype=float)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(vectors), k=1)
    is_same, scores = speakers[first] == speakers[second], (vectors[first] * vectors[second]).sum(axis=1)
    accepted, found, _ = roc_curve(is_same, scores, drop_intermediate=False)
    eer = brentq(lambda share: share - (1 - np.interp(share, accepted, found)), 0, 1)

    printed = done(copied.xval("speaker-eer", "embeddings.parquet", "--speaker-pattern", r"(s\d)_"))

    assert 0.05 < eer < 0.95
    assert float(re.search(r"Equal error rate ([\d.]+)", printed)[1]) == pytest.approx(eer, abs=0.002)
    assert f"over {len(first)} trials ({is_same.sum()} with the same speaker twice)" in printed


# explanations


def numbers_of(printed):
    """Return the explained output, that of silence, and what follows of integrated gradients, as printed."""
    line = re.search(r": (-?[\d.]+), for silence (-?[\d.]+);(.*)", printed)
    sums = re.search(r"All parts: (-?[\d.]+) \(exact: (-?[\d.]+)\)", line[3])
    return [float(number) for number in (line[1], line[2], *(sums.groups() if sums else ()))]


def pictures(folder):
    """Return the sizes of the pictures in a folder that show something, by name."""
    return {path.name: imread(path).std() for path in folder.glob("*.png")}


def test_integrated_gradients_add_up_to_the_difference_from_silence(copied):
    probability = predicted(copied, FOLD, CLIP)["probability_low"].item()

    printed = done(copied.xval("explain", FOLD, CLIP, "--of", "low", "--steps", "256", "--output", "shown"))

    answer, silence, total, exact = numbers_of(printed)
    assert answer == pytest.approx(probability, abs=0.0011)
    assert exact == pytest.approx(answer - silence, abs=0.0011)
    assert abs(exact) > 0.01
    assert total == pytest.approx(exact, abs=0.05 * abs(exact) + 0.001)
    drawn = pictures(copied.folder / "shown")
    assert list(drawn) == ["s1_0_integrated_gradients.png"]
    assert min(drawn.values()) > 0.01


def test_occlusion_explains_an_estimator(copied):
    probability = predicted(copied, OF_SVM, CLIP)["probability_low"].item()

    printed = done(copied.xval("explain", OF_SVM, CLIP, "--method", "occlusion", "--of", "low", "--output", "shown"))

    assert numbers_of(printed)[0] == pytest.approx(probability, abs=0.0011)
    assert list(pictures(copied.folder / "shown")) == ["s1_0_occlusion.png"]
    assert "--method occlusion" in copied.mistake("-m", "xval", "explain", OF_SVM, CLIP)


# export


def test_an_exported_file_reads_samples_and_predicts_as_predict_does(copied):
    clips = [f"audio/{label}/s{speaker}_{take}.wav" for speaker in range(3) for take, label in ((0, "low"), (1, "high"))]
    rows = predicted(copied, FOLD, *clips).loc[clips]

    done(copied.xval("export", FOLD, "--format", "onnx", "--from-samples", "--output", "net.onnx"))

    session = onnxruntime.InferenceSession(copied.folder / "net.onnx")
    (read,) = session.get_inputs()
    for clip, row in zip(clips, rows.itertuples(), strict=True):
        samples, rate_hz = soundfile.read(copied.folder / clip, dtype="float32")
        assert rate_hz == RATE_HZ
        (answer,) = session.run(None, {read.name: samples[None]})
        assert answer[0] == pytest.approx([row.probability_high, row.probability_low, row.novelty], abs=2e-3)


# bundle


def test_a_bundle_says_its_scores_on_its_card_and_a_changed_byte_is_named(copied):
    done(copied.xval("bundle", OF_SVM, "--output", "handed", "--licence", "mit"))
    bundle = copied.folder / "handed"

    _, front, text = (bundle / "README.md").read_text().split("---\n", maxsplit=2)
    about = yaml.safe_load(front)
    assert about["license"] == "mit"
    ((result,),) = [entry["results"] for entry in about["model-index"]]
    shown = {metric["value"] for metric in result["metrics"]}
    assert copied.scores(3)["balanced_accuracy"] in shown
    assert text.strip()
    assert predicted(copied, bundle, CLIP).equals(predicted(copied, OF_SVM, CLIP))
    assert "hf upload me/net" in done(copied.xval("bundle", "handed", "--hub", "me/net"))

    content = bytearray((bundle / "model.skops").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "model.skops").write_bytes(content)
    refused = copied.xval("bundle", "handed", "--hub", "me/net")

    assert refused.returncode == 1
    assert "model.skops: changed" in refused.stdout
    assert "hf upload" not in refused.stdout


# label_review


def judge(study, number, verdict, label):
    """Judge a suspect in the page of a review, which is started for it."""
    with study.started("-u", "-m", "xval", "review-labels", f"{study.EXPERIMENT}:3", "--reviewer", "ann") as process:
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, printed
            printed += line
        host, _, place = printed.split("http://")[1].split()[0].partition("/")
        connection = http.client.HTTPConnection(host)
        body = json.dumps({"number": number, "verdict": verdict, "label": label})
        connection.request("POST", f"/{place}verdict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=100)


def test_a_wrong_label_is_the_first_suspect_and_its_verdict_corrects_a_copy(copied):
    corpus = pd.read_parquet(copied.folder / "data" / "small" / "corpus.parquet").set_index("path")["label"]
    wrong = "low/s0_0.wav"
    assert corpus[wrong] == "high"

    done(copied.xval("review-labels", f"{copied.EXPERIMENT}:3", "--output", "suspicious.csv"))
    suspects = pd.read_csv(copied.folder / "suspicious.csv")
    assert (suspects["clip"][0], suspects["label"][0], suspects["answer"][0]) == (wrong, "high", "low")
    judge(copied, 0, "wrong", sorted(PITCHES_HZ).index("low"))
    verdicts = ("--corrections", "data/small/corrections.csv")
    done(copied.prepare("table", "audio/clips.csv", "--dataset", "small_corrected", *verdicts))

    corrected = pd.read_parquet(copied.folder / "data" / "small_corrected" / "corpus.parquet").set_index("path")["label"]
    assert corrected[wrong] == "low"
    assert corrected.drop(wrong).equals(corpus.drop(wrong))
    after = pd.read_parquet(copied.folder / "data" / "small" / "corpus.parquet").set_index("path")["label"]
    assert after.equals(corpus)
