"""The method, one step a file: pure functions from tensors and numbers to new tensors."""

from afa_viz.ops import affinity, cam, image, losses, metrics, par, pseudo_label, random_walk

__all__ = ["affinity", "cam", "image", "losses", "metrics", "par", "pseudo_label", "random_walk"]
