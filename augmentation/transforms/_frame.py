"""Base for transforms that draw one number from a range, and for those that audiomentations applies."""

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
    """Return the draw of a transform that has one parameter, a number between two options.

    Args:
        parameter: What apply calls the number.
        kind: The type of both options, with their limits.
        draw_number: Draws from the generator, between both ends.
        ends: The option of the lowest number and that of the highest one, each a ``Field`` with its default and description.
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
    """Return what a transform of audiomentations makes of samples with these parameters.

    Its own drawing uses the global generators of random and numpy, and is passed by: frozen parameters are not drawn again.

    Args:
        transform: An instance of the transform.
        samples: float32 (n_samples,), mono, full scale is -1 to 1.
        sample_rate_hz: Their rate.
        parameters: What its ``apply`` looks up in its parameters.

    Returns:
        float32 (n_samples,).
    """
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    return np.asarray(transform(samples, sample_rate_hz), dtype=np.float32)
