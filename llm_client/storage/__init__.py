"""Blocking stores: paths, configuration, caches."""
