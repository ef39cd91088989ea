"""model.ensemble: the models of the members by path and hash, and how to combine their predictions."""

from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from xval.base.errors import ResultsError
from xval.base.json_files import FORMAT_VERSION, read_json
from xval.measures.task import Activation
from xval.models.saved.initial import hash_member
from xval.results.folder import ESTIMATOR_NAME, KERAS_NAME
from xval.reuse.ensembles.combine import Combiner

_MODEL_NAMES = (KERAS_NAME, ESTIMATOR_NAME)
_Share = Annotated[float, Field(ge=0, le=1)]


class Member(BaseModel):
    """A model of an ensemble.

    Attributes:
        path: Path relative to the folder of model.ensemble.
        hash: Hash from `hash_member`.
        weight: Weight in the mean; equal for all members of a stack.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: str
    hash: str
    weight: _Share


class EnsembleFile(BaseModel):
    """The content of model.ensemble.

    Attributes:
        combined: Whether predictions for examples are combined, or for clips if members cut clips into different examples.
        activation: See `Task.activation`.
        members: The members with a weight.
        coefficients: For a stack, as in `Combiner`; None: a weighted mean.
        intercepts: For a stack, as in `Combiner`; None: a weighted mean.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    format_version: int = FORMAT_VERSION
    combined: Literal["examples", "clips"]
    activation: Activation
    members: tuple[Member, ...] = Field(min_length=1, max_length=1000)
    coefficients: tuple[tuple[float, ...], ...] | None = None
    intercepts: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _check_shapes(self) -> Self:
        names = {Path(member.path).name for member in self.members}
        if not names <= set(_MODEL_NAMES):
            raise ValueError(f"members are {' or '.join(_MODEL_NAMES)}; received {sorted(names)}")
        if (self.coefficients is None) is not (self.intercepts is None):
            raise ValueError("coefficients and intercepts must be given together")
        if self.coefficients is not None and self.intercepts is not None:
            n_outputs = len(self.intercepts)
            if len(self.coefficients) != n_outputs * len(self.members) or {len(row) for row in self.coefficients} != {
                n_outputs
            }:
                raise ValueError(f"coefficients do not match {len(self.members)} members and {n_outputs} outputs")
        elif not np.isclose(sum(member.weight for member in self.members), 1):
            raise ValueError("the sum of the weights is not 1")
        return self

    @property
    def combiner(self) -> Combiner:
        """The combiner of the members' predictions."""
        regression = None if self.coefficients is None else (np.array(self.coefficients), np.array(self.intercepts))
        return Combiner(self.activation, np.array([member.weight for member in self.members]), *(regression or ()))


def describe(combiner: Combiner, members: list[Member], combined: str) -> EnsembleFile:
    """Return the content of model.ensemble, without members that have no weight; members are in the combiner's order."""
    return EnsembleFile.model_validate(
        {
            "combined": combined,
            "activation": combiner.activation,
            "members": [member.model_dump() for member in members if member.weight],
            "coefficients": None if combiner.coefficients is None else combiner.coefficients.tolist(),
            "intercepts": None if combiner.intercepts is None else combiner.intercepts.tolist(),
        }
    )


def read_ensemble(path: Path) -> EnsembleFile:
    """Return the checked content of a model.ensemble."""
    content = read_json(path)
    if content is None:
        raise ResultsError(f"{path}: missing.")
    try:
        return EnsembleFile.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(str(fault["msg"]) for fault in error.errors(include_url=False)[:3])
        raise ResultsError(f"{path}: not an ensemble of this version ({faults}). Make it again: xval ensemble.") from error


def member_paths(path: Path, content: EnsembleFile) -> list[Path]:
    """Return the models of an ensemble, each checked against its hash."""
    models = []
    for member in content.members:
        model = path.parent / member.path
        if not model.is_file():
            raise ResultsError(f"{path}: its member {model} is missing. Restore it, or make the ensemble from other members.")
        if hash_member(model) != member.hash:
            raise ResultsError(
                f"{path}: its member {model} is another model than when the ensemble was made (hash {hash_member(model)}, was "
                f"{member.hash}). Make the ensemble again: xval ensemble."
            )
        models.append(model.resolve())
    return models
