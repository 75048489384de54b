"""The commands that look after a running service: specifications, networks, versions, tasks and its state."""
