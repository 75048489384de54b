"""The fault that the checks of TorchScript source report: a node of the syntax tree, and what is wrong with it."""

import ast
from typing import NoReturn


class NotAccepted(Exception):
    """A program that is not accepted; ``reason`` follows the words "The TorchScript code"."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def refuse(node: ast.expr | ast.stmt, reason: str) -> NoReturn:
    """Report a node that is not accepted.

    Raises:
        NotAccepted: always.
    """
    raise NotAccepted(node.lineno, reason)
