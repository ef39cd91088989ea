"""When a model should abstain: conformal sets of classes, and the error rate of the clips that it does predict."""
