"""Types of the native part; contracts in `filterd.lists.columns`."""

from array import array

VERSION: int

def numbers(texts: tuple[bytes, ...]) -> bytes: ...
def turned(names: bytes, line: int) -> tuple[bytes, bytes, bytes, bytes]: ...
def claim(
    ids: array[int], lines: array[int], sets: array[int], to: array[int], number: int
) -> bytes: ...
