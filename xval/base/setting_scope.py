"""The scope of a setting: what it applies to and which results it can change, as a mark in the annotation of its field.

A setting without a mark belongs to an instance and changes its results. Every list of settings that the engine needs is
derived from these marks (`xval.settings.schema.names_of`).
"""

from enum import Flag, auto


class Scope(Flag):
    """The scope of a setting; several may hold."""

    EXPERIMENT = auto()
    """All instances of an experiment share the setting; an instance that sets it raises an error."""
    UNHASHED = auto()
    """The setting cannot change a number of a result, or is compared elsewhere (the folds have their own hash)."""
    FOLDS = auto()
    """The setting decides the folds."""
    FRAMES = auto()
    """The setting applies only to task_type = frame_classification."""
    NUMBERS = auto()
    """The setting applies only to task_type = regression."""
    CLUSTER = auto()
    """The setting decides where jobs run and what they request of a cluster."""
    RUNTIME = auto()
    """No compiled training function depends on the setting: its value is in a variable, or is used between the steps."""
    NETWORK = auto()
    """The setting applies only to networks: estimators of scikit-learn and feature combinations ignore it."""
    MODEL = auto()
    """The setting decides whether a model can be built, and whether its loss, optimizer, schedule and metrics can be used."""
    LOSS = auto()
    """Validation losses can be compared only between instances with the same value of the setting: with another value they
    are losses of other clips, or of models that were trained with other shares of the classes."""
    DISPLAY_ONLY = auto()
    """The setting is only shown next to results, so a run also writes its new value into finished instances."""
    FEATURE_LOSS = auto()
    """Validation losses of a representation can be compared only between instances with the same value of the setting, because
    these losses are in units of the features."""
    FRAME_LOSS = auto()
    """Validation losses of frame_classification can be compared only between instances with the same value of the setting,
    because other labels of frames are another task."""


# Scopes that often hold together.
RUN = Scope.EXPERIMENT | Scope.UNHASHED
RUN_TIME = RUN | Scope.RUNTIME
DISPLAY = Scope.DISPLAY_ONLY | Scope.RUNTIME
NETWORK_MODEL = Scope.NETWORK | Scope.MODEL
FEATURES = Scope.MODEL | Scope.FEATURE_LOSS
