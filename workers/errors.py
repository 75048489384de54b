"""What a task's owner is told when the fault is not the server's."""


class TaskFailure(Exception):
    """The task cannot be done; the message is one sentence for its owner."""
