"""Server functions and event callbacks, one file per topic."""
