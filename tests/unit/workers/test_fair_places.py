"""Places are shared: none are wasted while somebody alone wants them, and nobody can keep a newcomer out."""

import random
from collections import Counter

from workers.turns.fair_places import FairPlaces


class Inn:
    """Places, and who holds them."""

    def __init__(self, count: int) -> None:
        self.places = FairPlaces(count)
        self.held = Counter[int]()
        self.order: list[int] = []

    def ask(self, account_id: int, times: int = 1) -> None:
        for _ in range(times):
            self.places.take(account_id, lambda: self._begin(account_id))

    def leave(self, account_id: int, times: int = 1) -> None:
        for _ in range(times):
            self.held[account_id] -= 1
            self.places.give_back(account_id)

    def _begin(self, account_id: int) -> None:
        self.held[account_id] += 1
        self.order.append(account_id)


def test_one_account_alone_holds_half_of_the_places() -> None:
    inn = Inn(64)
    inn.ask(1, 100)
    assert inn.held == {1: 32}
    assert inn.places.waiting() == {1: 68}


def test_newcomers_find_places_though_those_before_them_took_all_they_could() -> None:
    inn = Inn(64)
    for account_id in range(7):
        inn.ask(account_id, 100)
    assert [inn.held[account_id] for account_id in range(7)] == [32, 16, 8, 4, 2, 1, 1]


def test_what_is_left_goes_to_those_who_have_the_fewest() -> None:
    inn = Inn(64)
    for account_id in range(20):
        inn.ask(account_id, 100)
    inn.leave(0, 32)
    assert all(inn.held[account_id] >= 1 for account_id in range(20))


def test_accounts_that_want_all_come_to_hold_the_same() -> None:
    inn = Inn(64)
    inn.ask(1, 1000)
    inn.ask(2, 1000)
    for _ in range(200):
        for account_id in (1, 2):
            inn.leave(account_id)
    assert sorted(inn.held.values()) == [21, 22]  # a third each, and a third for who comes next
    inn.ask(3)
    assert inn.held[3] == 1


def test_who_waits_goes_on_when_a_place_is_left() -> None:
    inn = Inn(4)
    inn.ask(1, 3)
    assert (inn.held[1], inn.places.waiting()) == (2, {1: 1})
    inn.leave(1)
    assert (inn.held[1], inn.places.waiting()) == (2, {})


def test_single_place_is_taken_by_one_after_the_other() -> None:
    inn = Inn(1)
    inn.ask(1, 2)
    inn.ask(2)
    for _ in range(3):
        assert inn.held.total() == 1
        inn.leave(inn.order[-1])
    assert sorted(inn.order) == [1, 1, 2]
    assert inn.places.waiting() == {}


def test_nothing_is_lost_whatever_comes_and_goes() -> None:
    generator, inn, asked = random.Random(3), Inn(16), Counter[int]()
    for _ in range(5000):
        if generator.random() < 0.5:
            account_id = generator.randrange(6)
            inn.ask(account_id)
            asked[account_id] += 1
        elif holders := list(inn.held.elements()):
            inn.leave(generator.choice(holders))
        assert inn.held.total() <= 16
    while holders := list(inn.held.elements()):
        inn.leave(generator.choice(holders))
    assert Counter(inn.order) == asked
