"""Compare the answers for clips that are padded to one length, to a longer one, and not at all; for one backend."""

import sys
from importlib import import_module

import keras
import numpy as np

from xval.settings.architectures import find_architecture

ENDS = (11, 8, 5)


def main() -> None:
    rng = np.random.default_rng(0)
    for name in sys.argv[1:]:
        axes = (None, 12, 1) if find_architecture(name).reshaping_type == "conv" else (None, 12)
        narrow = {"n_units": 8, **({"n_filters": (2, 3)} if len(axes) == 3 else {})}
        model = import_module(f"architectures.{name}").build(axes, (3,), **narrow)
        for variable in model.variables:  # statistics of a trained model are neither 0 nor 1
            if "moving" in variable.path:
                variable.assign(rng.uniform(0.5, 2, variable.shape))
        clips = rng.normal(size=(3, 16, *axes[1:])).astype(np.float32)
        for clip, end in zip(clips, ENDS, strict=True):
            clip[end:] = np.nan
        alone = np.concatenate([_answer(model, clip[np.newaxis, :end]) for clip, end in zip(clips, ENDS, strict=True)])
        for length in (11, 16):
            np.testing.assert_allclose(_answer(model, clips[:, :length]), alone, atol=1e-5, err_msg=name)
        sys.stdout.write(f"{name}\n")


def _answer(model: keras.Model, clips: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(clips, training=False))


if __name__ == "__main__":
    main()
