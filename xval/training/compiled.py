"""Compile the model of a fold, once for all folds of an instance that a process trains.

The compiled model of an earlier fold of the same instance is reused if it matches: the variables of a newly built model are
copied into it. Building a model takes some 50 ms and gives every variable the value of a fresh process with the same seed:
initialised weights, dropout states, the normalisation statistics of the fold, weights of an initial model. With these and the
variables of a new optimizer, a fold has exactly the same result in a process that has trained other folds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend import on_device
from xval.backend.compilation import _jit_compile
from xval.backend.fused_normalization import fuse_normalization
from xval.backend.keras_internals import all_layers, drop_kernels, has_drawn_seeds
from xval.backend.keras_optimizers import optimizer_variables
from xval.base import keras_objects
from xval.base.setting_scope import Scope
from xval.base.user_code import definitions
from xval.models.losses import fitted_loss, training_functions
from xval.models.residual import with_residual
from xval.settings.parameters import to_parameters
from xval.settings.schema import Settings, names_of
from xval.training import optimizer
from xval.training.added_losses import adds_losses
from xval.training.augmentation import augmented
from xval.training.layer_rates import prepare_layer_rates, set_layer_rates

DATA_LOSS = "data_loss"
"""The name of the loss without penalties and losses of layers, if there are any."""

OwnCode: TypeAlias = Mapping[str, str] | None
"""The hashes of the user's code, as in `Job.own_code`."""

_STEPS_PER_EXECUTION = 16
# Layers of these packages have no state outside their variables; layers of other packages may have some.
_KNOWN_PACKAGES = ("keras", "xval", "architectures")


@dataclass(frozen=True)
class CompiledModel:
    """A compiled model.

    Attributes:
        whole: The model that predicts and is saved.
        fitted: The model to train: the same, or one that shares its weights and augments examples or outputs the residual.
        loss: The name of the loss that training minimises.
    """

    whole: keras.Model
    fitted: keras.Model
    loss: str

    @property
    def variables(self) -> list[keras.Variable]:
        """All state that differs between folds: weights, statistics, random states, and the variables of the optimizer."""
        return [*self.fitted.variables, *optimizer_variables(self.fitted.optimizer)]

    def get_state(self) -> dict[str, Any]:
        """Return the values of all variables."""
        return {"variables": arrays_of(self.variables)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set all variables to the values of a state.

        Raises:
            ValueError: Shapes or dtypes differ.
        """
        set_arrays(self.variables, state["variables"])


def compile_model(model: keras.Model, settings: Settings, *, seed: int) -> CompiledModel:
    """Compile a model of `build_model`, without tracing.

    Args:
        model: The whole model.
        settings: The parameters of the instance. With augmentation, a model that shares its weights is fitted.
        seed: Seed of the augmentation.

    Returns:
        The model with a new optimizer, whose variables exist.
    """
    loss, metric = training_functions(settings)
    fuse_normalization(model)
    model.compile(jit_compile=_jit_compile())
    fitted = augmented(model, settings, seed=seed)
    if settings.task.target == "input":
        fitted = with_residual(model, fitted)
    followed = [metric]
    if penalised(fitted) or adds_losses(fitted):
        followed.append(keras.metrics.MeanMetricWrapper(loss, name=DATA_LOSS))
    made = optimizer.make_optimizer(settings)
    prepare_layer_rates(made, settings)
    fitted.compile(
        optimizer=made,
        loss=loss,
        weighted_metrics=followed,
        jit_compile=_jit_compile(),
        # TensorFlow runs several steps before it returns to Python: the same results in 3 % less time on the CPU. Not with
        # user's callbacks, which may need every step.
        steps_per_execution=1
        if settings.tensorboard_batches or settings.callbacks or keras.backend.backend() != "tensorflow"
        else _STEPS_PER_EXECUTION,
    )
    fitted.optimizer.build(fitted.trainable_variables)
    set_layer_rates(model, fitted, settings, 0)
    return CompiledModel(model, fitted, fitted_loss(settings))


class WarmModel:
    """The compiled model of the instance that a process has trained last."""

    def __init__(self) -> None:
        self._chosen: str | None = None
        self._key: str | None = None
        self._kept: CompiledModel | None = None

    def is_likely_to_fit(self, settings: Settings, options: Mapping[str, object], own_code: OwnCode = None) -> bool:
        """Return whether the kept model was built with the same settings and code as the next one."""
        return self._kept is not None and self._chosen == _describe_settings(settings, options, own_code)

    def take(
        self, new: CompiledModel, settings: Settings, options: Mapping[str, object], seed: int, own_code: OwnCode = None
    ) -> CompiledModel:
        """Return the model to train: the kept one with the values of the new one if both are equal, else the new one.

        With a user's loss, optimizer, callbacks or layers it is compiled again for each fold, because they may have state
        outside variables; also if operations use TensorFlow's own seeds, which Keras's layers do not.

        Args:
            new: A model from `compile_model`, which must not be used afterwards.
            settings: The parameters of its instance.
            options: The options of its architecture.
            seed: The seed that was set before it was built.
            own_code: The user's code of the job, because functions such as activations are compiled into the model.
        """
        described = _describe_settings(settings, options, own_code)
        key = None if has_drawn_seeds(seed) else _describe(new, settings, described)
        if key is None or key != self._key or self._kept is None:
            self.forget()
            if key is not None:
                self._chosen, self._key, self._kept = described, key, new
            return new
        for kept_variable, variable in zip(self._kept.variables, new.variables, strict=True):
            kept_variable.assign(variable)
        return self._kept

    def is_kept(self, compiled: CompiledModel) -> bool:
        """Return whether this model is kept for the folds to come."""
        return compiled is self._kept

    def forget(self) -> None:
        """Forget the kept model, so that the next one is compiled again."""
        kept, self._chosen, self._key, self._kept = self._kept, None, None, None
        if kept is not None:
            for model in (kept.whole, kept.fitted):
                on_device.release(model)
            drop_kernels()


def arrays_of(variables: Iterable[keras.Variable]) -> list[NDArray[Any]]:
    """Return copies of the values of variables."""
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


def check_form(arrays: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> None:
    """Raise a ValueError if shapes or dtypes of arrays differ from the expected ones."""
    if [(array.shape, array.dtype) for array in arrays] != [(array.shape, array.dtype) for array in wanted]:
        raise ValueError("arrays have another shape")


def set_arrays(variables: Sequence[keras.Variable], arrays: Sequence[NDArray[Any]]) -> None:
    """Set variables to the values of arrays of the same shapes and dtypes."""
    check_form(arrays, arrays_of(variables))
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


WARM_MODEL = WarmModel()
"""The kept model of this process."""


def penalised(model: keras.Model) -> list[keras.Variable]:
    """Return the weights of a model that have a penalty."""
    return [variable for variable in model.trainable_variables if variable.regularizer is not None]


def penalty(model: keras.Model) -> float:
    """Return the sum of the penalties of a model's weights."""
    return float(sum(keras.ops.convert_to_numpy(variable.regularizer(variable)) for variable in penalised(model)))


def _describe(new: CompiledModel, settings: Settings, described: str) -> str | None:
    """Return all inputs of the compiled functions as text; None: not known."""
    has_own_loss = definitions.is_dotted(settings.loss) or keras_objects.is_object(settings.loss)
    is_own = has_own_loss or definitions.is_dotted(settings.optimizer) or settings.callbacks is not None
    layers = [*all_layers(new.fitted), *all_layers(new.whole)]
    if is_own or not all(type(layer).__module__.partition(".")[0] in _KNOWN_PACKAGES for layer in layers):
        return None
    variables = [(variable.path, variable.shape, variable.dtype, variable.trainable) for variable in new.variables]
    try:
        # An object that JSON cannot hold is described with its address, so that different objects have different texts.
        return json.dumps([described, variables, new.whole.get_config()], default=repr)
    except (NotImplementedError, TypeError, ValueError):
        return None


def _describe_settings(settings: Settings, options: Mapping[str, object], own_code: OwnCode) -> str:
    """Return the backend, the settings on which a compiled model depends, and the hashes of the user's code, as text."""
    between_steps = names_of(Scope.RUNTIME)
    chosen = {name: value for name, value in to_parameters(settings, options).items() if name not in between_steps}
    return json.dumps([keras.backend.backend(), chosen, own_code], default=repr)
