"""Who carries the laws out: the runner, the other process, the static check."""
