"""Functions for transforms that draw one number from a range, and for transforms that audiomentations applies."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any

import numpy as np

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._options import draw_evenly


def draw_between(
    parameter: str,
    kind: Any,
    draw_number: Callable[[np.random.Generator, float, float], float] = draw_evenly,
    **ends: Any,
) -> Callable[..., Parameters]:
    """Return the function draw of a transform with one parameter, a number in a range whose ends are options.

    Args:
        parameter: Name of the parameter of apply.
        kind: Type of both options, with their limits.
        draw_number: Returns a number from the generator, the lower and the upper end.
        ends: The option for the lower end and then that for the upper end, each a ``Field`` with its default and description.
    """
    named = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("rng", "sample_rate_hz")]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=end.default, annotation=Annotated[kind, end])
        for name, end in ends.items()
    ]
    signature = Signature([*named, *options])

    def draw(*arguments: Any, **chosen: float) -> Parameters:
        bound = signature.bind(*arguments, **chosen)
        bound.apply_defaults()
        lowest, highest = (bound.arguments[name] for name in ends)
        return {parameter: draw_number(bound.arguments["rng"], lowest, highest)}

    draw.__signature__ = signature  # type: ignore[attr-defined]
    draw.__doc__ = f"Draw {parameter}. Options: {', '.join(f'{name}: one end of its range' for name in ends)}."
    return draw


def apply_frozen(transform: Any, samples: Samples, sample_rate_hz: int, **parameters: object) -> Samples:
    """Apply a transform of audiomentations with given parameters to samples.

    The transform would draw its parameters from the global generators of random and NumPy; frozen parameters are not drawn.

    Args:
        transform: An instance of the transform.
        samples: float32 (n_samples,), mono, full scale is -1 to 1.
        sample_rate_hz: Sample rate (Hz).
        parameters: The parameters that its ``apply`` uses.

    Returns:
        float32 (n_samples,).
    """
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return np.asarray(transform(samples, sample_rate_hz), dtype=np.float32)
