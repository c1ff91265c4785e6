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


# One entry of each table a number of parameters: overloads that call themselves took Numba 25 s to type four of them.
MOST = 8  # more go on by eights
_CUT = (
    None,
    lambda theta, start, stop: (slice_or_keep(theta[0], start, stop),),
    lambda theta, start, stop: (slice_or_keep(theta[0], start, stop), slice_or_keep(theta[1], start, stop)),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
    ),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
        slice_or_keep(theta[3], start, stop),
    ),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
        slice_or_keep(theta[3], start, stop),
        slice_or_keep(theta[4], start, stop),
    ),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
        slice_or_keep(theta[3], start, stop),
        slice_or_keep(theta[4], start, stop),
        slice_or_keep(theta[5], start, stop),
    ),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
        slice_or_keep(theta[3], start, stop),
        slice_or_keep(theta[4], start, stop),
        slice_or_keep(theta[5], start, stop),
        slice_or_keep(theta[6], start, stop),
    ),
    lambda theta, start, stop: (
        slice_or_keep(theta[0], start, stop),
        slice_or_keep(theta[1], start, stop),
        slice_or_keep(theta[2], start, stop),
        slice_or_keep(theta[3], start, stop),
        slice_or_keep(theta[4], start, stop),
        slice_or_keep(theta[5], start, stop),
        slice_or_keep(theta[6], start, stop),
        slice_or_keep(theta[7], start, stop),
    ),
)
_ROW = (
    None,
    lambda theta, i: (item_or_keep(theta[0], i),),
    lambda theta, i: (item_or_keep(theta[0], i), item_or_keep(theta[1], i)),
    lambda theta, i: (item_or_keep(theta[0], i), item_or_keep(theta[1], i), item_or_keep(theta[2], i)),
    lambda theta, i: (
        item_or_keep(theta[0], i),
        item_or_keep(theta[1], i),
        item_or_keep(theta[2], i),
        item_or_keep(theta[3], i),
    ),
    lambda theta, i: (
        item_or_keep(theta[0], i),
        item_or_keep(theta[1], i),
        item_or_keep(theta[2], i),
        item_or_keep(theta[3], i),
        item_or_keep(theta[4], i),
    ),
    lambda theta, i: (
        item_or_keep(theta[0], i),
        item_or_keep(theta[1], i),
        item_or_keep(theta[2], i),
        item_or_keep(theta[3], i),
        item_or_keep(theta[4], i),
        item_or_keep(theta[5], i),
    ),
    lambda theta, i: (
        item_or_keep(theta[0], i),
        item_or_keep(theta[1], i),
        item_or_keep(theta[2], i),
        item_or_keep(theta[3], i),
        item_or_keep(theta[4], i),
        item_or_keep(theta[5], i),
        item_or_keep(theta[6], i),
    ),
    lambda theta, i: (
        item_or_keep(theta[0], i),
        item_or_keep(theta[1], i),
        item_or_keep(theta[2], i),
        item_or_keep(theta[3], i),
        item_or_keep(theta[4], i),
        item_or_keep(theta[5], i),
        item_or_keep(theta[6], i),
        item_or_keep(theta[7], i),
    ),
)


@overload(cut, **INLINE)
def _(theta, start, stop):
    if len(theta) <= MOST:
        return _CUT[len(theta)]
    return lambda theta, start, stop: (*cut(theta[:8], start, stop), *cut(theta[8:], start, stop))


@overload(row, **INLINE)
def _(theta, i):
    if len(theta) <= MOST:
        return _ROW[len(theta)]
    return lambda theta, i: (*row(theta[:8], i), *row(theta[8:], i))
