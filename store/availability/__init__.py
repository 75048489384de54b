"""What it means that a backing service is away, and how operators learn of it: the same for all processes."""
