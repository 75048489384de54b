"""The error that every command may raise: a sentence for the person at the terminal, and nothing else."""


class CommandError(Exception):
    """A command cannot do what was asked; the message says why and, where it can, what to do."""
