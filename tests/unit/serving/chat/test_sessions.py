"""How many conversations are remembered, and for how long."""

from collections import deque

from fuseline.serving.chat.session import Session, Turn
from fuseline.serving.chat.sessions import Sessions, shown_name


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def sessions(most: int = 2) -> tuple[Sessions, Clock]:
    clock = Clock()
    return Sessions(lambda: Session.begun(4), most, 10.0, clock), clock


def test_a_conversation_is_found_by_its_name_alone() -> None:
    kept, _ = sessions()
    name, session = kept.begin()
    session.turns.append(Turn("user", "hello"))
    found = kept.find(name)
    assert found is session
    assert found.turns == deque([Turn("user", "hello")])
    assert kept.find(name[:-1]) is None


def test_names_cannot_be_guessed_nor_read_back() -> None:
    kept, _ = sessions(100)
    names = {kept.begin()[0] for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) >= 43 for name in names)
    assert not any(shown_name(name) in name for name in names)


def test_the_one_that_was_not_used_for_longest_makes_room() -> None:
    kept, _ = sessions()
    first, second = (kept.begin()[0] for _ in range(2))
    kept.find(first)
    kept.begin()
    assert kept.find(second) is None
    assert kept.find(first) is not None
    assert len(kept) == 2


def test_one_is_forgotten_after_its_time() -> None:
    kept, clock = sessions()
    first, _ = kept.begin()
    clock.now = 6.0
    second, _ = kept.begin()
    clock.now = 11.0
    assert kept.find(first) is None
    assert kept.find(second) is not None
    clock.now = 20.0
    assert kept.find(second) is not None
