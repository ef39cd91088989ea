"""Experiment tracking in MLflow or Weights & Biases: the setting ``tracking``."""
