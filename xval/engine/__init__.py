"""Run jobs: the worker that runs one, the executors that run many, the search inside a fold."""
