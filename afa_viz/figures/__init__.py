"""Figures of a trace: pure functions from `Trace` to image arrays, charts, and the self-contained report."""
