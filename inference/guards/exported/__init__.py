"""Judges programs of ``torch.export``, by torch's schema of their JSON."""
