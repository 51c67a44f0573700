"""Random ids. The operating system is asked for many at a time: asking costs as much as making a card."""

import os
from collections import deque

_AT_ONCE = 256
_SIZE = 16  # bytes
_drawn: deque[bytes] = deque()
os.register_at_fork(after_in_child=_drawn.clear)  # or two workers would give the same ids


def _draw() -> bytes:
    """Each is given once; taking one is safe between threads."""
    while True:
        try:
            return _drawn.popleft()
        except IndexError:
            many = os.urandom(_AT_ONCE * _SIZE)
            _drawn.extend(many[place : place + _SIZE] for place in range(0, len(many), _SIZE))


def new_uuid() -> str:
    """Version 4, as `uuid.uuid4` makes it, without its class."""
    digits = _draw().hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_request_id() -> str:
    """16 hexadecimal digits."""
    return _draw()[:8].hex()
