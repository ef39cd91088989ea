"""Reviews of a finished experiment on a copy of its dataset (without the audio), and servers of such reviews."""

import shutil
import threading
from contextlib import ExitStack, contextmanager

import pytest

from xval.answers.read import choose_instance, read_corpus
from xval.extras.label_review import session
from xval.extras.label_review.server import ReviewServer
from xval.extras.label_review.session import Review
from xval.results.folder import find_experiment


def _make_reviews(finished, data, *, patch=None):
    """Return a function that makes the review of a reviewer, on a copy of the dataset in a folder."""
    shutil.copytree(finished.folder / "data", data)
    folder = find_experiment(finished.results)
    instance = choose_instance(folder, 1)

    def make(reviewer="ann", *, predicted=None, corpus=None):
        if predicted is not None:
            patch.setattr(session, "read_predicted_clips", lambda _: predicted)
        return Review(instance, corpus or read_corpus(folder, instance.settings, data), reviewer)

    return make


@contextmanager
def _serving():
    with ExitStack() as running:

        def start(review):
            server = ReviewServer(review)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            running.callback(thread.join)
            running.callback(server.server_close)
            running.callback(server.shutdown)
            return server

        yield start


@pytest.fixture
def make_review(finished, tmp_path, monkeypatch):
    """Return a function that makes the review of a reviewer; `predicted` replaces the predictions of the run."""
    return _make_reviews(finished, tmp_path / "data", patch=monkeypatch)


@pytest.fixture
def serve():
    """Return a function that serves a review in a thread."""
    with _serving() as start:
        yield start


@pytest.fixture(scope="module")
def shared_server(finished, tmp_path_factory):
    """Return a server for all tests of a module, which leave no verdict behind."""
    with _serving() as start:
        yield start(_make_reviews(finished, tmp_path_factory.mktemp("review") / "data")())
