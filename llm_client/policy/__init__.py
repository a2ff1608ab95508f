"""Pure decisions: whether to retry, where to go. The clock and chance are passed in."""
