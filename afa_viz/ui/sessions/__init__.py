"""What the app computes and keeps: models, images, explanations, caches."""
