"""Members that one program trains, from the first step to the end of the last one.

Comes in: folds that are set up and whose models are built alike. Goes out: whether training them together pays, and each
member with its history when it has ended. Members that have ended are masked, and left out of the program once half of them
have ended, unless there are too few epochs left to pay for a compilation.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import keras
import numpy as np

from xval.jobs.claim import Report, epoch_report
from xval.jobs.job import Job
from xval.settings.schema import Settings
from xval.training.compiled import CompiledModel
from xval.training.fit import History
from xval.training.fused.batches import StepArrays, held_array, held_rows, in_order, prediction_plans, stacked, training_plans
from xval.training.fused.members import Member
from xval.training.fused.options import MemberOptions, covers, form, pair_variables
from xval.training.fused.program import Program, State, narrow, stack
from xval.training.setup import FoldSetup

_MEMORY_SHARE = 0.7  # of the device's memory for a step; the rest is for what lies beside it
_HELD_SHARE = 0.4  # of the device's memory for the examples
_TIMED_STEPS = 5
_EPOCHS_WORTH_COMPILING = 5

Setups = Sequence[tuple[Job, FoldSetup]]


class NotFusedError(Exception):
    """Jobs cannot be trained together, or it does not pay; the text says why."""

    def __init__(self, reason: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.facts: Mapping[str, Any] = facts or {}


def find_families(setups: Setups) -> list[list[tuple[Job, FoldSetup]]]:
    """Return jobs whose models are built alike but for dropout's rates and the penalty, so that one stands for all."""
    by_instance: dict[int, list[tuple[Job, FoldSetup]]] = {}
    for job, setup in setups:
        by_instance.setdefault(job.instance, []).append((job, setup))
    alike: list[tuple[Any, list[list[tuple[Job, FoldSetup]]]]] = []
    for instance in by_instance.values():
        job, setup = instance[0]
        try:
            described = form(setup.compiled.fitted, job.settings.regularization_lambda)
        except (NotImplementedError, TypeError, ValueError):
            described = None  # a layer of the user's own that cannot be described: alike within the instance alone
        same = next((found for known, found in alike if known is not None and known == described), None)
        if same is None:
            alike.append((described, [instance]))
        else:
            same.append(instance)
    families = []
    for _, instances in alike:
        models = [instance[0][1].compiled.fitted for instance in instances]
        if any(covers(model, models) for model in models):
            families.append([each for instance in instances for each in instance])
        else:
            families += instances
    return families


class Group:
    """Folds that are trained by one program.

    Args:
        setups: The jobs, with their folds set up; of one family.
        compiled: The model of each instance, which gets the weights of its members when they have ended.
        report: Called with what progresses.

    Attributes:
        n_fitting: How many members the memory of the device has room for.
        widths: The members of each program that has been used, those that have been left out no longer among them.

    Raises:
        NotFusedError: No program can be made of them.
    """

    def __init__(self, setups: Setups, compiled: Mapping[int, CompiledModel], report: Report) -> None:
        self._settings = setups[0][0].settings
        models = [setup.compiled.fitted for _, setup in setups]
        self._model = next(model for model in (compiled[job.instance].fitted for job, _ in setups) if covers(model, models))
        self._rate_index = _rate_index(self._model.optimizer)
        self._members = [Member(job, setup, compiled[job.instance], epoch_report(job, report)) for job, setup in setups]
        self._n_steps = max(member.batches.num_batches for member in self._members)
        limit = _memory_bytes(self._settings)
        sides = [side for member in self._members for side in (member.data.training, member.data.sides["validation"])]
        held = None if self._settings.augment_mixup else held_array(sides)
        held = None if held is None or held.nbytes > _HELD_SHARE * limit else held
        self._is_held = held is not None
        options = MemberOptions(models, [job.settings.regularization_lambda for job, _ in setups])
        self._chosen = stacked([options.of_member(position) for position in range(len(models))])
        plan = next(self._training_plans())
        _build_metrics(self._model, plan)
        self._state = stack([_values(self._model, model) for model in models])
        self._program = Program(self._model, options, held)
        self.widths = [len(models)]
        self._validation_plan: StepArrays | None = None
        try:
            cost = self._program.compile(self._state, self._chosen, plan)
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise NotFusedError(f"its program cannot be made ({type(error).__name__}: {text})") from error
        self.n_fitting = max(1, int(len(setups) * min(1.0, _MEMORY_SHARE * limit / max(cost.memory_bytes, 1))))
        self._compile_s = cost.compile_s

    def choose(self) -> dict[str, Any]:
        """Time a few steps of all members together and one by one, if the engine is `fused`; return what the record says of it.

        Raises:
            NotFusedError: One by one is faster.
        """
        facts: dict[str, Any] = {"compile_s": round(self._compile_s, 3)}
        if self._settings.engine == "fused":
            together, alone = self._time_together(), self._time_alone() * len(self._members)
            facts |= {"step_ms": {"together": round(1e3 * together, 3), "one_by_one": round(1e3 * alone, 3)}}
            if alone < together:
                took = f"{1e3 * together:.1f} ms together, {1e3 * alone:.1f} ms one by one"
                raise NotFusedError(f"a step of {len(self._members)} members takes {took}", facts)
        return facts

    def train(self) -> Iterator[tuple[Member, History | Exception]]:
        """Train to the end.

        Yields:
            Each member when it has ended, with its history, or with the error of its own that ended it. The model of its
            instance has its best weights until the next one is asked for.
        """
        while not all(member.has_ended for member in self._members):
            self._leave_out_ended()
            running = [member for member in self._members if not member.has_ended]
            self._train_epoch()
            values = self._program.results(self._state)
            predictions = self._predict()
            penalties = self._program.penalties(self._state, self._chosen)
            ended: list[tuple[Member, Exception | None]] = []
            for position, member in enumerate(self._members):
                if member not in running:
                    continue
                of_member = {name: float(found[position]) for name, found in values.items()}
                found = in_order(member.validation, [step[position] for step in predictions])
                try:
                    member.end_epoch(
                        of_member, found, float(penalties[position]), partial(self._program.take, self._state, position)
                    )
                except Exception as error:  # noqa: BLE001 - of this member alone: it diverged, or a metric of the user's own failed
                    member.fail()
                    ended.append((member, error))
                    continue
                if member.has_ended:
                    ended.append((member, None))
            for member, failure in ended:
                yield member, self._finish(member) if failure is None else failure

    def _train_epoch(self) -> None:
        rates = np.array([1.0 if member.has_ended else member.begin_epoch() for member in self._members], np.float32)
        trainable, others, optimizer, metrics = self._state
        optimizer = [*optimizer[: self._rate_index], jax.numpy.asarray(rates), *optimizer[self._rate_index + 1 :]]
        self._state = (trainable, others, optimizer, [jax.numpy.zeros_like(values) for values in metrics])
        alive = np.array([not member.has_ended for member in self._members])
        left = max(member.batches.num_batches for member in self._members if not member.has_ended)
        for plan in self._training_plans():
            plan["active"] = plan["active"] & alive
            steps = range(min(left, len(plan["active"])))
            self._state = self._program.train(self._state, self._chosen, jax.device_put(plan), steps)
            left -= len(steps)
            if left <= 0:
                break

    def _predict(self) -> list[Any]:
        """Return the predictions of all members for their validation batches, one entry per step."""
        batches = [member.validation for member in self._members]
        if not self._is_held:
            found = [self._program.predict(self._state, plan, [0])[0] for plan in prediction_plans(batches, None)]
        else:
            if self._validation_plan is None:
                rows = [held_rows(member.data.sides["validation"]) for member in self._members]
                self._validation_plan = jax.device_put(next(prediction_plans(batches, rows)))
            plan = self._validation_plan
            found = self._program.predict(self._state, plan, range(len(plan["rows"])))
        return [np.asarray(values, np.float32) for values in found]

    def _leave_out_ended(self) -> None:
        """Make the program narrower where half of its members have ended and there is something left to do."""
        staying = [position for position, member in enumerate(self._members) if not member.has_ended]
        epochs_left = max(self._members[position].epochs_left for position in staying)
        if 2 * len(staying) <= len(self._members) and epochs_left >= _EPOCHS_WORTH_COMPILING:
            self._members = [self._members[position] for position in staying]
            self._state, self._chosen = narrow(self._state, staying), narrow(self._chosen, staying)
            self._validation_plan = None
            self.widths.append(len(staying))

    def _finish(self, member: Member) -> History:
        """Give the model of a member's instance its best weights."""
        history, weights = member.end()
        variables = [*self._model.trainable_variables, *self._model.non_trainable_variables]
        found = dict(zip(map(id, variables), [*weights[0], *weights[1]], strict=True))
        for variable, own in pair_variables(self._model, member.compiled.fitted):
            if own is not None:
                own.assign(found[id(variable)])
        return history

    def _training_plans(self) -> Iterator[dict[str, Any]]:
        rows = [held_rows(member.data.training) for member in self._members] if self._is_held else None
        return training_plans([member.batches for member in self._members], rows, self._n_steps)

    def _time_together(self) -> float:
        """Return how long a step of all members takes (s)."""
        state, times = jax.tree.map(jax.numpy.copy, self._state), []
        for _ in range(2):
            started = time.perf_counter()
            plan = jax.device_put(next(self._training_plans()))
            planned_s = (time.perf_counter() - started) / len(plan["active"])
        for _ in range(_TIMED_STEPS + 1):
            started = time.perf_counter()
            state = jax.block_until_ready(self._program.train(state, self._chosen, plan, [0]))
            times.append(time.perf_counter() - started + planned_s)
        return statistics.median(times[1:])

    def _time_alone(self) -> float:
        """Return how long a step of one member takes by itself (s)."""
        step = jax.jit(self._model.train_step, donate_argnums=0)
        state = jax.tree.map(lambda values: values[0], self._state)
        batches, times = self._members[0].batches, []
        for number in range(_TIMED_STEPS + 1):
            started = time.perf_counter()
            _, state = jax.block_until_ready(step(state, batches[number % batches.num_batches]))
            times.append(time.perf_counter() - started)
        return statistics.median(times[1:])


def _values(model: keras.Model, own: keras.Model) -> State:
    """Return what the variables of a member begin with, in the order of the model that stands for all."""
    found = {id(variable): (variable if other is None else other).value for variable, other in pair_variables(model, own)}
    return (
        [found[id(variable)] for variable in model.trainable_variables],
        [found[id(variable)] for variable in model.non_trainable_variables],
        [variable.value for variable in own.optimizer.variables],
        [np.zeros(variable.shape, variable.dtype) for variable in model.metrics_variables],
    )


def _build_metrics(model: keras.Model, plan: Mapping[str, Any]) -> None:
    """Have Keras make the variables of its metrics, as `fit` does at its first batch."""
    targets, weights = plan["targets"][0, 0], plan["weights"][0, 0]
    predictions = np.zeros((len(targets), *model.output_shape[1:]), np.float32)
    model.compute_loss(None, targets, predictions, weights)
    model.compute_metrics(None, targets, predictions, weights)


def _rate_index(optimizer: keras.optimizers.Optimizer) -> int:
    """Return which of an optimizer's variables is its learning rate."""
    found = [number for number, variable in enumerate(optimizer.variables) if variable.name == "learning_rate"]
    if len(found) != 1:
        raise NotFusedError("the learning rate of its optimizer is no variable, so that no schedule could set it")
    return found[0]


def _memory_bytes(settings: Settings) -> float:
    """Return the memory that a program may use: of the device, or of a worker on the CPU."""
    stats = jax.local_devices()[0].memory_stats() or {}
    return float(stats.get("bytes_limit", settings.max_worker_memory_mb * 1e6))
