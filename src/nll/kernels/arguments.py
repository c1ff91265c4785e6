"""Parameters reach a compiled loop as a tuple of arrays and numbers in any mixture.

`cut` takes the rows of a block out of each array and leaves numbers alone; `row` does the same for one row. Both
exist only in compiled code, where each mixture is a type of its own and nothing is decided at run time.
"""

from numba.core.types import Array
from numba.extending import overload

INLINE = {"inline": "always"}


def cut(theta, start, stop):
    raise NotImplementedError("compiled code only")


def row(theta, i):
    raise NotImplementedError("compiled code only")


def slice_or_keep(x, start, stop):
    raise NotImplementedError("compiled code only")


def item_or_keep(x, i):
    raise NotImplementedError("compiled code only")


@overload(slice_or_keep, **INLINE)
def _(x, start, stop):
    return (lambda x, start, stop: x[start:stop]) if isinstance(x, Array) else (lambda x, start, stop: x)


@overload(item_or_keep, **INLINE)
def _(x, i):
    return (lambda x, i: x[i]) if isinstance(x, Array) else (lambda x, i: x)


@overload(cut, **INLINE)
def _(theta, start, stop):
    if len(theta) == 1:
        return lambda theta, start, stop: (slice_or_keep(theta[0], start, stop),)
    return lambda theta, start, stop: (slice_or_keep(theta[0], start, stop), *cut(theta[1:], start, stop))


@overload(row, **INLINE)
def _(theta, i):
    if len(theta) == 1:
        return lambda theta, i: (item_or_keep(theta[0], i),)
    return lambda theta, i: (item_or_keep(theta[0], i), *row(theta[1:], i))
