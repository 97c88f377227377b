"""Length-prefixed, tagged messages over a stream descriptor, with nothing but `os.read` and `os.write`."""

from __future__ import annotations

import os
import struct

_HEADER = struct.Struct("<IB")
HEADER_SIZE = _HEADER.size
#: Most messages are short, and a buffer beyond 128 kB would be mapped and unmapped by libc for every read.
_CHUNK, _LARGE_CHUNK = 1 << 13, 1 << 16


class FrameTooLong(Exception):
    """The other side announced a message beyond the limit."""


def pack(tag: int, body: bytes) -> bytes:
    """A message as bytes: its length, its tag, its body."""
    return _HEADER.pack(len(body), tag) + body


def send(descriptor: int, tag: int, body: bytes) -> None:
    """Write one message whole. Raises OSError (BlockingIOError where the descriptor's send timeout passed)."""
    view = memoryview(pack(tag, body))
    while view:
        view = view[os.write(descriptor, view) :]


class Reader:
    """Reads messages from a descriptor, keeping what came too early."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self._limit = limit
        self._held = b""

    def read(self) -> tuple[int, bytes]:
        """(tag, body). Raises EOFError at the end, FrameTooLong, OSError (BlockingIOError after a receive timeout).

        After a timeout the call may be repeated: nothing that had come is lost.
        """
        while len(self._held) < HEADER_SIZE:
            self._more()
        length, tag = _HEADER.unpack_from(self._held)
        if length > self._limit:
            raise FrameTooLong(length)
        if len(self._held) < HEADER_SIZE + length:
            self._fill(HEADER_SIZE + length)
        body = self._held[HEADER_SIZE : HEADER_SIZE + length]
        self._held = self._held[HEADER_SIZE + length :]
        return tag, body

    def _more(self) -> None:
        data = os.read(self._descriptor, _CHUNK)
        if not data:
            raise EOFError
        self._held += data

    def _fill(self, length: int) -> None:
        parts, have = [self._held], len(self._held)
        try:
            while have < length:
                data = os.read(self._descriptor, _LARGE_CHUNK)
                if not data:
                    raise EOFError
                parts.append(data)
                have += len(data)
        finally:
            self._held = b"".join(parts)
