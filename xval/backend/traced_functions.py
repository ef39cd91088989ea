"""Let go of the functions that TensorFlow has traced for models of earlier jobs, which it would keep for ever.

Comes in: nothing. Goes out: nothing. A part of TensorFlow that has a gradient of its own (some of its losses and layers have)
registers it anew in every function that is traced, and never takes it back; the gradient holds the whole graph, about 9 MB for
each fresh fit of a small network.
"""

import sys
from typing import Any

_NAMES = "CustomGradient-"


def forget_traced_gradients() -> None:
    """Drop the gradients that earlier traces have registered; whoever wants one traces its function anew.

    A function that has been traced with its gradient, as a training step is, goes on working. There is no public way: where
    TensorFlow keeps its gradients elsewhere, nothing happens, and max_worker_memory_mb bounds the memory of a worker.
    """
    ops = sys.modules.get("tensorflow.python.framework.ops")
    registered: Any = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    if isinstance(registered, dict):
        for name in [name for name in registered if isinstance(name, str) and name.startswith(_NAMES)]:
            del registered[name]
