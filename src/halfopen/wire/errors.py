"""What decoding raises."""


class WireError(ValueError):
    """These bytes are not what they should be; the text says in what."""
