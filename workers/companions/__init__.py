"""Processes beside a worker that do what it may not: start trials, fetch image URLs, download weights."""
