"""A plain PyTorch library for recognition: loads networks, prepares images, runs batches, reads results.

Knows no HTTP, queue, database or environment. The workers drive it; anything else may.
"""
