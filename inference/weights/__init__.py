"""The files that a network's weights come in: what they are, and what is to be done about those that are others."""
