from hypothesis import given
from hypothesis import strategies as st

from xval.answers.names import describe_parameters, find_names, name_instances

SVM = {"architecture": "svm", "features": "mfcc", "time_parts": 3}


def test_comments_are_the_name_and_what_differs_else():
    parameters = {
        1: {"architecture": "svm", "comment_1": "SVM on MFCC", "comment_2": "mean alone"},
        2: SVM,
        3: SVM | {"features": "logmel", "time_parts": 1},
        4: {"architecture": "cnn_small", "learning_rate": 0.001, "comment_1": ""},
    }
    assert find_names(parameters) == {
        1: "SVM on MFCC, mean alone",
        2: "svm, mfcc, 3 parts",
        3: "svm, logmel, 1 part",
        4: "cnn_small",
    }


def test_equal_comments_are_told_apart_by_what_differs_and_equal_instances_by_their_number():
    same = {"comment_1": "other networks", "batch_size": 8}
    parameters = {1: same | {"seed": 1}, 2: same | {"seed": 2}, 3: same | {"seed": 2}}
    assert find_names(parameters) == {
        1: "other networks, seed 1",
        2: "other networks, seed 2 #2",
        3: "other networks, seed 2 #3",
    }


def test_a_name_that_is_made_stays_short():
    parameters = {
        number: {"architecture": "x", **{f"option_{n}": "y" * 20 + str(number) for n in range(9)}} for number in (1, 2)
    }
    names = find_names(parameters)
    assert names[1] == f"x, option_0 {'y' * 20}1"
    assert max(map(len, names.values())) <= 60


@given(
    st.lists(
        st.fixed_dictionaries({"comment_1": st.sampled_from(["", "a", "a #2", "a #2 #3"]), "seed": st.sampled_from([1, 2])})
    )
)
def test_no_two_instances_share_a_name_and_none_is_empty(parameters):
    names = find_names(dict(enumerate(parameters, start=1)))
    assert len(set(names.values())) == len(parameters)
    assert all(names.values())


def test_sentences_say_the_name_before_the_number(make_instance):
    instances = [
        make_instance(number, [], comment_1=f"{'long ' * 20 if number == 4 else ''}net {number}") for number in (1, 2, 3, 4)
    ]
    assert name_instances([2], instances) == "net 2 (2)"
    assert name_instances([1, 2], instances) == "net 1 (1) and net 2 (2)"
    assert name_instances([1, 2, 3], instances) == "variants 1-3"
    assert name_instances([4], instances) == f"{('long ' * 20)[:59]}… (4)"


def test_parameters_are_said_as_a_grid_names_them():
    assert (
        describe_parameters({"architecture": "crnn", "learning_rate": 0.001, "n_units": [4, 8]})
        == "crnn, learning_rate 0.001, n_units 4, 8"
    )
