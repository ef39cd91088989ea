"""The command line: what it makes, what it says, and how it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.clips.corrections import FILE_NAME, WRONG, LabelVerdict, VerdictFile
from preprocessing.commands.command_line import read_settings
from preprocessing.corpus import open_corpus
from preprocessing.store.make import store_folder
from xval.base.errors import SettingsError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table() -> Path:
    """A table of five clips, one of which is no audio, beside its audio."""
    folder = Path("tones")
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["path,item,label,phase"]
    for number in range(4):
        soundfile.write(folder / f"{number}.wav", rng.normal(0, 0.1, 8000), 16000)
        lines.append(f"{number}.wav,../../s{number % 2},{number},{['train', 'test'][number % 2]}")
    (folder / "text.wav").write_text("no audio")
    (folder / "clips.csv").write_text("\n".join([*lines, "text.wav,s9,7,train"]))
    return folder / "clips.csv"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must end with exit code 2 and one message; return the message."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    return captured.err


def test_a_table_becomes_a_store_and_the_rest_is_reported(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", str(table), "--workers", "1", "--set", "n_mels=20"]) == 0
    text = said(capsys)
    assert "clips: 4 clips of 2 items (../../s0, ../../s1), 4 classes (0, 1, 2, 3)" in text
    assert "2.0 s" in text
    assert "Skipped    1 clip without usable audio; reasons: data/clips/left_out.csv" in text
    assert "Lost       1 item without a usable clip: s9" in text
    assert "Lost       1 class without a usable clip: 7" in text
    assert "4 examples of 51 x 20" in text
    assert "Problem    no experiment can use this yet: the dataset has 2 items" in text
    assert "Next" not in text
    assert "Reading audio: 5 of 5 clips" in text

    corpus = open_corpus("clips", Path("data"))
    assert corpus.index["phase"].tolist() == ["training", "training", "test", "test"]
    assert (store_folder(corpus, read_settings(["n_mels=20"])) / "store.json").is_file()
    assert sorted(path.name for path in Path().iterdir()) == ["data", "tones"]


def test_names_and_folders_can_be_chosen(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = table.rename("moved.csv")
    arguments = ["table", str(moved), "--audio-folder", "tones", "--dataset", "own", "--data-folder", "corpora"]
    assert main([*arguments, "--task-type", "regression", "--set", "features=mfcc"]) == 0
    assert "targets from 0 to 3" in said(capsys)
    corpus = open_corpus("own", Path("corpora"))
    assert corpus.task_type == "regression"
    assert corpus.index["label"].dtype == "float64"


def test_the_general_help_names_every_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"]):
        with pytest.raises(SystemExit, match="0"):
            main(arguments)
        assert "Free Spoken Digit Dataset: English digits" in said(capsys)


@pytest.mark.parametrize(
    ("corpus", "words"),
    [
        ("demo", ["--item speaker|clip", "--n-speakers", "(default: 12)", "source-filter"]),
        ("fsdd", ["AUDIO_FOLDER", "CC BY-SA"]),
        ("table", ["TABLE", "--audio-folder", "--task-type", "start_s"]),
    ],
)
def test_the_help_of_a_corpus_has_its_options_and_its_source(
    corpus: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([corpus, "--help"])
    text = said(capsys)
    for word in [*words, "--dataset", "--data-folder", "--set", "--workers"]:
        assert word in text


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom preprocessing.__main__ import main\n"
        "for arguments in (['--help'], ['demo', '--help']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit: pass\n"
        "heavy = {'pandas', 'scipy', 'librosa', 'soundfile', 'numpy', 'keras', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fsd", "folder"], r"Unknown corpus 'fsd'.*Did you mean 'fsdd'"),
        (["--dataset", "x"], "The first argument must be the name of a corpus; received --dataset"),
        (["fsdd"], "The following arguments are required: AUDIO_FOLDER"),
        (["fsdd", "gone"], "There is no folder gone"),
        (["fsdd", "a", "b"], "Unexpected 'b'"),
        (["demo", "--n-speaker", "3"], "Unknown option --n-speaker. .*Did you mean '--n-speakers'"),
        (["demo", "--datset=x"], "Unknown option --datset=x. .*Did you mean '--dataset'"),
        (["demo", "--n-speakers", "few"], "--n-speakers few: expected a number"),
        (["demo", "--n-speakers"], "expected one argument"),
        (["demo", "--item", "speakers"], "--item speakers: unknown value.*Did you mean 'speaker'"),
        (["demo", "--workers", "0"], "--workers 0: expected a whole number from 1"),
        (["demo", "--dataset", "../x"], "Dataset name '../x'"),
        (["demo", "--dataset", ""], "Dataset name ''"),
        (["demo", "--set", "n_mels"], "--set n_mels: expected KEY=VALUE"),
        (["demo", "--set", "n_mel=3"], "--set n_mel: unknown setting.*Did you mean 'n_mels'"),
        (["demo", "--set", "n_mels=many"], "--set n_mels=many: Input should be a valid integer."),
        (["demo", "--set", "features=logmell"], "--set features=logmell: .*Did you mean 'logmel'"),
        (["demo", "--set", "win_length=5000"], "--set win_length=5000: win_length=5000 is longer than n_fft=1024"),
        (["demo", "--set", "window=hannn"], "hannn"),
        (["table", "gone.csv"], "gone.csv cannot be read: No such file"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_leaves_nothing(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = refused(capsys, *arguments)
    assert re.search(message, text)
    assert not list(tmp_path.iterdir())


def test_a_corpus_without_a_usable_clip_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("digits").mkdir()
    Path("digits/3_jane_0.wav").write_text("no audio")
    assert "None of the 1 clip of fsdd" in refused(capsys, "fsdd", "digits")


def test_settings_are_those_of_config_ini_with_overrides() -> None:
    assert read_settings([]).n_mels == 64
    changed = read_settings(["n_mels=32", "top_db=none", "db_reference=max"])
    assert (changed.n_mels, changed.top_db, changed.db_reference) == (32, None, "max")
    with pytest.raises(SettingsError, match=r"(?s)--set hop_length=x: .*\n--set n_mels=0: "):
        read_settings(["n_mels=0", "hop_length=x"])


def write_table(rows: list[str], header: str = "path,item,label") -> None:
    Path("words").mkdir(exist_ok=True)
    for row in rows:
        name = row.split(",")[0]
        soundfile.write(Path("words") / name, np.random.default_rng([*map(ord, name)]).normal(0, 0.1, 4000), 8000)
    (Path("words") / "words.csv").write_text("\n".join([header, *rows]))


def test_what_spoils_an_experiment_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abc" for number in (0, 1)])
    assert main(["table", "words/words.csv", "--set", "example_length_s=0.5", "--set", "sample_rate_hz=8000"]) == 0
    text = said(capsys)
    assert "Warning    example_length_s=0.5 is not shorter than any clip (the longest has 0.5 s)" in text
    assert text.count("Warning") == 1

    write_table([f"{item}{number}.wav,{item}{number},{number}" for item in "abc" for number in (0, 1)])
    Path("words/b0.wav").write_bytes(Path("words/a0.wav").read_bytes())
    assert main(["table", "words/words.csv"]) == 0
    text = said(capsys)
    assert "Warning    each of the 6 items has one clip, which is a random split: if one speaker" in text
    assert "Warning    2 clips have identical audio under several items" in text
    assert "Problem    no experiment can use this yet: identical audio on two sides of fold" in text
    assert "Next" not in text


def test_copies_under_other_items_and_other_labels_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("a0", "a1", "b0", "b1", "c0", "c1")
    write_table([f"{name}.wav,{name[0]},{'xy'[number % 2]}" for number, name in enumerate(names)])
    soundfile.write("words/c1.wav", 0.5 * soundfile.read("words/a1.wav")[0], 8000)
    Path("words/b1.wav").write_bytes(Path("words/b0.wav").read_bytes())
    assert main(["table", "words/words.csv", "--set", "sample_rate_hz=8000"]) == 0
    text = said(capsys)
    assert "1 pair of clips of different items have nearly the same audio, such as a1.wav" in text
    assert "2 clips have the same audio as another clip with another label" in text
    assert text.count("Warning") == 2


@pytest.mark.usefixtures("scripts")
def test_what_experiments_need_is_said_and_part_of_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abc" for number in (0, 1)])
    assert main(["table", "words/words.csv"]) == 0
    text = said(capsys)
    need = (
        "Note       experiments with the folds of config.ini need --set num_folds=3, because num_folds=5 is more than the 3 "
        "items"
    )
    assert need in text
    assert "Next       python experiments/exp1.py --set dataset=words --set num_folds=3\n" in text
    assert main(["table", "--check", "words/words.csv", "--headers-only"]) == 0
    assert need in said(capsys)


def test_where_there_is_no_study_the_next_command_makes_one(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    assert main(["table", "words/words.csv"]) == 0
    assert "Next       xval new my_study\n" in said(capsys)


@pytest.fixture
def scripts() -> None:
    """The scripts of the project in the current folder, as in a clone."""
    Path("experiments").symlink_to(Path(__file__).parents[2] / "experiments")


@pytest.mark.usefixtures("scripts")
def test_the_next_command_of_a_regression_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    assert main(["table", "words/words.csv", "--task-type", "regression", "--dataset", "heights"]) == 0
    assert "Next       python experiments/exp1.py --set dataset=heights --set task_type=regression\n" in said(capsys)


@pytest.mark.usefixtures("scripts")
@pytest.mark.parametrize(
    ("dataset", "script"),
    [
        ("voxceleb", "voxceleb.py 3 3 0 --set features=waveform --set fold_strategy=balanced"),
        ("mine", "exp1.py --set dataset=mine --set features=waveform"),
    ],
)
def test_the_next_command_is_the_experiment_of_the_corpus_with_the_features_that_were_made(
    dataset: str, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    assert main(["table", "words/words.csv", "--dataset", dataset, "--set", "features=waveform"]) == 0
    assert f"Next       python experiments/{script}\n" in said(capsys)


@pytest.mark.usefixtures("scripts")
def test_the_next_command_of_a_corrected_corpus_is_the_experiment_of_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    assert main(["table", "words/words.csv", "--dataset", "voxceleb"]) == 0
    path = Path("data/voxceleb") / FILE_NAME
    VerdictFile(path).add(LabelVerdict("a0.wav", WRONG, "0", "1", "ann", "2026-01-02T03:04:05+01:00", "", "0" * 32))
    assert main(["table", "words/words.csv", "--dataset", "mine", "--corrections", str(path)]) == 0
    assert "Next       python experiments/voxceleb.py 3 3 0 --set dataset=mine --set fold_strategy=balanced\n" in said(capsys)


def test_the_next_command_names_the_script_of_a_study_as_it_is_called_from_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    Path("experiments").mkdir()
    for name in ("config.ini", "experiments/first.py"):
        Path(name).touch()
    monkeypatch.chdir("words")
    assert main(["table", "words.csv"]) == 0
    assert "Next       python ../experiments/first.py --set dataset=words\n" in said(capsys)


def test_a_corpus_gets_another_name(capsys: pytest.CaptureFixture[str]) -> None:
    write_table([f"{item}{number}.wav,{item},{number}" for item in "abcde" for number in (0, 1)])
    assert main(["table", "words/words.csv"]) == 0
    Path("results/words").mkdir(parents=True)
    said(capsys)
    assert main(["rename", "words", "terms"]) == 0
    text = said(capsys)
    assert "Renamed    words to terms: data/terms" in text
    assert "Results    stay in results/words; they find the dataset by its old name" in text
    assert open_corpus("words", Path("data")).folder == Path("data/terms")
    assert "already has this name" in refused(capsys, "rename", "terms", "terms")
    assert "There is no dataset 'wrods'" in refused(capsys, "rename", "wrods", "other")
