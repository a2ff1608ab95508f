"""The version, as a constant: `importlib.metadata.version()` costs 38 ms at start."""

__version__ = "0.1.0"
