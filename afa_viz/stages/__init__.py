"""What each stage computes, on tensors; `afa_viz.pipeline` says in which order, for one image or a training batch."""
