"""The training loop: data in, three losses, pseudo labels from the stages of `afa_viz.stages`, checkpoints out."""
