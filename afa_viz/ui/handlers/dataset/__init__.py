"""The Data set tab: images to browse, scored in the background and sorted by the score of each stage."""
