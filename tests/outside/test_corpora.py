"""Routes of data: `xval prepare`, `xval augment`, `preprocessing.prepare`, `preprocessing.store.write`."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

RATE_HZ = 4000
SPEAKERS = [f"s{number}" for number in range(6)]


def corpus(study, name):
    """Return the table of clips of a prepared corpus."""
    said = f"print(Experiment('x', dataset={name!r}, num_folds=2).folds().clips.to_json(orient='records'))"
    ended = study.python("-c", f"from xval import Experiment; {said}")
    assert ended.returncode == 0, ended.stderr
    return pd.DataFrame(json.loads(ended.stdout.splitlines()[-1]))


def prepared(study, *arguments, **features):
    ended = study.prepare(*arguments, **features)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def events(study):
    """Write recordings of two events each, of six speakers, a table of them, and recordings without events."""
    rng = np.random.default_rng(0)
    rows = []
    for folder, names in (("events", SPEAKERS), ("backgrounds", [f"b{number}" for number in range(6)])):
        (study.folder / folder).mkdir()
        for name in names:
            samples = 0.01 * rng.normal(size=2 * RATE_HZ)
            for place, (label, pitch_hz) in enumerate({"low": 400, "high": 1200}.items() if folder == "events" else ()):
                begin = 1000 + 3500 * place
                samples[begin : begin + 1500] += 0.3 * np.sin(2 * np.pi * pitch_hz * np.arange(1500) / RATE_HZ)
                about = {"start_s": begin / RATE_HZ, "end_s": (begin + 1500) / RATE_HZ, "label": label, "item": name}
                rows.append({"path": f"{name}.wav", **about})
            soundfile.write(study.folder / folder / f"{name}.wav", samples, RATE_HZ)
    pd.DataFrame(rows).to_csv(study.folder / "events" / "events.csv", index=False)


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx", "parquet"])
def test_a_table_becomes_a_corpus(empty, ending):
    table = empty.recordings()
    path = empty.folder / "audio" / f"clips.{ending}"
    write = {"xlsx": table.to_excel, "parquet": table.to_parquet, "tsv": lambda file, **_: table.to_csv(file, sep="\t")}
    write.get(ending, table.to_csv)(path, index=False)

    said = prepared(empty, "table", f"audio/clips.{ending}", "--dataset", "small")

    assert "24 clips of 6" in said
    clips = corpus(empty, "small")
    assert sorted(clips["label"]) == sorted(table["label"])
    assert set(clips["item"]) == set(SPEAKERS)


def test_columns_of_a_table_may_have_any_name(empty):
    table = empty.recordings().rename(columns={"path": "file", "item": "who", "label": "sound"})
    table.to_csv(empty.folder / "mine.csv", index=False, sep=";")

    words = ("--path", "file", "--item", "who", "--label", "sound,gender", "--audio-folder", "audio")
    prepared(empty, "table", "mine.csv", *words, "--dataset", "small")

    assert set(corpus(empty, "small")["label"]) == {"low_f", "low_m", "high_f", "high_m"}


@pytest.mark.parametrize(("column", "task"), [("age", "regression"), ("label", "representation")])
def test_a_table_of_another_task(empty, column, task):
    empty.recordings()

    said = prepared(empty, "table", "audio/clips.csv", "--label", column, "--task-type", task, "--dataset", "small")

    assert "24 clips" in said
    assert task != "regression" or "20 to 65" in said


def test_a_cell_may_have_several_labels(empty):
    table = empty.recordings()
    table["label"] = ["low;loud", "high", "", "loud"] * 6
    table.to_csv(empty.folder / "audio" / "tags.csv", index=False)

    said = prepared(empty, "table", "audio/tags.csv", "--task-type", "multilabel_classification", "--dataset", "small")

    assert "high, loud, low" in said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("table", "audio/clip.csv"), "audio/clip.csv"),
        (("table", "audio/clips.csv", "--item", "speaker"), "item, label"),
        (("table", "audio/clips.csv", "--set", "n_mel=8"), "'n_mels'"),
        (("table", "audio/clips.csv", "--set", "n_mels=0"), "n_mels=0"),
        (("table", "audio/clips.csv", "--set", "hop_length=long"), "hop_length"),
        (("table", "audio/clips.csv", "--datset", "x"), "'--dataset'"),
        (("folders", "audio/low"), "--label-pattern"),
        (("folders", "nowhere"), "nowhere"),
        (("folders", "audio", "--item-pattern", "("), "--item-pattern"),
        (("folders", "audio", "--item-pattern", "(zebra)"), "zebra"),
        (("fsdd", "nowhere"), "{digit}_{speaker}_{index}.wav"),
        (("ravdess",), "required"),
        (("encoders", "fetch", "wav2vec3"), "wav2vec2-base"),
        (("rename", "smal", "other"), "smal"),
        (("convert", "nowhere", "copies"), "nowhere"),
        (("table", "--check", "audio/clip.csv"), "audio/clip.csv"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_mistake_is_named(empty, words, named):
    empty.recordings()

    assert named in empty.mistake("-m", "preprocessing", *words)
    assert not (empty.folder / "data" / "clips").exists()


def test_numbers_that_are_taken_for_classes_are_warned_of(empty):
    empty.recordings()

    said = prepared(empty, "table", "audio/clips.csv", "--label", "pitch")

    assert "--task-type regression" in said


def test_a_file_of_a_table_that_is_not_there_is_left_out_and_named(empty):
    table = empty.recordings()
    table.loc[7, "path"] = "low/nobody.wav"
    table.to_csv(empty.folder / "audio" / "clips.csv", index=False)

    said = prepared(empty, "table", "audio/clips.csv", "--dataset", "small")

    assert "23 clips" in said
    assert "left_out.csv" in said
    assert "low/nobody.wav" in (empty.folder / "data" / "small" / "left_out.csv").read_text()


def test_missing_labels_of_a_table_are_named(empty):
    table = empty.recordings()
    table.loc[3, "label"] = None
    table.to_csv(empty.folder / "audio" / "clips.csv", index=False)

    assert "line 5" in empty.mistake("-m", "preprocessing", "table", "audio/clips.csv")


def test_folders_are_classes_and_a_pattern_finds_the_speaker(empty):
    empty.recordings()

    said = prepared(empty, "folders", "audio", "--item-pattern", "(?P<speaker>s[0-9])_", "--dataset", "small")

    assert "24 clips of 6 speakers" in said
    assert "high, low" in said


def test_folders_without_a_pattern_warn_of_a_random_split(empty):
    empty.recordings()

    said = prepared(empty, "folders", "audio", "--dataset", "small")

    assert "Warning" in said
    assert "--item-pattern" in said


def test_file_names_may_have_class_and_speaker(empty):
    empty.recordings()
    (empty.folder / "names").mkdir()
    for path in (empty.folder / "audio").rglob("*.wav"):
        shutil.copy(path, empty.folder / "names" / f"{path.parent.name}_{path.name}")

    suggested = empty.mistake("-m", "preprocessing", "folders", "names")
    label, item = re.search(r"--label-pattern '(.+?)' --item-pattern '(.+?)'", suggested).groups()
    said = prepared(empty, "folders", "names", "--label-pattern", label, "--item-pattern", item, "--dataset", "small")

    assert "24 clips of 6" in said
    assert "2 classes (high, low)" in said


def test_events_are_clips_or_labels_of_frames(empty):
    events(empty)

    clips = prepared(empty, "events", "events/events.csv", "--item", "item", "--dataset", "clips")
    frames = prepared(
        empty, "events", "events/events.csv", "--item", "item", "--task-type", "frame_classification", "--dataset", "frames"
    )

    assert "12 clips of 6" in clips
    assert "6 clips of 6" in frames


def test_events_are_mixed_into_backgrounds(empty):
    events(empty)

    words = ("--set", "mixture_duration_s=2", "--set", "mixture_min_gap_s=0.1", "--workers", "1")
    ended = empty.python("-m", "augmentation", "mix", "events", "backgrounds", "mixed", *words)

    assert ended.returncode == 0, ended.stderr
    assert set(pd.read_csv(empty.folder / "mixed" / "annotation.csv")["label"]) == {"low", "high", "background"}
    assert "6 items" in prepared(empty, "events", "mixed/annotation.csv", "--item", "item", "--dataset", "mixed")
    assert "nowhere" in empty.mistake("-m", "augmentation", "mix", "nowhere", "backgrounds", "other")


def names(study, pattern, folder="corpus"):
    """Copy the recordings to names in the layout of a published corpus."""
    for number, path in enumerate(sorted((study.folder / "audio").rglob("*.wav"))):
        speaker, take = (int(part.lstrip("s")) for part in path.stem.split("_"))
        target = study.folder / folder / pattern(path.parent.name == "high", speaker, take, number)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


LAYOUTS = {
    "fsdd": lambda high, speaker, take, _: f"recordings/{int(high)}_jack{speaker}_{take}.wav",
    "ravdess": lambda high, speaker, take, _: (
        f"Actor_{speaker + 1:02}/03-01-{3 + 2 * high:02}-01-{1 + take // 2:02}-{1 + take % 2:02}-{speaker + 1:02}.wav"
    ),
    "emodb": lambda high, speaker, take, _: (
        f"wav/{('03', '08', '09', '10', '11', '12')[speaker]}a01{'FW'[high]}{'abcd'[take]}.wav"
    ),
    "crema_d": lambda high, speaker, take, _: (
        f"AudioWAV/{1001 + speaker}_{['IEO', 'TIE', 'IOM', 'IWW'][take]}_{['HAP', 'SAD'][high]}_XX.wav"
    ),
    "audiomnist": lambda high, speaker, take, _: f"data/{speaker + 1:02}/{int(high)}_{speaker + 1:02}_{take}.wav",
    "speech_commands": lambda high, speaker, take, _: f"{['no', 'yes'][high]}/{speaker:08x}_nohash_{take}.wav",
}


@pytest.mark.parametrize("reader", sorted(LAYOUTS))
def test_a_published_corpus_is_read_in_its_layout(empty, reader):
    empty.recordings()
    names(empty, LAYOUTS[reader])
    if reader == "speech_commands":
        for side, speaker in {"validation": 0, "testing": 1}.items():
            listed = [
                f"{word}/{speaker:08x}_nohash_{take}.wav" for word, take in (("no", 0), ("yes", 1), ("no", 2), ("yes", 3))
            ]
            empty.file(f"corpus/{side}_list.txt", "\n".join(listed))

    ended = empty.prepare(reader, "corpus", "--dataset", "small")

    assert ended.returncode == 0, ended.stderr
    assert re.search(r"24 clips of 6 (speakers|actors|items)", ended.stdout), ended.stdout
    assert "2 classes" in ended.stdout


def test_the_demo_corpus_is_generated(empty):
    said = prepared(empty, "demo", "--n-speakers", "2", sample_rate_hz=16000)

    assert "2 speakers" in said
    assert "6 classes (had, head, heed, hid, hod, hood)" in said
    again = prepared(empty, "demo", "--n-speakers", "2", sample_rate_hz=16000)
    assert re.search("Features .*", said)[0] == re.search("Features .*", again)[0]


@pytest.mark.parametrize(
    "features",
    [
        {"features": "mfcc+chroma+f0+energy", "n_mfcc": 4, "f0_min_hz": 200, "n_fft": 128},
        {"features": "waveform"},
        {"features": "stft", "scale": "linear", "feature_deltas": 1},
        {"example_length_s": 0.1, "example_overlap": 0.5},
        {"stretch_frames": 20, "trim_db": 30},
        {"features": "embedding", "embedding_model": "duration_level"},
    ],
    ids=lambda features: "_".join(map(str, features.values())),
)
def test_kinds_of_features_are_stored(empty, features):
    empty.recordings()

    said = prepared(empty, "table", "audio/clips.csv", "--dataset", "small", **features)

    n_examples = int(re.search(r"Features +(\d+) examples?", said)[1])
    assert (n_examples > 24) == ("example_length_s" in features)


def test_check_reports_what_is_wrong_before_training(empty):
    table = empty.recordings()
    shutil.copy(empty.folder / "audio" / table["path"][0], empty.folder / "audio" / table["path"][4])  # of another speaker

    ended = empty.python("-m", "preprocessing", "table", "--check", "audio/clips.csv")

    assert ended.returncode == 2  # it is refused
    assert "identical" in ended.stdout
    assert list((empty.folder / "data").rglob("quality.html"))


def test_show_draws_a_clip(empty):
    empty.recordings()

    ended = empty.python("-m", "preprocessing", "show", "audio/low/s0_0.wav", "--set", "n_mels=20")

    assert ended.returncode == 0, ended.stderr
    assert (empty.folder / "data" / "pictures" / "s0_0.png").stat().st_size > 1000
    missing = empty.python("-m", "preprocessing", "show", "audio/low/none.wav")
    assert missing.returncode == 1
    assert "none.wav" in missing.stderr


def test_rename_keeps_results_and_corpus_together(copied):
    ended = copied.python("-m", "preprocessing", "rename", "small", "ravens")

    assert ended.returncode == 0
    assert (copied.folder / "data" / "ravens").exists()
    assert copied.xval("audit", copied.EXPERIMENT).returncode == 0
    assert "Available: ravens" in copied.mistake("-m", "preprocessing", "rename", "swans", "geese")


def test_encoders_are_listed(empty):
    ended = empty.python("-m", "preprocessing", "encoders")

    assert ended.returncode == 0
    assert "wav2vec2-base" in ended.stdout
    assert empty.python("-m", "preprocessing", "encoders", "wav2vec2-base").returncode == 0


def test_convert_writes_wav_files(empty):
    empty.recordings()

    ended = empty.python("-m", "preprocessing", "convert", "audio", "copies", "--sample-rate", "2000", "--workers", "1")

    assert ended.returncode == 0, ended.stderr
    assert soundfile.info(empty.folder / "copies" / "low" / "s0_0.wav").samplerate == 2000
    assert len(list((empty.folder / "copies").rglob("*.wav"))) == 24


def test_augmentation_makes_copies_that_train_and_are_never_tested(empty):
    empty.recordings()
    words = ("-m", "augmentation", "audio", "more", "1", "--workers", "1")

    ended = empty.python(*words)

    assert ended.returncode == 0, ended.stderr
    listed = pd.read_csv(empty.folder / "more" / "augmented.csv")
    assert len(listed) == 24
    assert len(list((empty.folder / "more").rglob("*.wav"))) == 48
    hashes = {path: path.read_bytes() for path in (empty.folder / "more").rglob("*.wav")}
    assert empty.python(*words).returncode == 0  # nothing to do
    assert hashes == {path: path.read_bytes() for path in (empty.folder / "more").rglob("*.wav")}
    prepared(empty, "folders", "more", "--item-pattern", "(s[0-9])_", "--dataset", "small")
    assert corpus(empty, "small")["augmented"].sum() == 24


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("audio", "more", "x"), "whole number"),
        (("nowhere", "more", "1"), "nowhere"),
        (("audio",), "OUTPUT"),
        (("audio", "more", "1", "--set", "gain_probabilty=1"), "'gain_probability'"),
        (("audio", "more", "1", "--set", "gain_probability=2"), "gain_probability=2"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_mistake_in_augmentation_is_named(empty, words, named):
    empty.recordings()

    assert named in empty.mistake("-m", "augmentation", *words)


def test_prepare_takes_a_table_as_a_dataframe(empty):
    empty.recordings()

    ended = empty.python(
        "-c",
        "import pandas, preprocessing; table = pandas.read_csv('audio/clips.csv'); table['path'] = 'audio/' + table['path']\n"
        "small = {'sample_rate_hz': 4000, 'n_fft': 256, 'win_length': 64, 'n_mels': 8}\n"
        "print(preprocessing.prepare(table, dataset='small', settings=small))",
    )

    assert ended.returncode == 0, ended.stderr
    assert len(corpus(empty, "small")) == 24


def test_prepare_takes_arrays_with_speakers(empty):
    ended = empty.python(
        "-c",
        "import numpy, preprocessing; rng = numpy.random.default_rng(0);"
        "preprocessing.prepare(rng.normal(size=(24, 5)), ['a', 'b'] * 12, [f's{k % 6}' for k in range(24)], dataset='small')",
    )

    assert ended.returncode == 0, ended.stderr
    assert corpus(empty, "small").groupby("item").size().tolist() == [4] * 6


def test_prepare_refuses_arrays_of_unequal_length(empty):
    ended = empty.python(
        "-c",
        "import numpy, preprocessing, xval\n"
        "try:\n    preprocessing.prepare(numpy.zeros((24, 5)), ['a', 'b'] * 11, ['s'] * 24, dataset='small')\n"
        "except xval.XvalError as error:\n    print('refused', error)",
    )

    assert ended.stdout.startswith("refused"), ended.stdout + ended.stderr
    assert "22" in ended.stdout


def test_store_takes_vectors_spectrograms_and_frames(empty):
    ended = empty.python(
        "-c",
        "import numpy; from preprocessing.store import write; rng = numpy.random.default_rng(0)\n"
        "who = [f's{k}' for k in range(6)]\n"
        "write('vectors', {s: rng.normal(size=(4, 5)) for s in who}, {s: [0, 1, 0, 1] for s in who})\n"
        "write('spectra', {s: rng.normal(size=(4, 9, 5)) for s in who}, {s: ['a', 'b'] * 2 for s in who})\n"
        "write('frames', {s: [rng.normal(size=(9, 20))] for s in who}, {s: [['background', 'c', 'c'] * 3] for s in who},\n"
        "      task_type='frame_classification', frame_s=0.01)\n",
    )

    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in (empty.folder / "data").iterdir()} == {"vectors", "spectra", "frames"}


def test_a_reader_of_a_study_is_a_command(empty, study_in):
    assert empty.xval("new", "mine").returncode == 0
    empty.recordings("mine/audio")
    for path in (empty.folder / "mine" / "audio").rglob("*.wav"):
        path.rename(path.with_name(f"{path.parent.name}_{path.name}"))
    shutil.copytree(empty.folder / "mine" / "audio" / "low", empty.folder / "mine" / "words")
    shutil.copytree(empty.folder / "mine" / "audio" / "high", empty.folder / "mine" / "words", dirs_exist_ok=True)
    reader = (empty.folder / "mine" / "corpora" / "own_words.py").read_text()
    inside = study_in(empty.folder / "mine")

    ended = inside.prepare("own_words", "words", "--dataset", "small")

    assert "def list_clips" in reader
    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 6" in ended.stdout


def test_a_recording_without_an_event_is_one_of_silence(empty):
    """A network has to hear what is none of its classes; its row in the table has no times."""
    empty.recordings("audio", labels=("one",), n_speakers=4)
    lines = [f"one/s{speaker}_{take}.wav,0.05,0.1,call,s{speaker}" for speaker in range(4) for take in range(3)]
    lines += [f"one/s{speaker}_3.wav,,,,s{speaker}" for speaker in range(4)]
    empty.file("audio/events.csv", "\n".join(["path,start_s,end_s,label,item", *lines, ""]))

    ended = empty.prepare("events", "audio/events.csv", "--task-type", "frame_classification", "--item", "item")

    assert ended.returncode == 0, ended.stderr
    assert "16 clips of 4 items" in ended.stdout


def test_folders_of_a_known_corpus_are_named(empty):
    for actor in (1, 2, 3):
        for emotion in (3, 5):
            for take in (1, 2):
                path = empty.folder / f"audio/Actor_{actor:02}/03-01-0{emotion}-01-01-0{take}-{actor:02}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, np.random.default_rng(actor).normal(scale=0.1, size=2000), 4000)

    said = empty.prepare("folders", "audio", "--dataset", "actors")

    assert said.returncode == 0, said.stderr
    assert "xval prepare ravdess audio" in " ".join(said.stdout.split())
