"""A static web site of the explorer: its images, its files, and the folder that holds them."""
