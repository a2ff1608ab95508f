"""The catalog: one row per provider, no logic."""
