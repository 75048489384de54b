"""The rule of turns: accounts take turns by the seconds that their tasks cost, whatever number of tasks these are.

Each queue of a service class ranks the accounts that have tasks in it by the seconds that they have been given, and
the one that has been given the fewest is next (``lua/turns.lua``). Who comes back after a pause begins where the first
of those is that wait, so nobody saves up turns and nobody has to make up for a time in which others wanted nothing.
What a task costs is estimated when it is accepted and corrected when it ends.

Heavy images are known by their estimate. A worker takes no more of them than it can begin soon, and those of accounts
whose next image is heavy are passed over until then, so that light ones never wait behind them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

HEAVY_SECONDS = 0.25  # of decoding: such an image is heavy
TOGETHER_SECONDS = 0.1  # of decoding, of tasks that one thread runs together
URL_SECONDS = 0.02  # of decoding an image that is not here yet
NETWORK_SECONDS = 0.01  # of a network that was not measured
WAKE_KEY = "recoq:wake"  # has an element while tasks wait that no worker has looked for
NEVER_KEY = "recoq:never"  # nothing is ever put there: to wait for it is to wait for a time


@dataclass(frozen=True)
class Cost:
    """The seconds that a task is estimated to take."""

    decoding_seconds: float = 0.0
    network_seconds: float = 0.0

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Return the cost that ``text`` was made of; nothing, for a task of a release that had none."""
        seconds, _, decoding = text.decode().partition(" ")
        return cls(float(decoding), float(seconds) - float(decoding)) if decoding else cls()

    @property
    def text(self) -> str:
        """The form in which the ledger keeps it: all seconds, and those of decoding."""
        return f"{self.decoding_seconds + self.network_seconds:.6f} {self.decoding_seconds:.6f}"

    @property
    def is_heavy(self) -> bool:
        """Whether the images are heavy."""
        return self.decoding_seconds >= HEAVY_SECONDS


NOTHING = Cost()


def network_seconds(report: Mapping[str, Any] | None) -> float:
    """Return what an image takes in a full batch of a network, by the report of its deployment."""
    size = (report or {}).get("max_batch_size", 1)
    milliseconds = ((report or {}).get("batch_milliseconds") or {}).get(str(size))
    return NETWORK_SECONDS if milliseconds is None else float(milliseconds) / 1000 / int(size)


@dataclass(frozen=True)
class Taken:
    """What a worker has taken: elements of one account's line, oldest first, which are a cost and a message each."""

    queue: str
    account_id: int
    elements: Sequence[bytes]

    @property
    def messages(self) -> list[bytes]:
        """The messages of the tasks."""
        return [element.split(b" ", 2)[2] for element in self.elements]

    @property
    def decoding_seconds(self) -> float:
        """What it takes to decode their images, one after the other."""
        return sum(float(element.split(b" ", 2)[1]) for element in self.elements)

    @property
    def seconds(self) -> float:
        """What the tasks cost."""
        return sum(float(element.split(b" ", 1)[0]) for element in self.elements)


def take_arguments(room: int, heavy_room: int, queues: Sequence[str], left_out: Collection[int]) -> list[Any]:
    """Return the arguments of ``take.lua``.

    Args:
        room: the most tasks.
        heavy_room: 0 if no heavy one may be taken.
        queues: in the order in which to look.
        left_out: accounts of which nothing is taken.
    """
    return [room, heavy_room, HEAVY_SECONDS, TOGETHER_SECONDS, len(queues), *queues, *left_out]


def read_taken(answer: Sequence[Any]) -> tuple[Taken | None, bool]:
    """Return what ``take.lua`` has given, and whether more waits."""
    more, *rest = answer
    if not rest:
        return None, bool(more)
    queue, account, *elements = rest
    return Taken(queue.decode(), int(account), elements), bool(more)
