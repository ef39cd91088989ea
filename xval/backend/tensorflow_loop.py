"""`LoopedSteps`: epochs on TensorFlow as loops over steps within one function, with the examples on the device.

See on_device.py. Without XLA one loop goes through an epoch, and scores equal those of batches from the host to the last digit.
Where Keras compiles a step with XLA, the loop is compiled with it, and sums are added in another order than in Keras's own
step.

A compiled loop has a fixed number of steps: where the program does not tell it, the host waits for the GPU after each step, to
learn whether the loop is over. An epoch is cut into such loops and single steps, so that two programs do for folds of any size.

https://www.tensorflow.org/guide/function, https://openxla.org/xla/tf2xla
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
    """Training and prediction with one compiled model, in steps of ``batch_size`` examples."""

    def __init__(self, model: keras.Model, held: HeldExamples, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self._model = model
        self._is_constant = wants_constant_shapes()
        self._is_compiled = self._is_constant and bool(model.jit_compile)
        self._functions: dict[tuple[str, int | None], Any] = {}

    def train_epoch(self, iterator: Iterator[tuple[Any, ...]]) -> dict[str, Any]:
        """Train an epoch; as `keras.Model.train_function` on TensorFlow."""
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
        figures: dict[str, Any] = self._model.get_metrics_result()
        return figures

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""

        def predict(places: tf.Tensor) -> tf.Tensor:
            def take_step(number: tf.Tensor, answers: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
                examples = self.held.examples((self._batch(places, number),))
                answer = tf.cast(self._model(examples, training=False), tf.float32)
                return number + 1, answers.write(number, answer)

            n_steps = self._n_steps(places)
            shape = (self.batch_size if self._is_constant else None, *self._model.output_shape[1:])
            answers = tf.TensorArray(tf.float32, n_steps, element_shape=shape, infer_shape=False)
            _, answers = tf.while_loop(lambda number, _: number < n_steps, take_step, (0, answers))
            return tf.reshape(answers.stack(), (-1, *shape[1:])) if self._is_compiled else answers.concat()

        n_examples = len(places)
        if self._is_constant:
            n_filled = -(-n_examples // self.batch_size) * self.batch_size
            places = places[np.resize(np.arange(n_examples), n_filled)]
        return np.concatenate([part.numpy() for part in self._run("predict", predict, places)])[:n_examples]

    def _run(self, name: str, function: Callable[..., Any], *values: NDArray[Any]) -> list[Any]:
        """Run a function, which is traced at its first call, on the values of some steps; return what its loops return.

        The values are (n_all, ...) each, one step behind the other; n_all is a multiple of the size of a batch where shapes are
        constant.
        """
        # TensorFlow keeps int32 that a function gets in the memory of the host.
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
        """Cut an epoch into loops; yield the first row of each, and how many it has."""
        if not self._is_compiled:
            yield 0, n_all
            return
        first, n_loop = 0, _STEPS_OF_LOOP * self.batch_size
        while first < n_all:
            n_rows = n_loop if n_all - first >= n_loop else self.batch_size
            yield first, n_rows
            first += n_rows

    def _n_steps(self, values: tf.Tensor) -> Any:
        """Return the number of steps of a loop: a number where it is compiled, else a tensor."""
        n_rows = values.shape[0]
        return -(-(tf.shape(values)[0] if n_rows is None else n_rows) // self.batch_size)

    def _batch(self, values: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        if self._is_compiled:  # XLA cuts out nothing whose size it does not know
            return tf.reshape(values, (-1, self.batch_size, *values.shape[1:]))[number]
        rows = values[number * self.batch_size : (number + 1) * self.batch_size]
        return tf.ensure_shape(rows, (self.batch_size if self._is_constant else None, *values.shape[1:]))
