# xval in a container: docs/install.md. A study, with its data and results, is mounted at /study.
#   docker build --target cpu -t xval .
#   docker run --rm --user $(id -u):$(id -g) -v "$PWD":/study xval python experiments/first.py
FROM python:3.11-slim-bookworm AS cpu
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /opt/xval
COPY pyproject.toml setup.py config.ini constraints.txt LICENSE README.md ./
COPY architectures architectures
COPY augmentation augmentation
COPY preprocessing preprocessing
COPY xval xval
RUN python -m pip install --constraint constraints.txt '.[tensorflow]' && rm -rf build *.egg-info
# A user without an entry in the image, as --user gives, has no home: what libraries cache goes to /tmp.
ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /study
CMD ["xval", "--help"]

# The CUDA libraries come from the package index; the driver is the host's (NVIDIA Container Toolkit).
FROM cpu AS cuda
RUN python -m pip install --constraint /opt/xval/constraints.txt "tensorflow[and-cuda]"

# What docker build makes without --target.
FROM cpu
