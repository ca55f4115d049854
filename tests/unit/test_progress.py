"""How far a consumer has got: what it asks for, in which order, and what it gives up."""

import pytest

from jidget.xmpp.progress import MOST_GENERATIONS, MOST_STRETCHES, OPEN_END, Gap, Progress, Want


def having(*numbers: int, gen: str = "a") -> Progress:
    progress = Progress()
    for seq in numbers:
        progress.note(gen, seq)
    return progress


def test_the_first_batch_is_where_it_begins() -> None:
    progress = having(4711)
    assert progress.wanted() is None
    assert progress.has("a", 4711)
    assert not progress.has("a", 4710)
    progress.note("a", 4709)
    assert progress.wanted() is None, "what lies before the beginning is not missed"


@pytest.mark.parametrize(("following", "want"), [(5, Want("a", 2, 4)), (3, Want("a", 2, 2))])
def test_a_jump_is_a_gap_to_be_asked_for(following: int, want: Want) -> None:
    progress = having(1, following)
    assert progress.wanted() == want


def test_a_batch_that_was_only_heard_of_makes_a_gap_before_it() -> None:
    progress = having(1)
    progress.hear("a", 4)
    assert progress.wanted() == Want("a", 2, 3)
    assert not progress.has("a", 4)


def test_the_oldest_gap_comes_first_and_what_cannot_be_had_is_not_asked_for_again() -> None:
    progress = having(1, 4, 8)
    assert progress.wanted() == Want("a", 2, 3)
    progress.note("a", 3)
    assert progress.settle("a", 2, 3) == [Gap("a-2", "a-2")]
    assert progress.settle("a", 2, 3) == []
    assert progress.wanted() == Want("a", 5, 7)
    assert not progress.has("a", 2), "it is taken if it comes after all"


def test_in_doubt_all_that_follows_is_asked_for() -> None:
    progress = having(7)
    progress.doubt()
    assert progress.wanted() == Want("a", 8, OPEN_END)
    progress.complete("a", None)
    assert progress.wanted() is None


def test_from_a_beginning_all_that_follows_is_wanted() -> None:
    progress = Progress()
    progress.doubt()
    assert progress.wanted() is None, "nothing is known yet"
    progress.begin("a", 41)
    progress.note("a", 43)
    assert progress.wanted() == Want("a", 42, 42)
    progress.note("a", 40)
    assert progress.wanted() == Want("a", 42, 42)


def test_a_new_generation_is_wanted_from_its_start_once_it_is_known_to_follow() -> None:
    progress = having(9)
    progress.note("b", 3)
    assert progress.newest == "a"
    assert progress.wanted() == Want("a", 10, OPEN_END)
    progress.note("a", 10)
    progress.complete("a", "b")
    assert progress.newest == "b"
    assert progress.wanted() == Want("b", 1, 2)
    progress.note("b", 1)
    progress.note("b", 2)
    assert progress.wanted() == Want("b", 4, OPEN_END)
    progress.complete("b", None)
    assert progress.wanted() is None


def test_one_that_turns_out_to_be_older_is_not() -> None:
    progress = having(9)
    progress.note("old", 70)
    progress.complete("a", None)
    assert progress.newest == "a"
    assert progress.wanted() is None
    assert progress.has("old", 70)


def test_generations_nobody_saw_are_walked_through_in_order() -> None:
    progress = having(9)
    progress.note("d", 2)
    for gen, following in (("a", "b"), ("b", "c"), ("c", "d")):
        want = progress.wanted()
        assert want is not None
        assert (want.gen, want.last) == (gen, OPEN_END)
        progress.complete(gen, following)
    assert progress.wanted() == Want("d", 1, 1)
    assert list(progress.generations) == ["a", "b", "c", "d"]


def test_of_one_that_the_agent_forgot_gaps_are_lost_and_the_present_is_wanted_from_its_start() -> None:
    progress = having(5, 7)
    progress.doubt()
    assert progress.replaced("a", "z") == [Gap("a-6", "a-6")]
    assert progress.newest == "z"
    assert progress.wanted() == Want("z", 1, OPEN_END)


def test_giving_up_tells_all_gaps_once() -> None:
    progress = having(1, 3)
    progress.note("b", 5)
    progress.note("b", 8)
    assert progress.gaps() == [Gap("a-2", "a-2"), Gap("b-6", "b-7")]
    assert progress.give_up() == [Gap("a-2", "a-2"), Gap("b-6", "b-7")]
    assert progress.wanted() is None
    assert progress.give_up() == []
    progress.note("b", 10)
    assert progress.wanted() == Want("b", 9, 9), "later ones are asked for as ever"


def test_only_the_latest_of_all_lead() -> None:
    progress = having(3, 5)
    assert not progress.leads("a", 4)
    assert progress.leads("a", 6)


def test_memory_is_bounded_whatever_is_sent() -> None:
    progress = having(1)
    closed = [gap for seq in range(3, 10 * MOST_STRETCHES, 2) for gap in progress.note("a", seq)]
    assert len(progress.generations["a"].has) <= MOST_STRETCHES
    assert closed[0] == Gap("a-2", "a-2")
    assert len(closed) == len(set(closed)) > MOST_STRETCHES
    for number in range(10 * MOST_GENERATIONS):
        progress.note(f"gen{number}", 1)
    assert len(progress.generations) <= MOST_GENERATIONS
    assert progress.newest in progress.generations


def test_what_lies_before_the_beginning_is_bounded_too() -> None:
    progress = Progress()
    progress.begin("a", 10 * MOST_STRETCHES)
    assert not [gap for seq in range(1, 4 * MOST_STRETCHES, 2) for gap in progress.note("a", seq)]
    assert len(progress.generations["a"].has) <= MOST_STRETCHES


def crowded(progress: Progress, number: int = MOST_GENERATIONS) -> list[Gap]:
    """Hear of so many more generations, each with a gap; return the gaps that were closed."""
    closed: list[Gap] = []
    for each in range(number):
        closed += progress.note(f"gen{each:02}", 1)
        closed += progress.note(f"gen{each:02}", 3)
    return closed


def test_the_gaps_of_a_generation_that_is_forgotten_are_told() -> None:
    progress = having(1, 4)
    assert crowded(progress) == [Gap("gen00-2", "gen00-2")], "the newest one is kept"
    assert progress.wanted() == Want("a", 2, 3)
    assert Gap("gen00-2", "gen00-2") not in progress.give_up()


def test_of_which_nothing_is_missing_is_forgotten_first() -> None:
    progress = having(1)
    assert crowded(progress, MOST_GENERATIONS - 2) == []
    progress.note("whole", 1)
    assert crowded(progress) == [Gap("gen00-2", "gen00-2")]
    assert progress.has("a", 1)
    assert not progress.has("whole", 1)


def test_a_generation_may_be_forgotten_while_it_is_asked_for() -> None:
    progress = having(1, 4)
    progress.complete("a", "b")
    assert progress.wanted() == Want("a", 2, 3)
    assert Gap("a-2", "a-3") in crowded(progress, 2 * MOST_GENERATIONS)
    assert not progress.has("a", 1)
    before = list(progress.generations)
    assert progress.settle("a", 2, 3) == []
    assert progress.complete("a", "b") == []
    assert progress.replaced("a", "z") == []
    assert list(progress.generations) == before
    assert progress.newest == "b"


def test_what_follows_may_push_out_an_older_one() -> None:
    progress = having(9, 12)
    assert crowded(progress, MOST_GENERATIONS - 1) == []
    assert progress.complete("a", "z") == [Gap("a-10", "a-11")]
    assert progress.complete("z", "y") == [], "nothing is missing of the one that it followed"
    assert progress.newest == "y"
    assert progress.wanted() == Want("y", 1, OPEN_END)
