"""The Data set tab: a set of images to browse, scored in the background, sorted by what each stage makes of them."""
