"""The commands as Typer sees them: names, flags and help. What they do is told beside."""
