"""One file per transform, found by its name: add a file here and ``xval augment`` uses it.

Such a file has two functions, one that draws parameters and one that applies them:

    draw(rng, sample_rate_hz, *, min_snr_db: float = 5.0, ...) -> dict          the parameters of one copy
    apply(samples, sample_rate_hz, *, snr_db: float, ...) -> samples            called with the drawn parameters

draw uses only the given generator and returns values that JSON can hold. apply depends only on its arguments; if it needs
random numbers, draw returns a seed for them. Therefore the parameters in augmented.csv describe a copy completely. Each
keyword-only argument of draw is an option, ``<file>_<option>`` in config.ini and for --set; ``min_x`` and ``max_x`` are the
ends of a range. Its annotation has the type, the limits, and the meaning and unit: ``Annotated[Decibels,
Field(description="...")]``. A transform with one number can use ``draw = draw_between(...)`` of _frame.py, which also has a
function that applies transforms of audiomentations. ``PROBABILITY`` is the default probability of the transform. Samples are
mono, float32 (n_samples,), full scale is -1 to 1. Optional names in such a file:

    CHANGES_LEVEL = True        the peak of the copy stays as apply returns it; otherwise the peak of before is restored
    CHANGES_LENGTH = True       apply returns another number of samples
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

from augmentation.transforms._options import Share
from preprocessing.options.named_files import file_names, load_file, read_options
from xval.base.errors import SettingsError

Samples: TypeAlias = NDArray[np.float32]
Parameters: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Transform:
    """A file of transforms/, loaded.

    Attributes:
        name: The file's name.
        draw: Its function that draws parameters.
        apply: Its function that applies them.
        probability: ``(annotation, default)`` of its probability, 0 to 1.
        options: ``{name: (annotation, default)}`` of the keyword-only arguments of draw.
        changes_level: Whether the peak stays as apply returns it.
        changes_length: Whether apply returns another number of samples.
    """

    name: str
    draw: Callable[..., Parameters]
    apply: Callable[..., Samples]
    probability: tuple[Any, float]
    options: dict[str, tuple[Any, Any]]
    changes_level: bool
    changes_length: bool


def transform_names() -> tuple[str, ...]:
    """Return the names of all transforms: the files of this folder."""
    return file_names(__name__)


@cache
def find_transform(name: str) -> Transform:
    """Load the file of a transform.

    Raises:
        SettingsError: There is no such transform, or its file is not as described above.
    """
    module = load_file(__name__, name, kind="transform", wanted=("draw", "apply", "PROBABILITY"), error=SettingsError)
    options: dict[str, tuple[Any, Any]] = {}
    for option in read_options(module, "draw", n_positional=2, error=SettingsError):
        if option.default is option.empty:
            raise SettingsError(f"{module.__file__}: argument '{option.name}' of draw() needs a default.")
        options[option.name] = (option.annotation, option.default)
    return Transform(
        name=name,
        draw=module.draw,
        apply=module.apply,
        probability=(get_type_hints(module, include_extras=True).get("PROBABILITY", Share), module.PROBABILITY),
        options=options,
        changes_level=getattr(module, "CHANGES_LEVEL", False),
        changes_length=getattr(module, "CHANGES_LENGTH", False),
    )
