"""What an export needs to be installed, found without loading torch."""

from __future__ import annotations

from importlib.util import find_spec

PACKAGES = ("onnx", "onnxscript")


class ExportError(ValueError):
    """A network that cannot be exported; the message is one sentence for the user."""


def require_packages() -> None:
    """Raise ExportError, with how to get them, where a package is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ExportError(
            f"exporting needs the package{'s' * (len(missing) > 1)} {' and '.join(missing)}, not installed here; "
            "install them with `pip install onnx onnxscript onnxruntime`."
        )
