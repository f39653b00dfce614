"""PAR's Triton form: when it is taken, that it compiles, and that it equals the others: through Triton's
interpreter everywhere (par_interpreted.py), and on a GPU where there is one."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from afa_viz.ops import par, par_fast
from afa_viz.ops.par_fast import cpu_iterations, cpu_kernel

ROOT = Path(__file__).parents[2]
CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
needs_triton = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def run(*arguments: str, **environment: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_triton
@pytest.mark.slow
def test_the_laws_of_par_hold_through_the_interpreter():
    shown = run("-m", "pytest", "-p", "no:cacheprovider", "tests/support/par_interpreted.py", TRITON_INTERPRET="1")
    assert " passed in " in shown and "skipped" not in shown


@needs_triton
@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_compiles_for_a_gpu_that_is_not_here(tmp_path, monkeypatch, dtype):
    from triton import compile
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from afa_viz.ops.par_fast import gpu

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = {"NEIGHBOURS": 64, "PIXELS": 32, "MAPS": gpu.MAPS}
    for function in (gpu._kernel, gpu._iteration):
        kinds = dict.fromkeys(function.arg_names, "i32")
        kinds |= dict.fromkeys(("image", "kernel", "position", "numbers", "old", "new"), f"*{dtype}")
        kinds |= {"offsets": "*i32"} | dict.fromkeys(constants, "constexpr")
        places = {name: place for place, name in enumerate(function.arg_names)}
        source = ASTSource(
            function,
            {name: kinds[name] for name in places},
            {(places[name],): value for name, value in constants.items() if name in places},
        )
        assert ".target sm_80" in compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"]


@needs_triton
def test_is_taken_on_a_gpu_where_it_works(monkeypatch):
    from afa_viz.ops.par_fast import gpu

    on_gpu, elsewhere = (placed_on(device) for device in (GPU, CPU))
    monkeypatch.setattr(gpu, "is_supported", lambda device: device == GPU)
    assert par_fast.gpu_form(on_gpu, on_gpu) is gpu
    assert par_fast.gpu_form(elsewhere) is None and par_fast.gpu_form(on_gpu, elsewhere) is None
    monkeypatch.setattr(gpu, "is_supported", lambda device: False)
    assert par_fast.gpu_form(on_gpu) is None


def test_a_gpu_without_triton_takes_the_plain_form(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "afa_viz.ops.par_fast.gpu", raising=False)
    monkeypatch.delattr("afa_viz.ops.par_fast.gpu", raising=False)
    assert par_fast.gpu_form(placed_on(GPU)) is None


def placed_on(device: torch.device):
    """Stands for a tensor there; a real one would need the GPU."""
    return type("Placed", (), {"device": device})()


def test_on_a_cpu_triton_is_not_imported():
    run(
        "-c",
        "import sys, torch; from afa_viz.ops import par\n"
        "par.pixel_adaptive_refinement(torch.rand(1, 3, 9, 9), torch.rand(1, 8, 9, 9))\n"
        "assert not {'triton', 'afa_viz.ops.par_fast.gpu'} & set(sys.modules)",
    )


@needs_triton
@pytest.mark.parametrize(
    ("by_pixels", "reason"),
    [
        (None, r"PAR does not use Triton on cpu \(\w+: .+ plain form"),  # Triton refuses tensors on the CPU
        (cpu_iterations.by_shifts, None),
        (lambda maps, *given: (step + 0.001 for step in cpu_iterations.by_shifts(maps, *given)), "differs by 1.0e-03"),
        (lambda maps, *given: (step * float("nan") for step in [maps]), "differs by nan"),
    ],
)
def test_what_does_not_compile_or_agree_is_not_used(monkeypatch, by_pixels, reason):
    from afa_viz.ops.par_fast import gpu

    if by_pixels:
        monkeypatch.setattr(gpu, "compute_kernel", cpu_kernel.compute_kernel)
        monkeypatch.setattr(gpu, "by_pixels", by_pixels)
    if reason is None:
        assert gpu.is_supported.__wrapped__(CPU)
        return
    with pytest.warns(UserWarning, match=reason):
        assert not gpu.is_supported.__wrapped__(CPU)


@needs_gpu
@needs_triton
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("num_maps", [1, 3, 21])
def test_on_a_gpu_it_equals_the_cpu(num_maps, dtype):
    image, scores = torch.rand(2, 3, 77, 130, dtype=dtype), torch.rand(2, num_maps, 20, 33, dtype=dtype)
    assert par_fast.gpu_form(image.cuda(), scores.cuda()) is not None
    got = par.pixel_adaptive_refinement(image.cuda(), scores.cuda())
    assert got.is_cuda and got.dtype == dtype and got.is_contiguous()
    atol = max(1e-5, 2 * torch.finfo(dtype).eps)
    torch.testing.assert_close(got.cpu(), par.pixel_adaptive_refinement(image, scores), rtol=0, atol=atol)

    plain_form = par.pixel_adaptive_refinement(image.cuda(), scores.cuda(), fast=False)
    torch.testing.assert_close(plain_form, got, rtol=0, atol=atol)


@needs_gpu
@needs_triton
def test_on_a_gpu_the_kernel_equals_the_cpu():
    image = torch.rand(2, 3, 77, 130, dtype=torch.float64)
    expected = par.pixel_affinity(image)
    torch.testing.assert_close(par.pixel_affinity(image.cuda()).cpu(), expected, rtol=0, atol=1e-10)
