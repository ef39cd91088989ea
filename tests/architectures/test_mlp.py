"""Hidden layers of mlp."""

from architectures import mlp


def test_without_hidden_layers_only_the_linear_layer_is_left():
    model = mlp.build((4, 3), (2,), n_units=())
    assert [type(layer).__name__ for layer in model.layers[1:]] == ["Flatten", "Dense"]
    assert model.count_params() == (12 + 1) * 2


def test_each_number_of_units_is_a_layer():
    model = mlp.build((4, 3), (2,), n_units=(7, 5))
    assert model.count_params() == (12 + 1) * 7 + (7 + 1) * 5 + (5 + 1) * 2
