"""Show a model's answer on a terminal.

Import the module that is needed, not this package: `sanitize` and `plain` are cheap, `markdown`
imports rich (about 60 ms) and belongs on the path of an interactive terminal only.
"""
