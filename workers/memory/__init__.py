"""What a worker process does about its own memory."""
