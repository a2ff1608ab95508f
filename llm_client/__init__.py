"""One client for every LLM provider: a shell command and a Python library over one core."""
