"""The ``recoq`` command: starts the processes, manages keys and publishes models."""
