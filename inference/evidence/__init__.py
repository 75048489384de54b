"""What speaks for running a network otherwise than one image at a time, in float32, module by module.

The warm-up asks at deployment, and the batcher in service: each compares answers (``comparison``), and believes only
what comes of images whose answers differ (``telling``).
"""
