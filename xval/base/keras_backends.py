"""The backends of Keras: the installed ones and the default."""

from importlib.util import find_spec

from xval.base.errors import SettingsError, how_to_install

BACKENDS = ("tensorflow", "torch", "jax")
"""The names of their packages; the first installed one is the default."""
AUTO = "auto"


def installed_backends() -> list[str]:
    """Return the installed backends, without importing them."""
    specs = {name: find_spec(name) for name in BACKENDS}
    return [name for name, spec in specs.items() if spec is not None and spec.origin is not None]  # a folder alone has none


def default_backend() -> str:
    """Return the default backend; the first of all if none is installed."""
    return next(iter(installed_backends()), BACKENDS[0])


def installed_or_default(backend: str) -> str:
    """Return a backend if it is installed, or if none is; else the default, because models load on each of them."""
    installed = installed_backends()
    return backend if backend in installed or (backend in BACKENDS and not installed) else default_backend()


def require_backend(name: str, asked_by: str = "", *, is_choice: bool = True) -> None:
    """Raise an error for a backend that is not installed.

    Args:
        name: The requested backend.
        asked_by: The setting or file that requested it, for the beginning of the error.
        is_choice: Whether another backend would be possible.
    """
    installed = installed_backends()
    if name not in BACKENDS or name in installed:
        return
    others = f" Or choose one that is installed: backend = {' or '.join(installed)}." if installed and is_choice else ""
    raise SettingsError(f"{asked_by}backend='{name}': {name} is not installed. Install it: {how_to_install(name)}.{others}")
