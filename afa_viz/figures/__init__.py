"""Pictures of a trace: pure functions from `Trace` to arrays, and the self-contained report."""
