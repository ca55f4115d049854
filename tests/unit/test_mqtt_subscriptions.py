"""What is subscribed to in one request."""

from jidget.mqtt.subscriptions import requests


def test_a_request_is_neither_long_nor_large_and_nothing_is_left_out() -> None:
    short = [f"a/{number}" for number in range(1_200)]
    long = [f"{number}/{'x' * 60_000}" for number in range(5)]
    asked = list(requests([*short, "b/+", *long]))
    assert sorted(each for some in asked for each in some) == sorted([*short, "b/+", *long])
    assert ["b/+"] in asked
    assert max(len(some) for some in asked) == 500
    assert max(len("".join(some)) for some in asked) <= 65_536
    assert list(requests([])) == []
