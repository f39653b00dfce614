"""Mean and standard deviation of ImageNet's pixels, with which images are normalised; docs/spec.md section 2."""

MEAN = (123.675, 116.28, 103.53)  # RGB, 0..255 scale
STD = (58.395, 57.12, 57.375)
