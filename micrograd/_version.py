"""The version of this package; the caches of compiled code depend on it."""

__all__ = ["__version__"]

__version__ = "0.2.0"
