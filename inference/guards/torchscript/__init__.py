"""Judges TorchScript archives: their source by its syntax tree, their pickles by what they would make."""
