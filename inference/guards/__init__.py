"""The first wall: judges what was uploaded by its structure, before torch opens it."""
