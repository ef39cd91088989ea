"""Hidden layers of mlp."""

import numpy as np

from architectures import mlp


def test_without_hidden_layers_it_is_linear():
    model = mlp.build((4, 3), (2,), n_units=())
    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((2, 5, 4, 3)).astype("float32")
    both = model.predict(one + other, verbose=0)
    np.testing.assert_allclose(both, model.predict(one, verbose=0) + model.predict(other, verbose=0), atol=1e-5)


def test_each_number_of_units_is_a_layer():
    model = mlp.build((4, 3), (2,), n_units=(7, 5))
    assert model.count_params() == (12 + 1) * 7 + (7 + 1) * 5 + (5 + 1) * 2
