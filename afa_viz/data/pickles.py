"""Safe loading of `.npy` files that hold a pickled dictionary of arrays; no other code of the file runs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

# What numpy needs to rebuild arrays and numbers, under the names of its old and new versions.
ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
    *(
        (f"numpy.{core}.{module}", name)
        for core in ("core", "_core")
        for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
    ),
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise ValueError(f"it calls {module}.{name}, which no array needs")
        return super().find_class(module, name)


def load_array_dictionary(path: Path) -> dict[Any, Any]:
    """The dictionary that `numpy.save(path, dictionary)` wrote; values are arrays, numbers or lists.

    Raises: ValueError: for any other file, and for one that would run code when read.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, _, dtype = header[version](file)
            if shape != () or not dtype.hasobject:
                raise ValueError(f"it holds an array of {dtype} with shape {shape}")
            held = _ArraysOnly(file).load().item()
        if not isinstance(held, dict):
            raise ValueError(f"it holds a {type(held).__name__}")
    except FileNotFoundError:
        raise
    except Exception as error:  # a broken or hostile file may raise anything
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path} is not a dictionary of arrays ({reason}); expected name -> one value per class."
        ) from error
    return held
