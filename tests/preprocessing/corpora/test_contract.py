"""What every file of corpora/ must keep, so that the command line can offer it; and the look-up itself."""

import importlib
import inspect
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from preprocessing import corpora
from preprocessing.corpora import corpus_names, find_corpus, summarise_corpus
from xval.base.errors import CorpusError, SettingsError


@pytest.mark.parametrize("name", corpus_names())
def test_a_corpus_explains_itself_and_its_options(name: str) -> None:
    reader = find_corpus(name)
    assert reader.name == name
    assert "Layout:" in reader.description
    assert reader.description.startswith(summarise_corpus(name))
    assert reader.audio_folder_help
    assert reader.usage.startswith(f"xval prepare {name}")
    for option in reader.options:
        assert option.help, option.name
        if not option.is_required:
            assert option.parse(str(option.default)) == option.default


@pytest.mark.parametrize("name", corpus_names())
def test_a_corpus_takes_the_audio_folder_and_then_only_options(name: str) -> None:
    first, *others = inspect.signature(find_corpus(name).list_clips).parameters.values()
    assert first.name == "audio_folder"
    assert first.annotation == (Path | Sequence[Path] if find_corpus(name).takes_several_folders else Path)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)


@pytest.mark.parametrize("name", corpus_names())
def test_what_is_not_downloaded_says_in_one_line_where_it_is(name: str) -> None:
    reader = find_corpus(name)
    if reader.may_download:
        assert all(archive.url.startswith("https://") for archive in reader.downloads)
        return
    where = {
        "audiomnist": r"github\.com/soerenab/AudioMNIST",
        "crema_d": r"github\.com/CheyneyComputerScience/CREMA-D",
        "iemocap": r"sail\.usc\.edu/iemocap/",
        "voxceleb": r"www\.robots\.ox\.ac\.uk/~vgg/data/voxceleb/",
    }
    if name in where:
        message = rf"^--download: {name} cannot be downloaded automatically. Download it yourself: https://{where[name]}$"
    else:
        message = rf"^--download: {name} has no archive to download\. Remove --download\.$"
    with pytest.raises(CorpusError, match=message):
        _ = reader.downloads


def test_a_reader_of_one_corpus_knows_its_names_and_one_of_any_corpus_has_none() -> None:
    unnamed = {name for name in corpus_names() if not find_corpus(name).known_as}
    assert unnamed == {"audformat", "bats", "events", "folders", "huggingface", "table"}


@pytest.mark.parametrize("name", [name for name in corpus_names() if find_corpus(name).has_recordings])
def test_whole_recordings_are_listed_with_the_options_of_clips(name: str) -> None:
    module = importlib.import_module(f"preprocessing.corpora.{name}")
    clips, recordings = (inspect.signature(each).parameters for each in (module.list_clips, module.list_recordings))
    assert list(clips.values()) == list(recordings.values())


def test_an_unknown_corpus_gets_a_suggestion() -> None:
    with pytest.raises(CorpusError, match=r"Unknown corpus 'fsd'\. Available: .*fsdd.*Did you mean 'fsdd'\?"):
        find_corpus("fsd")


def test_options_get_their_types() -> None:
    options = {option.name: option for option in find_corpus("demo").options}
    assert options["n_speakers"].parse("3") == 3
    assert options["item"].parse("clip") == "clip"
    with pytest.raises(SettingsError, match=r"--n-speakers many: expected a number \(int\)"):
        options["n_speakers"].parse("many")
    with pytest.raises(SettingsError, match=r"--item speakr: unknown value.*Did you mean 'speaker'"):
        options["item"].parse("speakr")


@pytest.fixture
def own_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Let a test put a file beside those of corpora/."""

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    monkeypatch.setattr(corpora, "__path__", [*corpora.__path__, str(tmp_path)])
    return write


def test_a_new_file_is_a_new_corpus(own_corpus) -> None:
    name = own_corpus(
        "birds",
        '"""Birds."""\n'
        "from pathlib import Path\n"
        "def list_clips(audio_folder: Path, *, site: str, night: bool = False, gain: float = 1.0):\n"
        '    """List.\n\n    Args:\n        audio_folder: Where.\n        site: Which site,\n            by its code.\n'
        '        night: Whether at night.\n    """\n',
    )
    assert name in corpus_names()
    reader = find_corpus(name)
    site, night, gain = reader.options
    assert (site.is_required, site.kind, site.help) == (True, str, "Which site, by its code.")
    assert (night.parse("TRUE"), night.parse("false"), gain.parse("0.5")) == (True, False, 0.5)
    assert reader.default_dataset(site="x", night=False, gain=1.0) == "birds"
    assert reader.usage == "xval prepare birds AUDIO_FOLDER SITE"
    assert not reader.has_default_audio_folder
    with pytest.raises(SettingsError, match="--night yes: expected true or false"):
        night.parse("yes")


@pytest.mark.parametrize(
    ("declared", "task_types"),
    [
        ("", ["classification", "classification"]),
        ("NUMBERS = ('age', 'height')", ["regression", "classification"]),
        (
            "def task_type(*, label):\n    return 'regression' if label == 'name' else 'classification'",
            ["classification", "regression"],
        ),
    ],
)
def test_a_corpus_says_which_labels_are_numbers(own_corpus, declared: str, task_types: list[str]) -> None:
    name = own_corpus(
        f"people_{len(declared)}",
        f'"""People."""\nfrom pathlib import Path\n{declared}\n'
        'def list_clips(audio_folder: Path, *, label: str = "age"):\n    "List."\n',
    )
    assert [find_corpus(name).task_type(label=label) for label in ("age, height", "name")] == task_types


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("no_function", "", "has no 'list_clips'"),
        ("positional", "def list_clips(audio_folder, site): ...", r"options after a '\*'"),
        ("untyped", "def list_clips(audio_folder, *, site): ...", "argument 'site'.* expected int, float"),
        ("listed", "def list_clips(audio_folder, *, sites: list[str]): ...", "argument 'sites'"),
    ],
)
def test_a_file_that_breaks_the_contract_is_named(own_corpus, name: str, text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=f"{name}.py.*{message}"):
        find_corpus(own_corpus(name, text))


NAMED_LIKE = {
    "audiomnist": "data/01/7_01_32.wav",
    "crema_d": "AudioWAV/1001_DFA_ANG_XX.wav",
    "emodb": "wav/03a01Fa.wav",
    "esc10": "audio/1-100032-A-0.wav",
    "esc50": "audio/1-100032-A-0.wav",
    "fsdd": "7_jackson_32.wav",
    "iemocap": "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    "ravdess": "Actor_16/03-01-05-02-01-02-16.wav",
    "speech_commands": "right/a69b9b3e_nohash_0.wav",
    "urbansound8k": "audio/fold5/100032-3-0-0.wav",
}
"""Of the corpora whose files have names of one form: the example in their errors."""
LABELS = {
    "iemocap": {"Session1/dialog/EmoEvaluation/Ses01F_impro01.txt": "[6 - 8]\tSes01F_impro01_F000\tneu\t[2.5, 2.0, 3.5]\n"},
    "speech_commands": {"validation_list.txt": "", "testing_list.txt": ""},
}
"""Texts without which audio is not listed."""


@pytest.fixture
def release(tmp_path: Path, lay_out):
    """Return a function that writes the example of a corpus, and its texts, in a folder of the temporary one."""

    def write(name: str) -> Path:
        folder = lay_out(tmp_path / "release", NAMED_LIKE[name], *LABELS.get(name, {}))
        for path, text in LABELS.get(name, {}).items():
            (folder / path).write_text(text)
        return folder

    return write


@pytest.mark.parametrize("name", NAMED_LIKE)
def test_a_folder_of_other_files_is_refused_with_what_was_expected_and_found(
    tmp_path: Path, lay_out, release, name: str
) -> None:
    list_clips = find_corpus(name).list_clips
    expected = f".*{re.escape(NAMED_LIKE[name])}"
    with pytest.raises(CorpusError, match=f"There is no folder .*gone{expected}"):
        list_clips(tmp_path / "gone")
    with pytest.raises(CorpusError, match=rf"has no {expected}.* Found: nothing"):
        list_clips(tmp_path)
    with pytest.raises(CorpusError, match=rf"has no {expected}.* Found: a\.mp3, b\.mp3, c\.mp3, \.\.\. \(4 in all\)"):
        list_clips(lay_out(tmp_path / "others", "a.mp3", "b.mp3", "c.mp3", "d.mp3"))
    mine = str(Path(NAMED_LIKE[name]).with_name("mine.wav"))
    with pytest.raises(CorpusError, match=rf"has 1 .*not named like {expected}.*: {mine}"):
        list_clips(lay_out(release(name), mine))


@pytest.mark.parametrize("name", sorted(set(NAMED_LIKE) - {"fsdd"}))
def test_an_unpacked_archive_is_read_from_above(tmp_path: Path, release, name: str) -> None:
    clips = find_corpus(name).list_clips(release(name))
    above = find_corpus(name).list_clips(tmp_path)
    assert clips["path"].tolist() == [NAMED_LIKE[name]]
    pd.testing.assert_frame_equal(above, clips.assign(path="release/" + clips["path"]))
