"""Figures of a trace: pure functions from `Trace` to image arrays, and charts."""
