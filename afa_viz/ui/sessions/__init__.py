"""State of the running app: models, images, explanations, caches and limits."""
