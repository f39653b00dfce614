"""What the browser gets at first: assets, controls, settings, permalinks, the Python export."""
