"""The pages that are made from the code are those that the code makes."""

from docs import generate


def test_the_contract_is_current() -> None:
    """`nox -s docs` writes it again."""
    assert generate.contract() == generate.PAGE.read_text(encoding="utf-8")
