"""Whether a model knows what a fold tests or validates with: by items, by audio under other names, or perhaps."""

import numpy as np
import pytest

from preprocessing import store
from preprocessing.clips.fingerprints import N_VALUES, Fingerprints, short_hashes, to_array, write_fingerprints
from xval.base.json_files import write_json
from xval.folds.plan import Fold
from xval.models.saved.provenance import Provenance, read_clips

FOLD = Fold(2, ("a", "b"), ("c",), ("d",))


@pytest.fixture
def corpus(tmp_path):
    """The folder of a corpus of four items with two clips each."""
    rng = np.random.default_rng(0)
    values = {item: rng.normal(size=(2, 3)).astype(np.float32) for item in "abcd"}
    return store.write("speech", values, {item: ["x", "y"] for item in "abcd"}, data_folder=tmp_path / "data").folder.parents[1]


@pytest.fixture
def judge_model(tmp_path, corpus):
    """Return a function that lays out what a run leaves beside a model and judges it by FOLD.

    Items are those of the corpus ``name``; the audio of items of the corpus of the fold stands in the files of hashes.
    """

    def judge_model(trained="ab", chose="c", *, name="speech", audio=None, audio_chose=None, **described):
        items = {"seen_items": {name: [*trained, *chose]}, "trained_items": {name: [*trained]}, **described}
        write_json(tmp_path / "model.json", items)
        clips = read_clips(corpus)
        trained_audio = trained if audio is None else audio
        for file, of in (("seen_audio", [*trained_audio, *(chose if audio_chose is None else audio_chose)]),
                         ("trained_audio", [*trained_audio])):  # fmt: skip
            np.save(tmp_path / f"{file}.npy", short_hashes(clips["audio_hash"][clips["item"].isin(of)]))
        return Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", corpus)

    return judge_model


def test_a_model_of_the_same_fold_is_clean_though_the_same_items_chose_its_epoch(judge_model):
    assert judge_model().state == "clean"
    assert judge_model("uv", "w", name="other", audio="ab", audio_chose="c").state == "clean"  # the same, under other names


@pytest.mark.parametrize(
    ("heard", "reason"),
    [
        ({"trained": "ad"}, "has seen what fold 2 tests: item d and 2 of its 2 clips by their audio (d#0, d#1)."),
        ({"trained": "ab", "chose": "d"}, "has seen what fold 2 tests: item d"),
        ({"trained": "uvw", "chose": "", "name": "other", "audio": "d"}, "tests: 2 of its 2 clips by their audio (d#0, d#1)."),
        ({"trained": "u", "chose": "v", "name": "other", "audio": "a", "audio_chose": "d"}, "has seen what fold 2 tests: 2"),
        ({"trained": "ac", "chose": "b"}, "was trained on what fold 2 validates with: item c and 2 of"),
        ({"trained": "u", "chose": "v", "name": "other", "audio": "c"}, "trained on what fold 2 validates with: 2 of its 2"),
    ],
    ids=["trained", "chose its epoch", "trained under another name", "chose under another name", "validates", "other name"],
)  # fmt: skip
def test_a_model_that_knows_the_test_or_validation_side_has_leaked(judge_model, heard, reason):
    verdict = judge_model(**heard)

    assert verdict.state == "leaked"
    assert reason in verdict.reason
    assert "Put {fold} in its path and give both experiments the same folds" in verdict.reason


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"trained_items": None}, "the training data of it"),
        ({"initial_model_items": "unknown"}, "or of a model that it was made from"),
        ({"seen_items": {"speech": ["a"], "other": ["d"]}}, "items of another dataset with the same names (d)"),
    ],
)
def test_what_cannot_be_known_is_said(judge_model, described, reason):
    verdict = judge_model(**described)

    assert verdict.state == "unknown"
    assert reason in verdict.reason


@pytest.mark.parametrize("lacking", ["seen_audio.npy", "trained_audio.npy", "model.json"])
def test_a_model_without_one_of_its_files_is_unknown(tmp_path, corpus, judge_model, lacking):
    judge_model()
    (tmp_path / lacking).unlink()

    assert Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", corpus).state == "unknown"


def test_without_hashes_of_the_corpus_items_alone_are_compared(tmp_path, judge_model):
    assert judge_model().state == "clean"
    verdict = Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", tmp_path / "none")
    assert (verdict.state, verdict.reason) == ("unknown", "the dataset of the fold has no audio hashes to compare")

    judge_model("ad")
    verdict = Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", tmp_path / "none")
    assert (verdict.state, verdict.reason.partition(".")[0]) == ("leaked", "has seen what fold 2 tests: item d")


@pytest.fixture
def judge_stranger(tmp_path, corpus):
    """Return a function that judges a model of another corpus by the fingerprints of what it heard.

    It was trained on audio of which the fingerprints are those of clips of some items here, at another level, as it were.
    """
    clips = read_clips(corpus)
    hashes = short_hashes(clips["audio_hash"])
    values = np.random.default_rng(0).integers(-100, 100, (len(hashes), N_VALUES)).astype(np.int8)
    own = np.argsort(hashes)
    write_fingerprints(corpus, Fingerprints(hashes[own], values[own]))

    def judge_stranger(trained, chose="", **counted):
        items = {"seen_items": {"other": ["u", "v"]}, "trained_items": {"other": ["u"]}}
        write_json(tmp_path / "model.json", items)
        heard = [clips["item"].isin([*of]) for of in (trained, chose)]
        trained_audio, chose_audio = (np.arange(np.count_nonzero(of), dtype=np.uint64) for of in heard)
        everything = np.concatenate([trained_audio, 100 + chose_audio])  # 0, 1, ... are hashes of no clip here
        np.save(tmp_path / "trained_audio.npy", trained_audio)
        np.save(tmp_path / "seen_audio.npy", everything)
        prints = Fingerprints(everything, np.concatenate([values[of] for of in heard]))
        np.save(tmp_path / "seen_fingerprints.npy", to_array(prints))
        return Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", corpus, counted)

    return judge_stranger


def test_audio_in_another_form_under_another_name_is_known_again(judge_stranger):
    assert judge_stranger("ab").state == "clean"
    assert judge_stranger("ab", "c").state == "clean"  # the same items chose its epoch
    tested, chosen, validated = judge_stranger("ad"), judge_stranger("ab", "d"), judge_stranger("ac")
    assert [verdict.state for verdict in (tested, chosen, validated)] == ["leaked"] * 3
    reason = "has seen what fold 2 tests: 2 of its 2 clips by their fingerprints, in another version (d#0, d#1)."
    assert tested.reason.startswith(reason)
    assert chosen.reason.startswith(reason)
    assert validated.reason.startswith("was trained on what fold 2 validates with: 2 of its 2 clips by their fingerprints")


def test_clips_that_only_sound_alike_can_be_left_out(judge_stranger):
    assert judge_stranger("ad").reason.endswith("""exclude them: test_where='clip not in ("d#0", "d#1")'.""")
    assert judge_stranger("ac").reason.endswith("""exclude them: train_where='clip not in ("c#0", "c#1")'.""")
    assert judge_stranger("ad", test={"d#1"}).reason.count("1 of its 1 clip by their fingerprints") == 1
    assert judge_stranger("ad", test=set()).state == "clean"
    assert judge_stranger("ac", validation=set()).state == "clean"
    assert judge_stranger("ac", test=set()).state == "leaked"


@pytest.mark.parametrize(
    ("lacking", "reason"),
    [
        ("seen_fingerprints.npy", "it has no fingerprints of its training clips"),
        ("data/speech/fingerprints.npy", "the dataset of the fold has no fingerprints to compare"),
    ],
)
def test_without_fingerprints_a_model_of_another_corpus_is_unknown(tmp_path, corpus, judge_stranger, lacking, reason):
    judge_stranger("ab")
    (tmp_path / lacking).unlink()

    verdict = Provenance(tmp_path / "model.keras").verdict(FOLD, "speech", corpus)

    assert (verdict.state, reason in verdict.reason) == ("unknown", True)


@pytest.mark.parametrize(
    ("described", "parts"),
    [
        ({}, []),
        ({"unknown_parts": []}, []),
        ({"unknown_parts": ["onnx:a.onnx"]}, ["onnx:a.onnx"]),
        ({"initial_model_items": "unknown"}, ["its initial model"]),
        # of an earlier version
        ({"embedder": {"name": "onnx:a.onnx"}, "architecture": "mlp"}, ["onnx:a.onnx"]),
        ({"embedder": {"name": "opensmile:eGeMAPSv02"}, "architecture": "own.net"}, ["the network own.net"]),
        ({"embedder": {"name": "onnx:a.onnx"}, "architecture": "own.net", "unknown_parts": []}, []),
    ],
)
def test_parts_of_unknown_origin_go_with_a_model(tmp_path, described, parts):
    write_json(tmp_path / "model.json", described)
    assert Provenance(tmp_path / "model.keras").unknown_parts == parts


def test_a_model_of_the_corpus_before_it_was_renamed_is_one_of_its_own(tmp_path, judge_model):
    assert judge_model("ab", "d", name="former", audio="", audio_chose="").state == "unknown"
    write_json(tmp_path / "data" / "speech" / "former_names.json", {"names": ["former"]})
    assert judge_model("ab", "d", name="former", audio="", audio_chose="").state == "leaked"
