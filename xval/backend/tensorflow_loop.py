"""`LoopedSteps`: epochs on TensorFlow as loops over steps within one function, with the examples on the device.

It is what `xval.backend.on_device` uses on TensorFlow. Without XLA one loop runs a whole epoch, and scores are exactly the same
as with batches from the host. If Keras compiles a step with XLA, the loop is compiled with it, and values are summed in another
order than in Keras's own step.

A compiled loop has a fixed number of steps: if the number were not known to the compiler, the host would wait for the GPU after
each step to learn whether the loop is over. An epoch is split into such loops and single steps, so that two compiled programs
are enough for folds of any size.

Sources: https://www.tensorflow.org/guide/function, https://openxla.org/xla/tf2xla
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from xval.backend.compilation import wants_constant_shapes
from xval.backend.held_examples import HeldExamples

_STEPS_OF_LOOP = 16


class LoopedSteps:
    """Training and prediction with one compiled model, in steps of ``batch_size`` examples; a `DeviceSteps`."""

    def __init__(self, model: keras.Model, held: HeldExamples, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self._model = model
        self._is_constant = wants_constant_shapes()
        self._is_compiled = self._is_constant and bool(model.jit_compile)
        self._functions: dict[tuple[str, int | None], Any] = {}

    def train_epoch(self, iterator: Iterator[tuple[Any, ...]]) -> dict[str, Any]:
        """Train an epoch, called in place of `keras.Model.train_function` on TensorFlow; return its logs."""
        given, *labels = next(iterator)
        n_given = len(given)

        def train(*epoch: tf.Tensor) -> None:
            def take_step(number: tf.Tensor) -> tuple[tf.Tensor]:
                values = [self._batch(tensor, number) for tensor in epoch]
                self._model.train_step((self.held.examples(values[:n_given]), *values[n_given:]))
                return (number + 1,)

            n_steps = self._n_steps(epoch[0])
            tf.while_loop(lambda number: number < n_steps, take_step, (0,))

        self._run("train", train, *(tensor.numpy() for tensor in (*given, *labels)))
        logs: dict[str, Any] = self._model.get_metrics_result()
        return logs

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""

        def predict(places: tf.Tensor) -> tf.Tensor:
            def take_step(number: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
                examples = self.held.examples((self._batch(places, number),))
                predictions = tf.cast(self._model(examples, training=False), tf.float32)
                return number + 1, parts.write(number, predictions)

            n_steps = self._n_steps(places)
            shape = (self.batch_size if self._is_constant else None, *self._model.output_shape[1:])
            parts = tf.TensorArray(tf.float32, n_steps, element_shape=shape, infer_shape=False)
            _, parts = tf.while_loop(lambda number, _: number < n_steps, take_step, (0, parts))
            return tf.reshape(parts.stack(), (-1, *shape[1:])) if self._is_compiled else parts.concat()

        n_examples = len(places)
        if self._is_constant:
            n_filled = -(-n_examples // self.batch_size) * self.batch_size
            places = places[np.resize(np.arange(n_examples), n_filled)]
        return np.concatenate([part.numpy() for part in self._run("predict", predict, places)])[:n_examples]

    def _run(self, name: str, function: Callable[..., Any], *values: NDArray[Any]) -> list[Any]:
        """Run a function on the values of some steps, loop by loop; return the result of each loop.

        The values are (n_all, ...) each, step after step; n_all is a multiple of the batch size if shapes are constant.
        """
        # int64, because TensorFlow keeps int32 arguments of a function in the memory of the host.
        wide = [array.astype(np.int64) if array.dtype == np.int32 else array for array in values]
        outputs = []
        for first, n_rows in self._loops(len(wide[0])):
            key = name, n_rows if self._is_compiled else None
            if key not in self._functions:
                signature = [tf.TensorSpec((key[1], *array.shape[1:]), array.dtype) for array in wide]
                options = {"jit_compile": self._is_compiled, "autograph": False}
                self._functions[key] = tf.function(function, input_signature=signature, **options)
            outputs.append(self._functions[key](*(tf.convert_to_tensor(array[first : first + n_rows]) for array in wide)))
        return outputs

    def _loops(self, n_all: int) -> Iterator[tuple[int, int]]:
        """Split an epoch into loops; yield the first row of each, and its number of rows."""
        if not self._is_compiled:
            yield 0, n_all
            return
        first, n_loop = 0, _STEPS_OF_LOOP * self.batch_size
        while first < n_all:
            n_rows = n_loop if n_all - first >= n_loop else self.batch_size
            yield first, n_rows
            first += n_rows

    def _n_steps(self, values: tf.Tensor) -> Any:
        """Return the number of steps of a loop: an int if it is compiled, else a tensor."""
        n_rows = values.shape[0]
        return -(-(tf.shape(values)[0] if n_rows is None else n_rows) // self.batch_size)

    def _batch(self, values: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        if self._is_compiled:  # XLA does not support slices of a size that it does not know
            return tf.reshape(values, (-1, self.batch_size, *values.shape[1:]))[number]
        rows = values[number * self.batch_size : (number + 1) * self.batch_size]
        return tf.ensure_shape(rows, (self.batch_size if self._is_constant else None, *values.shape[1:]))
