"""Epochs on TensorFlow: a loop over all steps within one function, with the examples on the device.

Comes in: a compiled model and the examples that the device holds. Goes out: `LoopedSteps`; see on_device.py. Without XLA
figures are those of batches from the host to the last digit. Where Keras has a step compiled by XLA, the whole loop is, or the
step alone; its sums are added in another order than in Keras's own step. Compiled loops have one length, so that an epoch of
another length, of another fold say, is not compiled anew.

https://www.tensorflow.org/guide/function, https://openxla.org/xla/tf2xla
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from xval.backend.compilation import wants_constant_shapes
from xval.backend.held_examples import HeldExamples

WHOLE_LOOP_COMPILED = True
"""Whether XLA compiles the loop with its steps, which starts their kernels with less delay; False: each step alone."""
_STEPS_OF_LOOP = 64

Arrays = tuple[NDArray[Any], ...]


class LoopedSteps:
    """Training and prediction with one model.

    Args:
        model: Compiled.
        held: The examples.
        batch_size: Examples of a step.
    """

    def __init__(self, model: keras.Model, held: HeldExamples, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self._model = model
        self._is_constant = wants_constant_shapes()
        is_compiled = self._is_constant and bool(model.jit_compile)
        self._is_compiled = is_compiled and WHOLE_LOOP_COMPILED
        self._with_xla = partial(tf.function, jit_compile=is_compiled and not WHOLE_LOOP_COMPILED, autograph=False)
        self._functions: dict[str, Any] = {}

    def train_epoch(self, iterator: Iterator[tuple[Any, ...]]) -> dict[str, Any]:
        """Train an epoch; as `keras.Model.train_function` on TensorFlow."""
        given, *labels = next(iterator)
        for n_steps, values in self._loops(tuple(each.numpy() for each in (*given, *labels))):
            self._run("train", partial(self._train_function, len(given)), n_steps, values)
        found: dict[str, Any] = self._model.get_metrics_result()
        return found

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""
        n_examples = len(places)
        if self._is_constant:
            n_filled = -(-n_examples // self.batch_size) * self.batch_size
            places = places[np.resize(np.arange(n_examples), n_filled)]
        parts = [
            np.asarray(self._run("predict", self._predict_function, n_steps, values), np.float32)
            for n_steps, values in self._loops((places,))
        ]
        return np.concatenate(parts)[:n_examples]

    def _loops(self, values: Arrays) -> Iterator[tuple[int, Arrays]]:
        """Cut an epoch into loops; yield the number of steps of each, and its values."""
        n_steps = -(-len(values[0]) // self.batch_size)
        if not self._is_compiled:
            yield n_steps, values
            return
        for first in range(0, n_steps, _STEPS_OF_LOOP):
            n_here = min(_STEPS_OF_LOOP, n_steps - first)
            rows = slice(first * self.batch_size, (first + n_here) * self.batch_size)
            missing = (_STEPS_OF_LOOP - n_here) * self.batch_size
            yield n_here, tuple(np.pad(each[rows], [(0, missing), *[(0, 0)] * (each.ndim - 1)]) for each in values)

    def _run(self, name: str, make: Any, n_steps: int, values: Arrays) -> Any:
        """Run a function, which is traced at its first call."""
        # TensorFlow keeps int32 that a function gets in the memory of the host.
        wide = [np.asarray(each, np.int64) if each.dtype == np.int32 else each for each in values]
        if name not in self._functions:
            n_values = _STEPS_OF_LOOP * self.batch_size if self._is_compiled else None
            signature = [tf.TensorSpec((n_values, *each.shape[1:]), each.dtype) for each in wide]
            self._functions[name] = tf.function(
                make(),
                input_signature=[tf.TensorSpec((), tf.int32), *signature],
                jit_compile=self._is_compiled,
                autograph=False,
            )
        return self._functions[name](tf.constant(n_steps), *map(tf.convert_to_tensor, wide))

    def _train_function(self, n_given: int) -> Any:
        learn = self._with_xla(lambda *batch: self._model.train_step(batch))

        def train(n_steps: tf.Tensor, *epoch: tf.Tensor) -> None:
            def take_step(number: tf.Tensor) -> tuple[tf.Tensor]:
                values = [self._batch(each, number) for each in epoch]
                learn(self.held.examples(values[:n_given]), *values[n_given:])
                return (number + 1,)

            tf.while_loop(lambda number: number < n_steps, take_step, (0,))

        return train

    def _predict_function(self) -> Any:
        answer = self._with_xla(lambda examples: tf.cast(self._model(examples, training=False), tf.float32))

        def predict(n_steps: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
            def take_step(number: tf.Tensor, answers: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
                examples = self.held.examples((self._batch(places, number),))
                return number + 1, answers.write(number, answer(examples))

            n_batch = self.batch_size if self._is_constant else None
            size = _STEPS_OF_LOOP if self._is_compiled else n_steps
            shape = (n_batch, *self._model.output_shape[1:])
            answers = tf.TensorArray(tf.float32, size, element_shape=shape, infer_shape=False)
            _, answers = tf.while_loop(lambda number, _: number < n_steps, take_step, (0, answers))
            return tf.reshape(answers.stack(), (-1, *shape[1:])) if self._is_compiled else answers.concat()

        return predict

    def _batch(self, values: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """Return the values of a step."""
        if self._is_compiled:  # XLA cuts out nothing whose size it does not know
            return tf.reshape(values, (_STEPS_OF_LOOP, self.batch_size, *values.shape[1:]))[number]
        found = values[number * self.batch_size : (number + 1) * self.batch_size]
        return tf.ensure_shape(found, (self.batch_size if self._is_constant else None, *values.shape[1:]))
