"""Benchmarks: this engine and its peers, side by side in one run. ``python -m benchmarks --help`` tells how."""
