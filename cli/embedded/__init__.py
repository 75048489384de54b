"""What ``recoq up`` does for the Redis that it starts itself."""
