"""What image files say about themselves, beyond what the decoders read right: one module for each format or rule.

Called by :mod:`inference.images`, around the decoding itself.
"""
