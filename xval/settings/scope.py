"""What a setting belongs to and what it can change: the marks in the annotations of the fields of `Settings`.

A field without a mark belongs to an instance and changes its results. Every list of setting names that the engine needs is
derived from these marks (`xval.settings.schema.names_of`).
"""

from enum import Flag, auto


class Scope(Flag):
    """The scope of a setting; several may hold."""

    EXPERIMENT = auto()
    """All instances of an experiment share it; an instance that sets it is refused."""
    UNHASHED = auto()
    """It cannot change a number of a result, or is compared elsewhere (the folds have a hash of their own)."""
    FOLDS = auto()
    """It decides the folds."""
    FRAMES = auto()
    """Only experiments whose task is frame_classification have it."""
    NUMBERS = auto()
    """Only experiments whose task is regression have it."""
    CLUSTER = auto()
    """It says where jobs run and what they ask of a cluster."""
    BETWEEN_STEPS = auto()
    """No compiled function has read it: what it sets lies in variables, or is done between the steps."""
    NETWORK = auto()
    """It trains a network, and so means nothing to a combination of features."""
    MODEL = auto()
    """It decides whether a model can be built, and its loss, optimizer, schedule and metrics be used."""
    LOSS = auto()
    """Validation losses compare only between instances that agree in it: they would be of other clips, or of models that were
    trained to answer other shares of the classes."""
    WORDS = auto()
    """It is only said beside results, so that a run also gives its new value to instances that are finished."""
    FEATURE_LOSS = auto()
    """So do the errors of a representation, which are measured in units of the features."""
    FRAME_LOSS = auto()
    """So do the losses of frame classification: other labels of frames are other questions."""
