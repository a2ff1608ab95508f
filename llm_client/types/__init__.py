"""Frozen value types shared by every floor. Standard library only, no I/O."""
