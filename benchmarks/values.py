"""What values cost: decoding beside pydantic-core alone, and `isinstance` with a port.

python benchmarks/values.py
"""

from __future__ import annotations

from timeit import timeit

from pydantic_core import SchemaValidator
from timing import compare

from clawdesk_storage import (
    ConversationStore,
    Message,
    Role,
    SessionStore,
    VectorStore,
    decode,
    encode,
)
from clawdesk_storage.testing import MemoryStorage

COUNT = 100
TALK = """\
What will the weather be like in the mountains at the weekend? We are four, two of us are children,
and would like to walk for three hours or so, with a hut on the way where one can have lunch. Please
check the trains from Bern as well.

It will be sunny on Saturday, with some clouds in the afternoon, and colder on Sunday. From
Kandersteg the way to the lake takes two hours and a half; the restaurant at the shore is open from
nine to six. Trains leave Bern at 07:39 and 08:39.

Thanks, that sounds good! Can you put it into our calendar, and remind me on Friday evening to pack
the rain jackets? And ask Marta whether she would come along; her number should be in the address
book, under the name of her company, I think.

Done: the trip is in the family calendar for Saturday from 07:30 to 19:00, and the reminder is set
for Friday at 20:00. A message to Marta is ready to be sent; here is the draft: We are going to the
lake on Saturday. Would you like to come along?

No, write it more warmly, and tell her that there is room for the dog too. Then send it, but not
before eight in the evening, because she works until then. Also find out what the tickets cost with
a half-fare card and without one."""
CONTENTS = TALK.split("\n\n")
RECORDS = [
    encode(
        Message(
            role=Role.USER,
            content=CONTENTS[number % len(CONTENTS)],
            metadata={"channel": "telegram", "update": number},
        )
    )
    for number in range(COUNT)
]
MESSAGE = decode(Message, RECORDS[0])
REPEATS = 40


def decoded() -> None:
    """Decode the messages as stores do."""
    for record in RECORDS:
        decode(Message, record, key="session")


def validated() -> None:
    """Decode them by pydantic-core alone, as strictly."""
    validate = validator().validate_json
    for record in RECORDS:
        validate(record, strict=True)


def encoded() -> None:
    """Encode a message as stores do."""
    encode(MESSAGE)


def serialised() -> None:
    """Validate and serialise it by pydantic-core alone, as strictly."""
    Message.__pydantic_serializer__.to_json(validator().validate_python(MESSAGE, strict=True))


def validator() -> SchemaValidator:
    """Return what pydantic-core made of the model."""
    made = Message.__pydantic_validator__
    if not isinstance(made, SchemaValidator):
        raise TypeError(f"a plugin validates messages: {made!r}")
    return made


def main() -> None:
    """Measure both."""
    compare(
        f"decode {COUNT} messages",
        {
            "clawdesk_storage.decode": lambda: timeit(decoded, number=REPEATS) / REPEATS,
            "pydantic-core alone": lambda: timeit(validated, number=REPEATS) / REPEATS,
        },
        {"pydantic-core alone": 1 / 1.3},
        rounds=15,
    )
    compare(
        "encode a message",
        {
            "clawdesk_storage.encode": lambda: timeit(encoded, number=2000) / 2000,
            "pydantic-core alone": lambda: timeit(serialised, number=2000) / 2000,
        },
        {"pydantic-core alone": 1 / 1.5},
        rounds=15,
    )
    storage = MemoryStorage()
    print("\nisinstance, the quickest of 15 rounds")
    show_instance_check(SessionStore, storage.sessions)
    show_instance_check(ConversationStore, storage.conversations)
    show_instance_check(VectorStore, storage.vectors)


def show_instance_check(port: type, store: object) -> None:
    """Print what it costs to ask whether a store has a port."""
    runs = (timeit(lambda: isinstance(store, port), number=20_000) / 20_000 for _ in range(15))
    taken = min(runs)
    verdict = "yes" if taken <= 1e-6 else "NO"
    print(f"  {port.__name__:44}{taken * 1e6:12.2f} us, wanted 1 at most: {verdict}")


if __name__ == "__main__":
    main()
