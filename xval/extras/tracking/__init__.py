"""Runs in MLflow or Weights & Biases: the setting ``tracking``."""
