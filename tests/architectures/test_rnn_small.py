"""Cells, directions and depth of rnn_small."""

import pytest

from architectures import rnn_small


def count(n_gates: int, n_inputs: int, n_units: int, n_biases: int) -> int:
    """Return the weights of one recurrent layer in one direction."""
    return n_gates * n_units * (n_inputs + n_units + n_biases)


@pytest.mark.parametrize(("cell", "n_gates", "n_biases"), [("gru", 3, 2), ("lstm", 4, 1)])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_number_of_weights_is_that_of_the_cell(cell, n_gates, n_biases, bidirectional):
    model = rnn_small.build((30, 13), (5,), cell=cell, n_units=(8, 4), bidirectional=bidirectional)
    directions = 2 if bidirectional else 1
    first = directions * count(n_gates, 13, 8, n_biases)
    second = directions * count(n_gates, 8 * directions, 4, n_biases)
    assert model.count_params() == first + second + (4 * directions + 1) * 5
