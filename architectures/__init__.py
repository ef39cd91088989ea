"""One file per architecture: ``build(input_shape, output_shape, *, ...)`` returns a Keras model with linear outputs.

Files in the folder architectures of the user's study are used in the same way (see `xval.base.config_file.find_study`).
"""
