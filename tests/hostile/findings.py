"""What an attack found out, and what is known of each attack."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Finding:
    what: str     # was tried, or is held to
    figure: str   # came of it
    held: bool    # whether the server did what it should
    # Not so where it depends on the machine and on what else that does: reported, and no test fails
    # by it.
    asserted: bool = True


@dataclasses.dataclass(frozen=True)
class Attack:
    number: str       # of security.md: "T1"
    title: str
    mechanism: str    # of yuelao's
    tests: tuple[str, ...]  # where else it is held to
    run: Callable     # (stage, kind of server) -> findings
