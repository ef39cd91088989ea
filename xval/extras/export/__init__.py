"""A saved model as ONNX, SavedModel or TFLite, checked against the model itself: ``xval export``."""
