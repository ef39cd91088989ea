"""Figures of segments and events over items: pooled, with intervals and chance."""

import math

import numpy as np
import pandas as pd
import pytest

from preprocessing.annotations.annotation_settings import FrameSettings
from xval.answers.events_over_items import measure_events
from xval.measures.events.psds import ScoredRecording, psds_scores, tabulate_runs
from xval.measures.metrics import Chance
from xval.results.item_scores import make_item_score

OF_RECORD = make_item_score(0.25, math.nan, "items", None, Chance(math.nan, ""))
SETTINGS = FrameSettings(
    label_form="multi_class", label_frame_s=0.5, sequence_frames=8, frame_overlap=0.5, annotation_policy="union",
    event_threshold=None, event_median_frames=1, event_min_duration_s=0.0, segment_s=1.0,
)  # fmt: skip
NAMES = ("event_f1", "event_error_rate", "segment_f1", "segment_precision", "segment_macro_f1")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes the files of a fold: recordings of 12 s, by name their annotated and found events."""

    def make(fold, recordings, unknown_s=()):
        folder = tmp_path / f"fold_{fold}"
        folder.mkdir()
        starts = np.arange(24) * 0.5
        frames = [pd.DataFrame({"item": name, "clip": name, "start_s": starts, "end_s": starts + 0.5}) for name in recordings]
        table = pd.concat(frames, ignore_index=True).assign(side="test", weight=1.0)
        table["weight"] = np.where(table["start_s"].isin(unknown_s), 0.0, 1.0)
        table.to_parquet(folder / "predictions.parquet", index=False)
        rows = [
            (name, name, "test", source, *event)
            for name, sides in recordings.items()
            for source, events in zip(("annotated", "found"), sides, strict=True)
            for event in events
        ]
        columns = ["item", "clip", "side", "source", "start_s", "end_s", "label"]
        pd.DataFrame(rows, columns=columns).to_csv(folder / "events.csv", index=False)
        return folder

    return make


def measure(folders, settings=SETTINGS):
    of_record = dict.fromkeys(NAMES, OF_RECORD)
    return measure_events([folders], ("background", "bark", "call"), settings, of_record)


def test_pooled_figures_count_the_events_of_all_folds_together(write):
    bark, call = (1.0, 3.0, "bark"), (5.0, 7.0, "call")
    folders = [
        write(1, {"a": ([bark, call], [bark, call])}),
        write(2, {"b": ([bark], [call])}),
        write(3, {"c": ([], [bark]), "d": ([call], [call])}),
    ]
    found = measure(folders)
    assert set(found) == set(NAMES)
    assert found["event_f1"]["pooled"] == pytest.approx(2 * 3 / (4 + 5))
    assert found["segment_f1"]["pooled"] == pytest.approx(2 * 6 / (8 + 10))
    assert found["event_f1"]["items"] == 0.25
    assert found["event_f1"]["low"] < 2 * 3 / 9 < found["event_f1"]["high"]


def test_the_figures_without_each_item_are_kept_for_comparisons(write):
    bark, call = (1.0, 3.0, "bark"), (5.0, 7.0, "call")
    folders = [
        write(1, {"a": ([bark, call], [bark, call])}),
        write(2, {"b": ([bark], [call])}),
        write(3, {"c": ([bark], [bark]), "d": ([call], [call, bark])}),
    ]
    kept = measure(folders)["event_f1"]["left_out"]
    assert kept["figures"] == [pytest.approx(2 * 4 / (5 + 6))]
    assert [run for (run,) in kept["without"]] == pytest.approx([4 / 7, 8 / 9, 6 / 9, 6 / 8])
    without_d = [write(fold + 3, {name: sides}) for fold, (name, sides) in enumerate(
        {"a": ([bark, call], [bark, call]), "b": ([bark], [call]), "c": ([bark], [bark])}.items(), start=1
    )]  # fmt: skip
    assert measure(without_d)["event_f1"]["pooled"] == pytest.approx(kept["without"][3][0])


def test_chance_is_that_of_the_best_label_all_the_time_or_of_silence(write):
    """Barks fill a third of the seconds, calls a twelfth."""
    folders = [write(fold, {f"r{fold}": ([(2.0, 6.0, "bark"), (8.0, 9.0, "call")], [])}) for fold in (1, 2, 3)]
    found = measure(folders)
    assert found["segment_f1"]["chance"] == pytest.approx(2 * 4 / (12 + 5))
    assert found["segment_f1"]["strategy"] == "always 'bark'"
    assert found["segment_precision"]["chance"] == pytest.approx(4 / 12)
    assert (found["event_error_rate"]["chance"], found["event_error_rate"]["strategy"]) == (1.0, "never an event")
    assert found["event_f1"]["chance"] == 0
    several = measure(folders, SETTINGS.model_copy(update={"label_form": "multi_label"}))
    assert several["segment_macro_f1"]["chance"] == pytest.approx((2 * 4 / 16 + 2 / 13) / 2)
    assert several["segment_macro_f1"]["strategy"] == "always all events"


def test_pooled_psds_are_of_the_scores_of_all_folds_together_with_interval_and_chance(write):
    folders, scored = [], []
    rng = np.random.default_rng(0)
    for fold in range(1, 7):
        event = (1.0 + fold, 3.0 + fold, "bark")
        folders.append(write(fold, {f"r{fold}": ([event], [event])}))
        path = folders[-1] / "predictions.parquet"
        table = pd.read_parquet(path)
        is_bark = table["start_s"].between(event[0], event[1] - 0.1)
        barks = np.where(is_bark, 0.6, 0.3) + rng.uniform(-0.3, 0.3, len(table))
        table.assign(probability_bark=barks.astype("f4"), probability_call=np.float32(0.1)).to_parquet(path, index=False)
        scores = np.column_stack([barks, np.full(len(table), 0.1)]).astype(np.float32)
        reference = pd.DataFrame([event], columns=["start_s", "end_s", "label"])
        scored.append(tabulate_runs(ScoredRecording(reference, scores, 0.5), ["bark", "call"]))
    of_record = dict.fromkeys(("event_f1", "psds1", "psds2"), OF_RECORD)
    found = measure_events([folders], ("background", "bark", "call"), SETTINGS, of_record)
    assert list(found) == ["event_f1", "psds1", "psds2"]
    for name, wanted in psds_scores(scored).items():
        assert found[name]["pooled"] == pytest.approx(wanted)
    assert 0 <= found["psds1"]["low"] < found["psds1"]["pooled"] < found["psds1"]["high"] <= 1
    assert (found["psds1"]["chance"], found["psds1"]["strategy"]) == (0, "the same score for all frames")
    assert found["psds2"]["chance"] == 1, "each recording of 12 s has 2 s of barks"


def test_frames_on_which_annotators_disagree_do_not_count(write):
    bark = (1.0, 3.0, "bark")
    folder = write(1, {"a": ([bark], [bark, (8.0, 9.0, "bark")])}, unknown_s=(8.0, 8.5))
    assert measure([folder])["segment_f1"]["pooled"] == 1
