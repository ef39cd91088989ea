"""The pages of regressions and of recordings with events, made by real runs."""

import re

import numpy as np
import pytest
import soundfile

RATE_HZ = 8000


@pytest.mark.usefixtures("in_process", "eagerly")
def test_numbers_are_drawn_predicted_against_true(tones, read_page):
    tones.prepare("numbers.csv", "--task-type", "regression")
    tones.write_script(
        {"architecture": "mlp", "n_units": (4,)},
        task_type="regression",
        num_folds=2,
        num_epochs=1,
        page="complete",
        **tones.settings,
    )

    ended = tones.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    page = read_page(tones.results / "report.html")
    drawn = [found["aria-label"] for found in page.of("svg")]
    assert [label for label in drawn if "against" in label] == ["predicted against true pitch", "predicted against true length"]
    assert "Clips with the largest absolute error first" in page.text["errors"]
    n_of_items = [int(count) for count in re.findall(r"(\d+) of \d+ clips wrong", page.text["errors"])]
    assert 2 < len(n_of_items) <= 6
    assert len(page.of("audio")) == sum(min(count, 3) for count in n_of_items)
    assert "error" in page.text["errors"]


@pytest.mark.usefixtures("in_process", "eagerly")
def test_recordings_have_time_lines_of_annotated_and_found_events(project, read_page):
    (project.folder / "audio").mkdir()
    rows = ["path,start_s,end_s,label"]
    for number in range(4):
        time_s = np.arange(RATE_HZ // 2) / RATE_HZ
        quiet = 0.02 * np.random.default_rng(number).normal(size=time_s.size)
        call, song = (quiet + 0.3 * np.sin(2 * np.pi * pitch_hz * time_s) for pitch_hz in (500, 2000))
        soundfile.write(project.folder / "audio" / f"{number}.wav", np.concatenate([quiet, call, quiet, song]), RATE_HZ)
        rows += [f"{number}.wav,0.5,1.0,call", f"{number}.wav,1.5,2.0,song"]
    (project.folder / "audio" / "annotation.csv").write_text("\n".join(rows))
    ended = project.run_module(
        "preprocessing", "events", "audio/annotation.csv", "--dataset", "toy", "--task-type", "frame_classification"
    )
    assert ended.returncode == 0, ended.stderr
    network = {"architecture": "sincnet", "n_filters": 4, "kernel_length": 51, "n_conv_filters": (4,), "n_units": (8,)}
    project.write_script(
        network, num_folds=2, task_type="frame_classification", features="waveform", frontend="none",
        sample_rate_hz=RATE_HZ, num_epochs=1, page="complete",
    )  # fmt: skip

    ended = project.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    page = read_page(project.results / "report.html")
    lines = [found for found in page.of("svg") if "detected events" in found["aria-label"]]
    assert len(lines) == len(page.of("audio")) == 4
    html = (project.results / "report.html").read_text(encoding="utf-8")
    assert html.count("<title>call, 0.50 to 1.00 s</title>") >= 4
    assert "Recordings with the most seconds" in page.text["errors"]


@pytest.mark.usefixtures("in_process", "eagerly")
def test_repeats_are_all_in_the_curves_and_their_worst_answers_count(tones, read_page):
    tones.prepare("toy.csv")
    network = {"architecture": "mlp", "n_units": (2,)}
    tones.write_script(network, num_folds=2, repeats=2, num_epochs=2, page="complete", **tones.settings)

    ended = tones.run()

    assert ended.returncode == 0, ended.stdout + ended.stderr
    html = (tones.results / "report.html").read_text(encoding="utf-8")
    assert html.count('class="curve validation"') == 2 * 2 * 2  # folds, repeats, loss and accuracy
    clips = [found["alt"] for found in read_page(tones.results / "report.html").of("img")]
    assert len(clips) == len(set(clips)) > 0
