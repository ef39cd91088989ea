"""Write a feature store: clip by clip under a temporary name, put in its place when it is whole."""

import csv
import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from filelock import FileLock
from numpy.typing import ArrayLike

from preprocessing.clips.parquet_files import write_table
from preprocessing.embeddings.embedder import EmbedderFacts
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import layout
from preprocessing.store.array_files import ArrayFile
from preprocessing.store.checksums import write_checksums
from preprocessing.store.moments import ItemSums, write_moments
from xval.base.csv_text import guard
from xval.base.errors import CorpusError
from xval.base.json_files import has_died, process_name
from xval.base.operating_system import flush

if TYPE_CHECKING:
    import pandas as pd

_STALE_AFTER_S = 24 * 60 * 60
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Example(NamedTuple):
    """What examples.parquet keeps about one example.

    Attributes:
        clip: The clip it is, or is a window of.
        start_s: Where it begins in the clip's file.
        augmented: Whether it may only train.
    """

    clip: str
    start_s: float
    end_s: float
    augmented: bool = False


class _Item:
    """What is kept in memory about one item while its files grow."""

    def __init__(self, n_bins: int) -> None:
        self.examples: list[Example] = []
        self.lengths: list[int] = []
        self.sums = ItemSums(n_bins)


@dataclass(eq=False)
class StoreWriter:
    """A feature store that is being built; a context manager.

    Within it, no other process builds the same store: a second one waits at the entrance, and then finds the folder there.
    Where locks of the file system do nothing or fail, both build it, and the first whole one stays, or the last where it is to
    be replaced. Leaving it without `publish` leaves nothing behind; what killed builders left is removed.

    Args:
        folder: Where the store will be.
        task_type, class_names, clip_samples, target_names: As in store.json.
        feature_settings: The settings that make the features; None for arrays from a script.
        is_waveform: It holds the samples of clips of different lengths.
        annotations: As of `store.FeatureStore`; None: there are none. May be set until `publish`.
        own_frames: Of frames that a script made: values per second, and of a frame; None: there are none.

    Attributes:
        example_shape: Of one example; empty before the first.
    """

    folder: Path
    _: KW_ONLY
    task_type: str
    class_names: Sequence[str]
    feature_settings: FeatureSettings | None = None
    clip_samples: int | None = None
    target_names: Sequence[str] = ()
    is_waveform: bool = False
    annotations: "pd.DataFrame | None" = None
    own_frames: tuple[int, int] | None = None
    example_shape: tuple[int, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        parent_folder, name = self.folder.parent, self.folder.name
        self._lock = FileLock(parent_folder / f".{name}.lock", fallback_to_soft=False)
        self._temporary = parent_folder / f".{name}.{process_name()}.{secrets.token_hex(4)}.tmp"
        self._items: dict[str, _Item] = {}
        self._target_shape: tuple[int, ...] = ()
        self._left_out: list[tuple[str, str, str]] = []
        self._predictors = ArrayFile(self._temporary / layout.PREDICTORS_NAME)
        self._targets = ArrayFile(self._temporary / layout.TARGETS_NAME)

    def __enter__(self) -> Self:
        with self._writing():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
        try:
            with self._writing():
                self._remove_leftovers()
                self._temporary.mkdir()
        except BaseException:  # a signal too
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        with suppress(OSError):
            self._predictors.close()
        with suppress(OSError):
            self._targets.close()
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._lock.release()

    def append(self, item: str, predictors: ArrayLike, targets: ArrayLike, examples: Sequence[Example]) -> None:
        """Add examples at the end.

        Args:
            item: The item they belong to. Items come in sorted order, all examples of one together.
            predictors: float32 (n_examples, ...), at least one axis behind the first; the last one holds the feature bins. For
                a store of waveforms: float32 (1, n_samples), one clip at a time.
            targets: int64 (n_examples,) for classification, float32 (n_examples, ...) for regression.
            examples: What is known about each of them.
        """
        x = np.ascontiguousarray(predictors, dtype=layout.PREDICTORS_DTYPE)
        y = np.ascontiguousarray(targets, dtype=layout.TARGETS_DTYPES[self.task_type])
        if not self._items:
            self.example_shape, self._target_shape = x.shape[1:], y.shape[1:]
        if self.is_waveform and x.ndim == 2 and len(x) == 1:
            self.example_shape = (max(x.size, *self.example_shape),)
        example_shape = x.shape[1:] if self.is_waveform else self.example_shape
        wanted = ((len(examples), *example_shape), (len(examples), *self._target_shape))
        if (x.shape, y.shape) != wanted or x.ndim < 2 or not x.size:
            raise CorpusError(
                f"Item '{item}': received predictors of shape {x.shape} and targets of shape {y.shape} for {len(examples)} "
                f"examples; expected {wanted[0]} and {wanted[1]}, at least one example, and the same shape for every example."
            )
        if self._items and item < (last := next(reversed(self._items))):
            raise CorpusError(f"Item '{item}' came after '{last}'; expected items in sorted order. Sort them first.")
        rows = x.reshape(-1) if self.is_waveform else x
        known = self._items.get(item) or _Item(1 if self.is_waveform else x.shape[-1])
        if not (known.sums.add(rows[:, np.newaxis] if self.is_waveform else rows) and np.isfinite(y).all()):
            raise CorpusError(f"Item '{item}', clip '{examples[0].clip}': predictors or targets are NaN or infinite.")
        with self._writing():
            self._predictors.append(rows)
            self._targets.append(y)
            os.utime(self._temporary)  # other machines see that its builder lives
        known.examples.extend(examples)
        known.lengths.extend([len(rows)] if self.is_waveform else [1] * len(rows))
        self._items[item] = known

    def leave_out(self, path: str, item: str, reason: str) -> None:
        """Note a clip that could not be used, for left_out.csv."""
        self._left_out.append((path, item, reason))

    def publish(self, *, index_hash: str, replace: bool = False, embedder: EmbedderFacts | None = None) -> None:
        """Complete the store and put it in its place.

        Args:
            index_hash: The index of which the examples were made.
            embedder: As in store.json.
            replace: Put it in the place of one that is there; otherwise that one stays, and this is dropped.
        """
        if not self._items:
            raise CorpusError(f"{self.folder}: received no example; a feature store needs at least one.")
        with self._writing():
            self._complete(index_hash, embedder)
            while not self._put_in_place(replace=replace):
                pass  # without locks another machine has put its own there meanwhile
            flush(self.folder.parent)

    def _put_in_place(self, *, replace: bool) -> bool:
        """Rename the store to its folder; return whether this one, or one that is not to be replaced, is there then."""
        old = self._temporary.with_suffix(f".{secrets.token_hex(4)}.tmp")
        try:
            if replace:
                with suppress(FileNotFoundError):
                    self.folder.rename(old)
            self._temporary.rename(self.folder)
        except OSError as error:
            if not self.folder.exists() or (replace and error.errno not in (errno.ENOTEMPTY, errno.EEXIST)):
                raise
            return not replace
        finally:
            if not self.folder.exists():
                with suppress(FileNotFoundError):
                    old.rename(self.folder)
            shutil.rmtree(old, ignore_errors=True)
        return True

    def _complete(self, index_hash: str, embedder: EmbedderFacts | None) -> None:
        """Write everything but the arrays' values, and make sure that all of it is on the disk."""
        self._predictors.finish()
        self._targets.finish()
        self._write_examples()
        if self.annotations is not None:
            write_table(self._temporary / layout.ANNOTATIONS_NAME, self.annotations)
        write_moments(self._temporary / layout.MOMENTS_NAME, [item.sums for item in self._items.values()])
        with (self._temporary / layout.LEFT_OUT_NAME).open("w", encoding="utf-8", newline="") as file:
            rows = (map(guard, row) for row in self._left_out)
            csv.writer(file, lineterminator="\n").writerows([layout.LEFT_OUT_COLUMNS, *rows])
        settings = self.feature_settings
        made_of = embedder or settings
        description = layout.StoreDescription(
            format_version=layout.FORMAT_VERSION,
            task_type=self.task_type,
            class_names=tuple(self.class_names),
            target_names=tuple(self.target_names),
            index_hash=index_hash,
            feature_settings=None if settings is None else settings.stored(),
            sample_rate_hz=self.own_frames[0] if self.own_frames else made_of.sample_rate_hz if made_of else None,
            clip_samples=self.clip_samples,
            example_shape=self.example_shape,
            target_shape=self._target_shape,
            item_counts={name: len(item.examples) for name, item in self._items.items()},
            item_rows={name: sum(item.lengths) for name, item in self._items.items()},
            is_waveform=self.is_waveform,
            embedder=embedder,
            frame_samples=self.own_frames[1] if self.own_frames else None,
        )
        (self._temporary / layout.DESCRIPTION_NAME).write_text(description.model_dump_json(indent=1) + "\n", encoding="utf-8")
        write_checksums(self._temporary)
        for path in [*self._temporary.iterdir(), self._temporary]:
            flush(path)

    def _write_examples(self) -> None:
        import pyarrow

        rows = [(name, row, *example) for name, item in self._items.items() for row, example in enumerate(item.examples)]
        stops = np.cumsum([length for item in self._items.values() for length in item.lengths])
        columns = [*zip(*rows, strict=True), np.concatenate([[0], stops[:-1]]), stops]
        whole, number, text = pyarrow.int64(), pyarrow.float64(), pyarrow.string()
        types = (text, whole, text, number, number, pyarrow.bool_(), whole, whole)
        arrays = [pyarrow.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        table = pyarrow.table(arrays, names=("item", "row", *Example._fields, "first_row", "stop_row"))
        write_table(self._temporary / layout.EXAMPLES_NAME, table)

    def _remove_leftovers(self) -> None:
        """Remove what dead builders of this store left; on other machines, whose builders may live, what is a day old."""
        prefix = f".{self.folder.name}."
        for path in self.folder.parent.glob(f"{prefix}*.tmp"):
            builder = path.name.removeprefix(prefix).partition(".")[0]
            with suppress(FileNotFoundError):  # it has ended meanwhile
                if has_died(builder) or time.time() - path.stat().st_mtime > _STALE_AFTER_S:
                    shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn an error of the file system into one that says what could not be written."""
        try:
            yield
        except OSError as error:
            raise CorpusError(
                f"{self.folder}: the feature store cannot be written: {error.strerror or error} "
                f"({error.filename or 'disk'}). Free some space, or choose another folder (data_folder)."
            ) from error
