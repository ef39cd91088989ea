"""Write the files that training requires (folds, settings, code, feature stores), and return the jobs to run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from preprocessing.clips.near_pairs import MOST_COMPARED, read_across_items
from preprocessing.corpus import Corpus, open_corpus
from preprocessing.parallel import count_cores
from xval.backend.keras_internals import describe_untried
from xval.base.errors import CorpusError, ResultsError
from xval.base.item_word import ITEM
from xval.base.user_code.cells import keep_cell_modules
from xval.experiment import snapshot
from xval.experiment.check_instance import check_instance, describe_parts, find_parts
from xval.experiment.feature_stores import check_store, make_instance_store, name_in_errors
from xval.experiment.progress import task_progress
from xval.experiment.search import feature_variants
from xval.folds.plan import Fold
from xval.jobs.folds_file import write_folds
from xval.jobs.job import Job
from xval.jobs.plan import AboutCorpus, Plan, make_jobs, renew_words, write_settings
from xval.results.job_key import JobKey
from xval.results.read import choose_item_word
from xval.settings.resolve import Declaration, Instance, resolve_values


def prepare_jobs(
    planned: Plan,
    declaration: Declaration,
    console: Console,
    *,
    overrides: Mapping[str, object],
    in_python: bool,
    notes: Sequence[str] = (),
) -> tuple[list[Job], Corpus]:
    """Check the instances and write the files that their jobs read; return the jobs and the corpus.

    `overrides` have precedence over all other settings; `in_python`: advice names parameters of Python functions. `notes` are
    printed with the warnings after all settings have been checked.
    """
    from preprocessing.quality import cautions

    settings = planned.instances[0].settings
    data_folder = Path(settings.data_folder)
    corpus = open_corpus(settings.dataset, data_folder)
    variants: dict[int, list[Instance]] = {}
    warnings: list[str] = []
    for declared in planned.instances:
        variants[declared.number] = feature_variants(declared, partial(resolve_values, declaration, declared.number, overrides))
    parts: dict[JobKey, Fold] = {}
    for instance in planned.instances:
        with name_in_errors(declaration.place(instance.number)):
            said = [text for variant in variants[instance.number] for text in check_instance(planned, variant, corpus)]
            own_parts = find_parts(planned, instance, corpus)
            said += describe_parts(planned, instance, own_parts)
            parts |= own_parts
        warnings += [f"instance {instance.number}: {text}" for text in dict.fromkeys(said)]
    for line in [*notes, *warnings]:  # behind the errors of all instances
        console.print(line, soft_wrap=True, markup=False)
    numbers = {key.instance for key in planned.to_do}
    _search_near_duplicates(corpus, console)
    to_run = [instance for instance in planned.instances if instance.number in numbers]
    stores: dict[int, Path] = {}
    checked: set[Path] = set()
    cautions_of: dict[int, list[str]] = {}
    for instance in to_run:
        cautions_found = []
        for variant in variants[instance.number]:
            store = make_instance_store(corpus, variant, console, where=declaration.place(instance.number))
            if store.folder not in checked:
                check_store(store, console)
            checked.add(store.folder)
            stores[instance.number] = store.folder
            cautions_found += cautions.find_cautions(corpus, variant.settings.feature_settings(), variant.settings.frames)
        cautions_of[instance.number] = list(dict.fromkeys(cautions_found))
    if untried := describe_untried(settings.backend):
        console.print(untried, soft_wrap=True, markup=False)
    found = [unused_folds(settings.fold_strategy, corpus), *(text for texts in cautions_of.values() for text in texts)]
    columns = cautions.shared_columns(corpus, planned.folds.folds)
    found += [cautions.describe_shared(column, corpus.item_name) for column in columns]
    print_cautions([text for text in found if text], console, in_python=in_python)
    if settings.overwrite_results:
        _set_aside(planned, sorted(numbers))
    write_folds(planned.folder, planned.folds, settings.dataset, data_folder)
    own = {module for instance in planned.instances for module in instance.settings.own_modules()}
    keep_cell_modules(own, planned.folder.cells)
    with _script(declaration) as script:
        code_folder = snapshot.take_snapshot(planned.folder.path / "code", script, sorted(own))
    for instance in to_run:
        about = AboutCorpus(cautions_of[instance.number], corpus.item_name, columns)
        write_settings(planned.folder, instance, declaration.description, declaration.script, about)
    return make_jobs(planned, code_folder, stores, parts), corpus


def _search_near_duplicates(corpus: Corpus, console: Console) -> None:
    """Search for near-duplicates if preparing did not because it was killed or the disk was full."""
    if corpus.is_custom or not corpus.audio_folder.is_dir() or read_across_items(corpus.folder, corpus.index_hash) is not None:
        return
    if corpus.index.loc[~corpus.index["augmented"], "audio_hash"].nunique() > MOST_COMPARED:
        return
    from preprocessing.quality.near_duplicates import write_across_items

    try:
        with task_progress(console, "near-duplicates") as advance:
            write_across_items(corpus, n_processes=count_cores(), progress=advance)
    except CorpusError as error:  # of a folder that cannot be written: the run needs no more of it
        console.print(f"Near-duplicates are not searched: {error}", soft_wrap=True, markup=False)


def print_cautions(texts: Sequence[str], console: Console, *, in_python: bool) -> None:
    """Print each caution once; `in_python` is as for `prepare_jobs`."""
    if not texts:
        return
    from preprocessing.quality import cautions

    for text in dict.fromkeys(texts):
        console.print(f"The dataset: {cautions.in_python(text) if in_python else text}.", soft_wrap=True, markup=False)


def unused_folds(fold_strategy: str, corpus: Corpus) -> str:
    """Return a note if the corpus has folds or phases that are not used; empty: all are used."""
    clips = corpus.index[~corpus.index["augmented"].astype(bool)]
    given = next((column for column in ("fold", "phase") if column in clips and clips[column].notna().all()), None)
    if given is None or fold_strategy == "predefined":
        return ""
    return (
        f"its own {given}s are not used, because fold_strategy = {fold_strategy} makes others. To use them: --set "
        "fold_strategy=predefined"
    )


def cut_clips(planned: Plan) -> list[str]:
    """Return a note on the parts of clips that instances do not read; the corpus is only read if clips may be cut."""
    cutting = [
        instance.settings.feature_settings()
        for instance in planned.instances
        if instance.settings.clip_length_s is not None or instance.settings.crop_s is not None
    ]
    if not cutting:
        return []
    from preprocessing.quality.findings.durations import cut
    from preprocessing.quality.rules import Features

    settings = planned.instances[0].settings
    corpus = open_corpus(settings.dataset, Path(settings.data_folder))
    clips = corpus.index[~corpus.index["augmented"]]
    return [found.caution for features in cutting for found in cut.find(Features(corpus, clips, features))]


def planned_item_word(planned: Plan) -> str:
    """Return the word for an item before the first run; a general word if the corpus cannot be read."""
    settings = planned.instances[0].settings
    try:
        corpus_word = open_corpus(settings.dataset, Path(settings.data_folder)).item_name
    except CorpusError:  # its folds are there, and a dry run needs no more
        corpus_word = ""
    return choose_item_word(settings.item_name, corpus_word) or ITEM


def restore_settings(planned: Plan, declaration: Declaration) -> bool:
    """Write settings.json of done instances if it is missing or its comments have changed; return whether one was written.

    Without the file they are missing in tables.
    """
    done, is_restored = {key.instance for key in planned.done}, False
    for instance in planned.instances:
        if instance.number not in done:
            continue
        if (planned.folder.instance_folder(instance.number) / "settings.json").exists():
            with suppress(ResultsError):  # a rebuild names what is damaged
                is_restored |= renew_words(planned.folder, instance)
        else:
            from preprocessing.quality.cautions import find_cautions, shared_columns

            corpus = open_corpus(instance.settings.dataset, Path(instance.settings.data_folder))
            cautions = find_cautions(corpus, instance.settings.feature_settings(), instance.settings.frames)
            about = AboutCorpus(cautions, corpus.item_name, shared_columns(corpus, planned.folds.folds))
            write_settings(planned.folder, instance, declaration.description, declaration.script, about)
            is_restored = True
    return is_restored


def _set_aside(planned: Plan, numbers: Sequence[int]) -> None:
    staying = {fold.number for fold in planned.folds.folds} - set(planned.chosen_folds)
    for number in numbers:
        present = {key for key in planned.folder.jobs(number) if key.fold not in staying}
        planned.folder.replace(number, present.union(planned.jobs_of(number)))


@contextmanager
def _script(declaration: Declaration) -> Iterator[Path]:
    """Yield the path of the script that declares the experiment, which is written if there is none."""
    if declaration.script_path:
        yield Path(declaration.script_path)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.py"
        path.write_text(snapshot.as_script(declaration), encoding="utf-8")
        yield path
