"""Training runs in separate processes."""
