"""Packs `checkpoints/`, which lies beside the package, into it; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

MODELS = "afa_viz.checkpoints"

setup(packages=[*find_packages(include=["afa_viz*"]), MODELS], package_dir={MODELS: "checkpoints"})
