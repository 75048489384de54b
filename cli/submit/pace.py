"""How often to ask for results: seldom enough to cost the service little, often enough to keep it busy."""

SHORTEST_SECONDS = 0.02
LONGEST_SECONDS = 1.0
GROWTH = 1.5
MANY = 0.4  # of the window ended between two polls: the service may soon have too little to do
FEW = 0.15


class Pace:
    """The time between two polls, which settles where each finds about a quarter of the window ended."""

    def __init__(self) -> None:
        self.seconds = SHORTEST_SECONDS

    def adapt(self, ended: int, asked: int) -> None:
        """Learn from a poll that found ``ended`` of ``asked`` tasks ended."""
        if ended > MANY * asked:
            self.seconds = max(SHORTEST_SECONDS, self.seconds / GROWTH)
        elif ended < FEW * asked:
            self.seconds = min(LONGEST_SECONDS, self.seconds * GROWTH)
