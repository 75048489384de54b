"""Decoders of image files in processes of their own, so that a hostile file harms its own task at most."""
