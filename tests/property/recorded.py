"""Cases that were recorded with what Linux told: text, a line each, the answer behind an arrow."""


def split(case: str) -> tuple[list[str], list[str]]:
    """Return the lines of a recorded case, and what was told to those that ask."""
    pairs = [line.partition(" -> ") for line in case.strip().splitlines()]
    return [line for line, _, _ in pairs], [told for _, arrow, told in pairs if arrow]
