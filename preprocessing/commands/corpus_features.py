"""From a chosen corpus to its feature store: its clips are listed and read, and what became of them is printed."""

import ast
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from rich.console import Console

from preprocessing.annotations.agreement import disagreement_table, write_disagreement
from preprocessing.annotations.annotation_settings import read_frame_settings
from preprocessing.clips.corrections import read_corrections
from preprocessing.clips.listing import first_names
from preprocessing.clips.near_pairs import MOST_COMPARED
from preprocessing.commands.command_line import CorpusChoice, read_settings
from preprocessing.console import progress_bar
from preprocessing.corpora import CorpusReader
from preprocessing.corpora._download import download
from preprocessing.corpus import Corpus, make_corpus
from preprocessing.corpus_folder import corpus_folder
from preprocessing.embeddings.embedder import identify
from preprocessing.features.extract import check_settings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.quality.cautions import describe_shared, find_cautions, find_preparing_cautions, in_python, shared_columns
from preprocessing.quality.foldable import given_folds, judge_folds
from preprocessing.quality.near_duplicates import write_across_items
from preprocessing.store import FeatureStore
from preprocessing.store.make import make_store
from xval.base.config_file import experiments_folder
from xval.base.errors import SettingsError, counted
from xval.base.item_word import ITEM, call_items
from xval.base.operating_system import quote
from xval.folds.random_split import describe_random_split

_first = partial(first_names, most=10)


def make_features(
    chosen: CorpusChoice,
    overrides: Sequence[str],
    console: Console,
    *,
    download_first: bool,
    n_processes: int,
    says_next: bool = True,
) -> FeatureStore:
    """Fetch, list, read, extract, report: what the command line, or `preprocessing.prepare`, asks for.

    Args:
        chosen: Which corpus, and where it is.
        overrides: Feature settings over config.ini, as ``KEY=VALUE``.
        console: Where to print.
        download_first: Fetch the corpus into its audio folder.
        n_processes: Processes that read audio.
        says_next: Print which command continues; without it, advice names parameters of Python functions.
    """
    overrides = chosen.feature_overrides(overrides)
    settings = read_settings(overrides)
    frames = read_frame_settings() if chosen.task_type == "frame_classification" else None
    corpus_folder(chosen.dataset, chosen.data_folder)
    check_settings(settings)
    if settings.features == "embedding":
        identify(settings)
    if download_first:
        download(chosen.reader.downloads, chosen.audio_folder, console)
    corpus, left_out = _write_index(chosen, console, n_processes)
    with progress_bar(console, "Extracting features") as progress:
        store, left_out_later = make_store(corpus, settings, n_processes=n_processes, progress=progress)
    _report(console, corpus, store, left_out, left_out_later)
    with progress_bar(console, "Reading for near-duplicates") as progress:
        compared = write_across_items(corpus, n_processes=n_processes, progress=progress)
    if compared is None:
        console.print(
            f"Note       more than {MOST_COMPARED} clips: only xval prepare {corpus.corpus} ... --check looks for "
            "near-duplicates"
        )
    folds = judge_folds(corpus.index, corpus.task_type)
    if folds.note:
        note = call_items(folds.note, _item_word(corpus))
        console.print(f"Note       {note if says_next else in_python(note)}")
    given = given_folds(corpus.index, corpus.task_type)
    if given.note:
        console.print(f"Note       {given.note if says_next else in_python(given.note)}")
    trained = _settings_of_experiment(corpus, settings, overrides)
    for warning in [*_warnings(corpus, trained, chosen.reader), *find_cautions(corpus, trained, frames)]:
        said = call_items(warning, _item_word(corpus))
        console.print(f"Warning    {said if says_next else in_python(said)}")
    if folds.refusal:
        console.print(f"Problem    no experiment can use this yet: {folds.refusal}", style="bold red")
    elif says_next:
        console.print(f"Next       {_next_command(corpus, overrides, given.settings or folds.settings, chosen.reader.advised)}")
    return store


def _write_index(chosen: CorpusChoice, console: Console, n_processes: int) -> tuple[Corpus, pd.DataFrame]:
    """List the clips of a corpus and read them; return it, and the clips that were skipped."""
    corrections = None if chosen.corrections is None else read_corrections(chosen.corrections)
    console.print(f"Listing the clips of {chosen.reader.name} in {chosen.place}")
    annotations = None
    if chosen.task_type == "frame_classification":
        clips, annotations = chosen.list_recordings()
    else:
        clips = chosen.list_clips()
    if clips.attrs.get("note"):
        console.print(f"Note       {clips.attrs['note']}")
    with progress_bar(console, "Reading audio") as progress:
        corpus, left_out = make_corpus(
            clips,
            chosen.audio_folder,
            dataset=chosen.dataset,
            data_folder=chosen.data_folder,
            corpus=chosen.reader.name,
            task_type=chosen.task_type,
            annotations=annotations,
            corrections=corrections,
            n_processes=n_processes,
            progress=progress,
        )
    if annotations is not None and annotations["annotator"].nunique() > 1:
        _report_disagreement(console, corpus, annotations)
    return corpus, left_out


def _item_word(corpus: Corpus) -> str:
    """Return what an item is, but for clips: "42 clips of 42 clips" would say nothing."""
    return ITEM if corpus.item_name in ("", "clip") else corpus.item_name


def _report(
    console: Console, corpus: Corpus, store: FeatureStore, left_out: pd.DataFrame, left_out_later: pd.DataFrame
) -> None:
    n_clips = len(corpus.index)
    if corpus.task_type == "representation":
        targets = "no targets"
    elif corpus.class_names:
        targets = f"{counted(len(corpus.class_names), 'class')} ({_first(corpus.class_names)})"
    else:
        ranges = {name: corpus.index[column] for name, column in corpus.target_columns.items()}
        spans = [f"{name} from {values.min():g} to {values.max():g}" for name, values in ranges.items()]
        targets = ", ".join(spans) if len(spans) > 1 else spans[0].replace("label", "targets", 1)
    items = sorted(set(corpus.index["item"]))
    amount = f"{counted(n_clips, 'clip')} of {counted(len(items), _item_word(corpus))}"
    console.print(f"Dataset    {corpus.dataset}: {amount} ({_first(items)}), {targets}")
    n_copies = int(corpus.index["augmented"].sum())
    if n_copies:
        console.print(
            f"Augmented  {n_copies} of these clips {'is an augmented copy' if n_copies == 1 else 'are augmented copies'}, used "
            "only for training"
        )
    if corpus.corrections:
        n_changed, n_left_out, n_disputed = (corpus.corrections[f"n_{what}"] for what in ("changed", "left_out", "disputed"))
        console.print(
            f"Corrected  {counted(n_changed, 'label')}; skipped {counted(n_left_out, 'bad recording')}; unchanged, because "
            f"reviewers disagree: {counted(n_disputed, 'clip')}"
        )
    console.print(f"Audio      {corpus.index['duration_s'].sum():.1f} s in {corpus.audio_folder}")
    for clips, folder in ((left_out, corpus.folder), (left_out_later, store.folder)):
        if len(clips):
            what = "" if corpus.corrections else " without usable audio"  # by reviewers, too
            console.print(f"Skipped    {counted(len(clips), 'clip')}{what}; reasons: {folder / 'left_out.csv'}")
    for noun, lost in (
        (_item_word(corpus), sorted(set(left_out["item"]) - set(items))),
        ("class", left_out.attrs["lost_classes"]),
    ):
        if lost:
            console.print(f"Lost       {counted(len(lost), noun)} without a usable clip: {_first(lost)}")
    shape = " x ".join(map(str, store.example_shape))
    console.print(f"Features   {counted(sum(store.counts.values()), 'example')} of {shape} in {store.folder}")
    if store.description.embedder is not None:
        console.print(f"Embedder   {store.description.embedder.describe()}")


def _report_disagreement(console: Console, corpus: Corpus, annotations: pd.DataFrame) -> None:
    """Write how far the annotators agree, and say so."""
    table = disagreement_table({str(path): rows for path, rows in annotations.groupby("path")})
    path = corpus.folder / "disagreement.csv"
    write_disagreement(path, table)
    agreed_s, disputed_s = table["agreed_s"].sum(), table["disputed_s"].sum()
    console.print(f"Annotators {agreed_s:.1f} s agreed, {disputed_s:.1f} s disputed (decided by annotation_policy); see {path}")


def _warnings(corpus: Corpus, settings: FeatureSettings, reader: CorpusReader) -> list[str]:
    """Return what an experiment on this corpus will refuse, and what its scores would hide."""
    items = corpus.index.loc[~corpus.index["augmented"], "item"]
    random_split = describe_random_split(items.value_counts().tolist(), _item_option(reader))
    columns = [describe_shared(column, corpus.item_name) for column in shared_columns(corpus)]
    return [*filter(None, [random_split]), *columns, *find_preparing_cautions(corpus, settings)]


def _item_option(reader: CorpusReader) -> str:
    """Return how a user of a reader says which clips belong together."""
    options = {option.name: option for option in reader.options}
    if "item_pattern" in options:
        return "--item-pattern, or a column item of a table"
    if "item" in options and not options["item"].choices:
        return "--item with a column"
    return "a column item of a table: xval prepare table"


def _next_command(corpus: Corpus, overrides: Sequence[str], folds: Sequence[str], advised: Sequence[str]) -> str:
    """Return the command that trains on a corpus, with these features: its own experiment where there is one here.

    Its own goes with a corpus of its task, and with its kind of features where it names one; the instances are those that its
    docstring begins with. Folds that the corpus brings along are those that are tested. What is advised for the corpus goes to
    a script that is not its own, where the features are those that its reader knows of.
    """
    experiments = experiments_folder()
    is_framewise = corpus.task_type == "frame_classification"  # whose kind of features is that of its experiments
    settings = [text for text in overrides if not (is_framewise and text.startswith("features="))]
    if own := _own_experiment(corpus, overrides):
        script, written, numbers = own
        is_predefined = written.get("fold_strategy") == "predefined"
        strategies = [setting for setting in folds if setting.startswith("fold_strategy=")]
        if is_predefined and not strategies:
            folds = ["fold_strategy=balanced", *folds]
        elif is_predefined and strategies == ["fold_strategy=predefined"]:
            folds = [setting for setting in folds if setting not in strategies]
        elif "fold_strategy" in written and not strategies:
            folds = []
        dataset = [] if script.stem == corpus.dataset else [f"dataset={corpus.dataset}"]
        return _with_settings(script, [*dataset, *settings, *folds], numbers)
    general = ["bats.py" if is_framewise else "exp1.py", "first.py"]  # of the project, of a study
    name = next((name for name in general if (experiments / name).is_file()), None)
    if name is None:
        return "xval new my_study"
    if name != "bats.py":
        further = [] if corpus.task_type == "classification" else [f"task_type={corpus.task_type}"]
        further += ["architecture=daf_autoencoder"] if corpus.task_type == "representation" else []
        settings = [*further, *(overrides or advised)]
    return _with_settings(experiments / name, [f"dataset={corpus.dataset}", *settings, *folds])


def _own_experiment(corpus: Corpus, overrides: Sequence[str]) -> tuple[Path, dict[str, object], str] | None:
    """Return the script of a corpus with what `_read_script` reads of it; None: there is none for its task and features."""
    own = experiments_folder() / f"{corpus.dataset}.py"
    if corpus.corrections and not own.is_file():  # that of the corpus that was reviewed
        own = experiments_folder() / f"{Path(corpus.corrections['file']).parent.name}.py"
    if not own.is_file():
        return None
    written, numbers = _read_script(own)
    features = dict(setting.partition("=")[::2] for setting in overrides).get("features")
    has_task = written.get("task_type", "classification") == corpus.task_type
    return (own, written, numbers) if has_task and features in (None, written.get("features", features)) else None


def _settings_of_experiment(corpus: Corpus, settings: FeatureSettings, overrides: Sequence[str]) -> FeatureSettings:
    """Return the features that the experiment of a corpus will train on, where it has one; those of the command come first."""
    own, asked = _own_experiment(corpus, overrides), {text.partition("=")[0].strip() for text in overrides}
    names = set(type(settings).model_fields) - asked
    written = [f"{name}={value}" for name, value in (own[1] if own else {}).items() if name in names]
    try:
        return read_settings([*overrides, *written])
    except SettingsError:  # which the run names
        return settings


def _read_script(script: Path) -> tuple[dict[str, object], str]:
    """Return what a script says of itself, which is read and not run.

    Returns:
        The literal arguments of its call of Experiment; and the numbers of instances in the first command of its docstring, as
        ``1 5``, empty for all.
    """
    try:
        code = ast.parse(script.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):  # which the run names
        return {}, ""
    calls = [node for node in ast.walk(code) if isinstance(node, ast.Call)]
    settings: dict[str, object] = {
        argument.arg: argument.value.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Experiment"
        for argument in call.keywords
        if argument.arg and isinstance(argument.value, ast.Constant)
    }
    command = re.search(rf"^python \S*{re.escape(script.name)}((?: \d+)*)", ast.get_docstring(code) or "", re.MULTILINE)
    return settings, command[1].strip() if command else ""


def _with_settings(script: Path, settings: Sequence[str], numbers: str = "") -> str:
    command = f"python {quote(script.as_posix())} {numbers}".rstrip()
    return " ".join([command, *(f"--set {quote(setting)}" for setting in settings)])
