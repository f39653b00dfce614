"""The files of onnxruntime-web that a browser runs the network with."""

from __future__ import annotations

from pathlib import Path

RUNTIMES = {  # execution provider -> script and WebAssembly file of the package
    "wasm": ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"),
    "webgpu": ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm"),
}
REQUIRED = "wasm"  # every browser runs it
FOLDERS = ("", "dist", "onnxruntime-web/dist", "node_modules/onnxruntime-web/dist")  # below what was given

Runtimes = dict[str, tuple[Path, Path]]


def find_runtimes(folder: Path) -> Runtimes:
    """Script and WebAssembly file of each provider that onnxruntime-web has in its folder, or in one that holds it.

    Raises: ValueError: if those of WebAssembly are not there.
    """
    for below in FOLDERS:
        paths = {
            provider: (folder / below / script, folder / below / wasm) for provider, (script, wasm) in RUNTIMES.items()
        }
        found = {provider: pair for provider, pair in paths.items() if all(path.is_file() for path in pair)}
        if REQUIRED in found:
            return found
    script, wasm = RUNTIMES[REQUIRED]
    raise ValueError(
        f"--onnxruntime-web {folder} has no {script} with {wasm}; expected the folder of the npm package "
        "onnxruntime-web: run `npm install onnxruntime-web` and name node_modules/onnxruntime-web."
    )
