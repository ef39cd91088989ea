"""Train a network."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.backend import on_device
from xval.backend.devices import load_keras
from xval.base.errors import SettingsError
from xval.data.batches import in_batches
from xval.engine.learners import Fitted
from xval.jobs.job import Job
from xval.jobs.model_files import seen_by_embedder
from xval.jobs.observers import Observers
from xval.jobs.record import versions, write_history
from xval.results.folder import KERAS_NAME
from xval.training.evaluation.fold import Evaluation, evaluate_model

if TYPE_CHECKING:
    import keras

    from xval.training.evaluation.novelty import Embed
    from xval.training.fit import History
    from xval.training.setup import FoldSetup


@contextmanager
def fit(job: Job, folder: Path, observers: Observers) -> "Iterator[FoldNetwork]":
    """Train the network of a job; within the context its checkpoints are written and its Keras settings apply."""
    load_keras()
    from xval.training.fit import train_model
    from xval.training.setup import set_up_fold

    with set_up_fold(job, folder, observers) as setup:
        history = train_model(
            setup.compiled,
            setup.data,
            job.settings,
            seed=job.seed,
            observers=observers,
            refit=job.refit,
            checkpoints=setup.checkpoints,
        )
        earlier = [setup.initial.provenance] if setup.initial else []
        yield FoldNetwork(job, setup.data, [*earlier, *seen_by_embedder(job)], setup, history)


@dataclass(frozen=True)
class FoldNetwork(Fitted):
    """The network of a fold, with the weights of its best epoch."""

    setup: "FoldSetup"
    history: "History"

    def embedder(self) -> "Embed | None":
        """Return the function that computes the input of its last layer.

        None if it is not a plain functional model, if it predicts frames, or if it reconstructs its input, whose error already
        is an out-of-distribution score.
        """
        from xval.models.cut import read_by_last_layer

        settings, sides = self.job.settings, self.data.sides
        if settings.frames or settings.task.target == "input":
            return None
        try:
            read = read_by_last_layer(self.setup.compiled.whole, where=settings.architecture)
        except SettingsError:
            return None

        def embed(side: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            lengths = sides[side].lengths
            batches = in_batches(np.arange(len(rows)), None if lengths is None else lengths[rows], settings.batch_size)
            values = [read(sides[side].predictors(rows[batch])) for batch in batches]
            return np.concatenate(values)[np.argsort(np.concatenate(batches))]

        return embed

    def evaluate(self, observers: Observers) -> Evaluation:
        """Predict the sides that training has not predicted, and compute all metrics."""
        settings, history = self.job.settings, self.history
        followed = None if settings.evaluate_training else history.followed_scores(settings.task.training_metric)
        model, known = self.setup.compiled.whole, history.predictions
        return evaluate_model(model, self.data, settings, known=known, training_scores=followed, observers=observers)

    def facts(self) -> Mapping[str, Any]:
        """Return the entries of its record other than scores."""
        from xval.models.build import count_parameters

        history, compiled = self.history, self.setup.compiled
        return {
            **self.setup.facts,
            "best_epoch": history.best_epoch,
            "epochs": len(history.epochs),
            **({"diverged": history.diverged} if history.diverged else {}),
            "n_parameters": count_parameters(compiled.whole),
            "versions": versions(),
            **on_device.describe(compiled.fitted),
        }

    def calibrated(self, temperature: float | None) -> "keras.Model":
        """Return the network to save, with the temperature from its validation clips; None: without."""
        from xval.models.build import with_temperature

        whole = self.setup.compiled.whole
        return with_temperature(whole, temperature) if temperature else whole

    def save(self, folder: Path, tested: Mapping[str, Any]) -> dict[str, Any]:
        """Write model.keras, without the optimizer's state, and history.csv."""
        import keras

        model = self.calibrated(tested.get("temperature"))
        keras.Model(model.input, model.output, name=model.name).save(folder / KERAS_NAME)
        write_history(folder / "history.csv", self.history.epochs)
        return self.setup.initial.facts if self.setup.initial else {}
