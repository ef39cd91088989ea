"""Make the feature store of an instance with everything that training needs; show progress and skipped clips."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from preprocessing.corpus import Corpus
from preprocessing.parallel import count_cores
from preprocessing.store import FeatureStore
from preprocessing.store.checksums import refuse_damage
from xval.base.errors import FoldsError, SettingsError, counted
from xval.data.item_scaling import scale_items
from xval.data.store_memory import store_mb
from xval.experiment.progress import task_progress
from xval.settings.architectures import COMBINATION, input_form, trains_network
from xval.settings.resolve import Instance

SCALING = ("per_bin", "global")
"""The values of normalization that scale by statistics of the features."""
MOST_CHECKED_MB = 64 << 10
"""Largest size of a store whose checksums a run compares: a core takes 10 s for it, a slow disk some minutes."""


def make_instance_store(corpus: Corpus, instance: Instance, console: Console, *, where: str) -> FeatureStore:
    """Make the feature store of an instance, if it does not exist, and check that its architecture can read it.

    For a combination, also make the basic features. Errors about settings name `where`: ``experiments/exp1.py, instance 3``.
    """
    from preprocessing.store.make import make_store
    from preprocessing.store.waveforms import example_shape, make_moments
    from xval.training.combination.basic_features import make_basic_features

    features = instance.settings.feature_settings()
    with task_progress(console, f"features of instance {instance.number}") as advance:
        store, left_out = make_store(corpus, features, n_processes=count_cores(), progress=advance)
    has_network = trains_network(instance.settings.architecture)
    if has_network and store.is_waveform and instance.settings.normalization in SCALING:
        title = f"statistics of instance {instance.number}"
        with task_progress(console, title) as advance, name_in_errors(where):
            make_moments(store, features, n_processes=count_cores(), progress=advance)
    if instance.settings.architecture == COMBINATION and instance.options["basic_features"]:
        title = f"basic features of instance {instance.number}"
        with task_progress(console, title) as advance:
            make_basic_features(corpus, store, features, n_processes=count_cores(), progress=advance)
    if len(left_out):
        console.print(
            f"{counted(len(left_out), 'clip')} excluded from the features of instance {instance.number}, see "
            f"{store.folder}/left_out.csv"
        )
    if store.description.embedder is not None:
        console.print(
            f"Embeddings of instance {instance.number}: {store.description.embedder.describe()}", soft_wrap=True, markup=False
        )
    with name_in_errors(where):
        if instance.settings.scales_items:
            scale_items(store)
        input_form(example_shape(store, features), instance.settings.reshaping_type, instance.settings.architecture)
    return store


def check_store(store: FeatureStore, console: Console) -> None:
    """Compare the files of a feature store with their checksums, once in a run, before anything is trained.

    A store larger than `MOST_CHECKED_MB` is left to ``xval audit``.
    """
    if store_mb(store) > MOST_CHECKED_MB:
        note: str | None = f"{store.folder} is too large to be checked for damage in each run. To check it: xval audit"
    else:
        with task_progress(console, "checksums") as advance:
            note = refuse_damage(store.folder, advance)
    if note:
        console.print(note, soft_wrap=True, markup=False)


@contextmanager
def name_in_errors(where: str) -> Iterator[None]:
    """Name the instance in errors about its settings, and about folds that they do not fit."""
    try:
        yield
    except (FoldsError, SettingsError) as error:
        raise type(error)("\n".join(f"{where}: {line}" for line in str(error).splitlines())) from error
