from dataclasses import dataclass


@dataclass(frozen=True)
class StaticCheck:
    checker: str
    version: str
    errors: tuple[str, ...]
    problem: str | None

    @property
    def passed(self) -> bool:
        return not self.errors and self.problem is None


async def check_types(factory, stores):
    return StaticCheck("pyright", "", (), "no")
