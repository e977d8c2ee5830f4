"""What is dropped is listed, in few bytes, and in characters that a header takes."""

from tollway.chat.losses import Losses


def test_each_name_is_listed_once_in_its_order() -> None:
    losses = Losses(drop=True, target="nobody")
    for name in ("seed", "n", "seed"):
        losses.lose(name)
    assert losses.dropped == ["seed", "n"]


def test_of_very_many_names_some_are_listed_and_the_others_counted() -> None:
    losses = Losses(drop=True, target="nobody")
    for number in range(3_000):
        losses.lose(f"messages.{number}.name" + "x" * 1_000)
    assert losses.dropped[0].startswith("messages.0.name")
    assert losses.dropped[-1] == "and 2950 more"
    assert len(", ".join(losses.dropped)) < 8_000


def test_a_name_cannot_end_the_header_it_is_listed_in() -> None:
    losses = Losses(drop=True, target="nobody")
    losses.lose("a\r\nset-cookie: b")
    assert losses.dropped == ["a\\r\\nset-cookie: b"]
