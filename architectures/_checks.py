"""Check the options and input shapes of architectures; errors say what is allowed.

The underscore keeps this file out of the list of architectures.
"""

from xval.base.errors import SettingsError, suggestion


def check_counts(architecture: str, **options: int | tuple[int, ...]) -> None:
    """Check that counts, and all counts in tuples, are at least 1.

    Args:
        architecture: ``__name__`` of the architecture's module.
        **options: Options by name, each a count or a tuple of counts (one per layer).

    Raises:
        SettingsError: An option is, or contains, a number below 1.
    """
    for option, received in options.items():
        counts = received if isinstance(received, tuple) else (received,)
        if any(count < 1 for count in counts):
            _refuse(architecture, option, received, "whole numbers of at least 1")


def check_layers(architecture: str, *, n_layers: int | None = None, **options: tuple[int, ...]) -> None:
    """Check that tuples of layer sizes have an allowed length, and sizes of at least 1.

    Args:
        architecture: ``__name__`` of the architecture's module.
        n_layers: The only allowed length; None: any length from 1.
        **options: Options by name, each with one size per layer.

    Raises:
        SettingsError: An option has too few or too many sizes, or a size below 1.
    """
    for option, received in options.items():
        if len(received) < 1 or n_layers not in (None, len(received)):
            allowed = "one number or more" if n_layers is None else f"exactly {n_layers} numbers"
            _refuse(architecture, option, received, f"{allowed}, one for each layer")
    check_counts(architecture, **options)


def check_dropout(architecture: str, dropout: float, option: str = "dropout") -> None:
    """Check that a dropout rate is in [0, 1).

    Args:
        architecture: ``__name__`` of the architecture's module.
        dropout: Share of the values that are set to zero in training.
        option: Name of the option.

    Raises:
        SettingsError: The rate is negative, 1 or more, or NaN.
    """
    if not 0 <= dropout < 1:
        _refuse(architecture, option, dropout, "0 (off) up to, but not including, 1")


def check_choice(architecture: str, choices: tuple[str, ...], **options: str) -> None:
    """Check that options are among the allowed names.

    Args:
        architecture: ``__name__`` of the architecture's module.
        choices: Allowed names.
        **options: Options by name.

    Raises:
        SettingsError: An option is none of the choices; the message suggests the nearest.
    """
    for option, received in options.items():
        if received not in choices:
            message = f"architecture {_short(architecture)!r}, option {option!r}: received {received!r}."
            raise SettingsError(f"{message} {suggestion(received, choices)}")


def check_input(
    architecture: str,
    input_shape: tuple[int | None, ...],
    axes: tuple[str, ...] = (),
    *,
    any_length: bool = False,
) -> None:
    """Check that examples have the axes that an architecture reads, no empty axis, and an allowed length.

    Args:
        architecture: ``__name__`` of the architecture's module.
        input_shape: Shape of one example, without the batch axis.
        axes: Names of the axes that the architecture reads, such as ``("frames", "bins")``; empty: any axes.
        any_length: Whether the number of frames may be unknown (None), as for whole clips that are tested at their own length.

    Raises:
        SettingsError: The number of axes differs, an axis is empty, or the number of frames is unknown and must not be.
    """
    if not any_length and None in input_shape:
        raise SettingsError(
            f"architecture {_short(architecture)!r}: reads examples of one length, but whole clips are tested at their own "
            "(crop_s is set). Set example_length_s to crop_s, so that windows are tested and a clip gets their mean."
        )
    if axes and len(input_shape) != len(axes):
        raise SettingsError(
            f"architecture {_short(architecture)!r}: received examples of shape {input_shape}; it reads "
            f"({', '.join(axes)}). Leave reshaping_type at auto, or choose another architecture."
        )
    if axes and any(size is not None and size < 1 for size in input_shape):
        raise SettingsError(
            f"architecture {_short(architecture)!r}: received examples of shape {input_shape} ({', '.join(axes)}); "
            f"the smallest allowed size is {' x '.join('1' * len(axes))} ({', '.join(axes)}). "
            "Longer clips, a shorter hop_length or more bins make examples larger."
        )


def halving(size: int | None) -> int:
    """Return the pool size that halves an axis, and leaves an axis of one value as it is; an unknown size (None) is halved."""
    return 2 if size is None else min(2, size)


def _refuse(architecture: str, option: str, received: object, allowed: str) -> None:
    raise SettingsError(f"architecture {_short(architecture)!r}, option {option!r}: received {received!r}. Allowed: {allowed}.")


def _short(module_name: str) -> str:
    return module_name.rpartition(".")[2]
