"""The parts of the page: assets, controls, config fields, permalinks and the Python export."""
