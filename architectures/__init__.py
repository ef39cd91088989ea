"""One file per architecture: ``build(input_shape, output_shape, *, ...)`` returns a Keras model with linear outputs."""
