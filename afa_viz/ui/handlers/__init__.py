"""One file for each question that a page may ask."""
