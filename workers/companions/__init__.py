"""Processes beside a worker that do what it may not: start trials and decoders, fetch image URLs, download weights."""
