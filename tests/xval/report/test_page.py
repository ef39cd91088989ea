"""The page of a finished experiment: whole, escaped, without the network, with the figures of metrics.json."""

import base64
import dataclasses
import hashlib
import io
import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pandas as pd
import pytest
import soundfile

from xval import load_predictions
from xval.answers.audit.verdict import AuditVerdict
from xval.answers.headline import find_headline
from xval.answers.ranking import rank_instances
from xval.answers.read import read_instances
from xval.answers.summary import metric_words
from xval.base.errors import AudioError, ResultsError
from xval.base.findings import Finding
from xval.report.contents import PageContents
from xval.report.protocol import describe_protocol
from xval.report.rebuild import rebuild, rebuild_if_stale
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results.folder import ExperimentFolder
from xval.results.read import WrittenInstance, read_folds

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SECTIONS = ("answer", "instances", "errors", "details", "comparison", "settings", "protocol")


def metrics(folder, instance):
    return json.loads((folder.instance_folder(instance) / "metrics.json").read_text())


def test_calibration_and_the_recall_of_each_class_have_intervals(finished, read_page):
    tables = read_page(finished.results / "report.html").tables["details"]
    rows = [[cell["text"] for cell in row] for table in tables for row in table]

    for name in ("Brier score", "calibration error (ECE)"):
        (interval, *_), *_ = [row[1:] for row in rows if row[0].startswith(f"test {name}")]
        assert re.match(r"\d\.\d+ \[\d\.\d+, \d\.\d+\]", interval)
    (head, *classes), *_ = [table for table in tables if "recall [95 %]" in [cell["text"] for cell in table[0]]]
    assert len(classes) == len(head) - 2
    assert all(re.match(r"\d\.\d\d( \[\d\.\d\d, \d\.\d\d\])?$", row[-1]["text"]) for row in classes)


def test_each_with_each_says_the_same_of_two_instances_in_both_cells(finished, read_page):
    *_, matrix = read_page(finished.results / "report.html").tables["comparison"]
    cells = [[cell["text"].split("p") for cell in row[1:]] for row in matrix[1:]]

    for row in range(3):
        for column in range(row):
            (difference, p), (mirrored, mirrored_p) = cells[row][column], cells[column][row]
            assert p == mirrored_p
            assert float(difference) == pytest.approx(-float(mirrored))


def test_a_run_leaves_a_page_with_all_sections(finished, read_page):
    page = read_page(finished.results / "report.html")

    assert [section["id"] for section in page.of("section")] == list(SECTIONS)
    lines = find_headline(read_instances(ExperimentFolder(finished.results), [1, 2, 3]))
    assert [page.text["answer"].index(line) for line in lines] == sorted(page.text["answer"].index(line) for line in lines)
    assert (
        page.text["answer"].index(lines.next)
        < page.text["answer"].index("Details and findings")
        < page.text["answer"].index("is selected")
    )
    assert "6 of 6 folds done" in page.text["header"]
    assert len([found for found in page.of("details") if found.get("class") == "instance"]) == 3
    assert "We evaluated 3 models with item-independent 2-fold cross-validation on " in page.text["protocol"]
    methods, entries = page.text["protocol"].split("BibTeX")
    cited = set(re.findall(r"[A-Z]\w+(?: & [A-Z]\w+| et al\.)?, (?:19|20)\d\d", methods))
    assert {"Efron & Stein, 1981", "Holm, 1979", "Varma & Simon, 2006"} <= cited
    assert entries.count("@") == 1 + len(cited)  # xval itself
    assert "Features of models 1-2 were normalised with statistics of the training items." in methods
    assert "Features of model 3 were normalised in each example with its own statistics." in methods
    trained = r"Model \d, the selected one, is the network mlp \(features .* at 4000 Hz\), trained by adam "
    assert re.search(
        trained + r"\(Kingma & Ba, 2015\) with a learning rate of 0\.01 in batches of 16 for at most 1 epoch\.", methods
    )
    assert "1 epochs" not in methods


@pytest.fixture
def describe(finished):
    """Return a function that gives the protocol of instances of the finished experiment, some of whose facts are others.

    Args:
        changed: The parameters that are others, by the number of an instance.
        corpus: Its dataset.
        plan: What is another part of its `FoldPlan`.
    """
    folder = ExperimentFolder(finished.results)

    def describe(changed, *, corpus=None, store=None, **plan):
        instances = []
        for instance in read_instances(folder, list(changed)):
            parameters = instance.parameters | changed[instance.number]
            written = WrittenInstance(**dict(instance.written) | {"parameters": parameters})
            instances.append(dataclasses.replace(instance, written=written))
            for record in instance.jobs.values():
                record["store"] = store or record["store"]
        folds = read_folds(folder)
        folds = dataclasses.replace(folds, plan=dataclasses.replace(folds.plan, **plan))
        return " ".join(describe_protocol(PageContents(folds, instances, rank_instances(instances), {}, corpus=corpus)))

    return describe


@pytest.mark.parametrize(
    ("method", "words"),
    [("mean", "needs no fitting"), ("choose", "selection on its validation items"), ("stack", "a regression")],
)
def test_the_protocol_says_what_weighs_the_members_of_an_ensemble(describe, method, words):
    text = describe({1: {}, 2: {"architecture": "ensemble", "method": method, "members": [1]}})

    sentence = re.search(r"Ensembles combine [^.]*\.", text)[0]
    assert words in sentence
    assert ("validation" in sentence) == (method != "mean")


def test_the_protocol_claims_neither_features_of_arrays_nor_folds_of_one_split(describe, finished):
    one, *_ = read_folds(ExperimentFolder(finished.results)).plan.folds
    items = {*one.training, *one.validation, *one.test}

    text = describe({1: {}}, store="custom", folds=(one,), settings={"fold_strategy": "holdout"})

    assert f"We evaluated one model on one item-independent split of {len(items)} items (tones)." in text
    assert f"Only {len(one.test)} items were tested." in text
    assert "(features given as arrays)" in text
    for claimed in ("cross-validation", " Hz", "was selected", "optimistically"):
        assert claimed not in text


CLIPS = pd.DataFrame({"duration_s": [0.5, 2.0, 4.0, 9.0], "augmented": [False, False, False, True]})


@pytest.mark.parametrize(
    ("corpus", "amount"),
    [
        (SimpleNamespace(is_custom=False, index=CLIPS), "2 of 3 clips lose 67 % of their audio"),
        (None, "how many clips are longer is not known without the dataset"),
    ],
)
def test_the_protocol_says_what_of_the_clips_was_heard(describe, corpus, amount):
    text = describe({1: {"clip_length_s": 1.0}}, corpus=corpus)

    assert f"Model 1 used the first 1 s of each clip ({amount})." in text


def test_the_protocol_names_a_splitter_of_ones_own(describe):
    assert "Folds were those of my_folds.split (" in describe(
        {1: {}}, settings={"fold_strategy": "my_folds.split", "fold_seed": 1}
    )


def test_a_part_of_unknown_origin_and_the_kinds_of_leakage_stand_there(copy, read_page):
    path = copy.instance_folder(2) / "settings.json"
    settings = json.loads(path.read_text())
    settings["parameters"] |= {"features": "embedding", "embedding_model": "onnx:encoder.onnx"}
    path.write_text(json.dumps(settings))
    page = read_page(write_page(copy, PageRequest(with_audio=False)))
    said = "pretrained part of unknown origin: onnx:encoder.onnx"

    (row,) = [row for row in page.tables["instances"][0] if row[0]["text"].split()[0] == "2"]
    assert any(said in cell["text"].replace("\u200b", "") for cell in row)
    assert f"=global (2): {said}." in page.text["answer"]
    assert f"{said} (its training data are not known)" in page.text["details"]
    kinds = {row[0]["text"]: row[1]["text"] for row in page.tables["protocol"][1]}
    assert kinds["L1.1 no test set"] == "ok"
    assert kinds["L2 features that are not legitimate"] == kinds["L3.2 one speaker under two names"] == "unknown"
    assert "kapoor2023leakage" in page.text["protocol"]


def test_the_page_fetches_nothing_and_runs_no_script_but_its_own(copy, read_page):
    path = write_page(copy, PageRequest())
    page = read_page(path)

    addresses = [
        attributes[name] for _, attributes in page.tags for name in ("src", "href", "data", "poster") if name in attributes
    ]
    assert addresses
    assert all(address.startswith(("#", "data:image/png;", "data:audio/")) for address in addresses)
    html = path.read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(|<link|<iframe|<object", html)
    (policy,) = [found["content"] for found in page.of("meta") if found.get("http-equiv") == "Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert f"script-src 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy


def test_scores_are_those_of_metrics_json(copy, read_page):
    page = read_page(write_page(copy, PageRequest(with_audio=False, with_audit=False)))

    (table,) = page.tables["instances"]
    header = [cell["text"] for cell in table[0]]
    for row in table[1:]:
        of = metrics(copy, int(row[0]["value"]))
        for name in ("balanced_accuracy", "accuracy"):
            found = of["over_items"]["figures"]["test"][name]
            places = [place for place, text in enumerate(header) if text.startswith(f"test {name.replace('_', ' ')}")]
            cell = row[places[0] if places else header.index("test balanced accuracy (UAR) [95 %]")]  # they may be the same
            assert float(cell["value"]) == pytest.approx(found[found["of"]], abs=0.0005)
            over_folds = of["summary"]["test"][name]
            small = f"{over_folds['mean']:.3f} ± {over_folds['std']:.3f}"
            assert cell["text"].endswith(f"[{found['low']:.3f}, {found['high']:.3f}]{small}")
    by_figure = {row[0]["text"]: row[2]["value"] for row in page.tables["details"][0][1:]}
    selected = next(row for row in table[1:] if "selected" in row[0]["text"])
    of = metrics(copy, int(selected[0]["value"]))
    for name, score in of["summary"]["test"].items():
        if score["n"] and name != "recall":  # which is balanced accuracy here
            called = f"test {metric_words(name)}"
            label = next(label for label in by_figure if label.removesuffix(" (lower is better)") == called)
            assert float(by_figure[label]) == score["mean"]
    (items,) = page.tables["items"]
    means = [float(row[2]["value"]) for row in items[1:]]
    assert means == sorted(means)
    assert len(means) == 6


def test_parameters_without_room_in_the_table_are_in_that_of_settings_and_with_each_instance(copy, read_page):
    names = [f"parameter_number_{n}_of_many" for n in range(9)]
    for number in (1, 2, 3):
        path = copy.instance_folder(number) / "settings.json"
        settings = json.loads(path.read_text())
        settings["parameters"] |= dict.fromkeys(names, f"value_{number}")
        path.write_text(json.dumps(settings))
    rebuild(copy)
    page = read_page(write_page(copy, PageRequest(with_audio=False, with_audit=False)))

    header = [cell["text"] for cell in page.tables["instances"][0][0]]
    shown = [name for name in names if name in header]
    assert 0 < len(shown) < len(names)
    assert f"{names[-1]}: see Settings that differ" in page.text["instances"]
    (settings,) = page.tables["settings"]
    assert [cell["text"] for cell in settings[0]][-len(names) :] == names
    assert [[cell["text"] for cell in row[-len(names) :]] for row in settings[1:]] == [[f"value_{n}"] * 9 for n in (1, 2, 3)]
    assert all(f"{name} = value_{number}" in page.text["details"] for name in names for number in (1, 2, 3))


def test_text_of_files_is_text_on_the_page(copy, read_page):
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\u200b"
    settings = copy.instance_folder(1) / "settings.json"
    content = json.loads(settings.read_text())
    content["description"] = content["parameters"]["comment_1"] = content["parameters"]["architecture"] = attack
    settings.write_text(json.dumps(content))
    for fold in (1, 2):
        path = copy.fold_folder(1, fold) / "record.json"
        record = json.loads(path.read_text())
        record["class_names"] = [attack, record["class_names"][1]]
        path.write_text(json.dumps(record))
        scores = pd.read_parquet(path.with_name("scores.parquet"))
        first = next(item for item in scores["item"] if item)
        scores.replace({"item": {first: attack}}).to_parquet(path.with_name("scores.parquet"))
        predictions = copy.fold_folder(1, fold) / "predictions.parquet"
        table = pd.read_parquet(predictions)
        old = next(name for name in table if name.startswith("probability_"))
        table = table.rename(columns={old: f"probability_{attack}"}).replace(
            {"target": {old.removeprefix("probability_"): attack}}
        )
        table.assign(clip=attack + table["clip"]).to_parquet(predictions)
    rebuild(copy)

    path = write_page(copy, PageRequest(instance=1, with_audit=False))

    page = read_page(path)
    assert len(page.of("script")) == 1
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    assert all(found["src"].startswith("data:") for found in page.of("img"))
    for section in ("header", "instances", "details", "items", "errors"):
        assert attack[:-2] + r"\u202e\u200b" in page.text[section], section
    assert not set(path.read_text(encoding="utf-8")) & set(attack[-2:])


def test_the_worst_answers_come_first_and_can_be_heard(copy, read_page):
    page = read_page(write_page(copy, PageRequest(instance=2)))

    table = load_predictions(copy.path, instances=2).query("side == 'test' and target != predicted")
    columns = [name for name in table if name.startswith("probability_")]
    table["margin"] = 2 * table[columns].max(axis=1) - 1
    margins, item_of, fold_of = (table.set_index("clip")[name] for name in ("margin", "item", "fold"))
    shown = [found["alt"].removeprefix("Spectrogram of ") for found in page.of("img")]
    assert set(fold_of[shown]) == {1, 2}, "from every fold"
    items = list(dict.fromkeys(item_of[shown]))
    assert len(items) > 1
    for item in items:
        of_item = [margins[clip] for clip in shown if item_of[clip] == item]
        worst = table.loc[table["item"] == item, "margin"].nlargest(3)
        assert of_item == pytest.approx(worst.tolist())
        confused = table[table["item"] == item].groupby(["target", "predicted"]).size().nlargest(1)
        ((true, answer),) = confused.index
        assert f"{true} predicted as {answer} in {confused.iloc[0]} of " in " ".join(page.text["errors"].split())
    index = pd.read_parquet("data/tones/corpus.parquet").set_index("clip")
    for clip, audio in zip(shown, page.of("audio"), strict=True):
        kind, content = audio["src"].split(";base64,")
        samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(content)))
        assert kind == "data:audio/mpeg"
        assert len(samples) / rate_hz == pytest.approx(index.loc[clip, "duration_s"], abs=0.1)


def test_without_the_corpus_a_page_with_clips_is_kept_and_a_new_one_says_so(copy, read_page):
    before = write_page(copy, PageRequest(with_audit=False)).read_bytes()
    shutil.rmtree("data")

    with pytest.raises(ResultsError, match=r"kept, because it has \d+ clips to listen to.*--data-folder DIR"):
        write_page(copy, PageRequest(with_audit=False))

    assert copy.page.read_bytes() == before
    copy.page.unlink()
    page = read_page(write_page(copy, PageRequest(with_audit=False)))
    assert "There is no dataset 'tones'" in page.text["errors"]
    assert not page.of("audio")


def test_so_it_is_without_the_audio(copy, monkeypatch):
    before = write_page(copy, PageRequest(with_audit=False)).read_bytes()

    def read(path, *_):
        raise AudioError(f"{path}: no such file.")

    monkeypatch.setattr("xval.report.sounds._make_sound", read)
    with pytest.raises(ResultsError, match=r"kept, because it has \d+ clips.*no such file. Put the audio back"):
        write_page(copy, PageRequest(with_audit=False))

    assert copy.page.read_bytes() == before


def test_a_page_while_folds_are_missing_and_rules_are_broken(copy, read_page, monkeypatch):
    shutil.rmtree(copy.fold_folder(2, 1))
    for fold in (1, 2):
        shutil.rmtree(copy.fold_folder(3, fold))
    rebuild(copy)

    faults = tuple(Finding(f"fault {number}.") for number in range(1, 8))
    monkeypatch.setattr("xval.report.contents.audit", lambda *_, **__: [AuditVerdict("files", "all are there", 3, faults)])

    page = read_page(write_page(copy, PageRequest(with_audio=False)))

    assert "3 of 6 folds done" in page.text["header"]
    assert "folds, so means skip" in page.text["answer"]
    assert "fault 5. and 2 more: xval audit" in page.text["protocol"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_lets_the_script_of_the_page_run_and_a_phone_shows_it_without_scrolling_sideways(copy, tmp_path):
    path = write_page(copy, PageRequest(with_audit=False))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    phone = tmp_path / "phone.html"
    phone.write_text(
        f'<iframe src="{path.as_uri()}" width="390" height="800"></iframe><script>onload = () => {{'
        "const page = document.querySelector('iframe').contentDocument;"
        "page.querySelectorAll('details').forEach(part => part.open = true);"
        "document.title = `width ${page.documentElement.scrollWidth}` }</script>"
    )

    def dump(uri):
        command = [CHROMIUM, *options, "--allow-file-access-from-files", "--dump-dom", uri]
        return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True).stdout

    assert '<button type="button">instance</button>' in dump(path.as_uri())
    (width,) = re.findall("<title>width ([0-9]+)</title>", dump(phone.as_uri()))
    assert 0 < int(width) <= 390


def test_a_page_of_several_instances_reads_every_record_once(copy, count_reads):
    rebuild_if_stale(copy)
    write_page(copy, PageRequest(with_audio=False))

    counts = count_reads("record.json")
    assert sorted(counts) == sorted(copy.path.glob("instance_*/fold_*/record.json"))
    assert list(counts.values()) == [1] * 6
