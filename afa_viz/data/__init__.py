"""Data sets and what happens to an image on its way into the network."""
