"""Parameters reach a compiled loop as a tuple of arrays and numbers in any mixture.

`cut` takes the rows of a block out of each array and leaves numbers alone; `row` does the same for one row. Both
exist only in compiled code, where each mixture is a type of its own and nothing is decided at run time. They are
written in LLVM: as overloads by the number of parameters they took half a second more to compile for each family.
"""

from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array


@intrinsic
def row(typing, theta, i):
    """Return the parameters of row i >= 0: a number of each array (n,), a row of each matrix, numbers as they are."""
    result = types.Tuple([_entry(kind) for kind in theta])

    def code(context, builder, signature, arguments):
        def part(kind, value):
            array = context.make_array(kind)(context, builder, value)
            place = _place(builder, kind, array, arguments[1])
            if kind.ndim == 1:
                return context.unpack_value(builder, kind.dtype, place)
            return _view(context, builder, _entry(kind), array, place, _numbers(builder, array.shape)[1:])

        return _parts(context, builder, signature, arguments[0], part)

    return result(theta, types.int64), code


@intrinsic
def cut(typing, theta, start, stop):
    """Return rows start to stop of each array, 0 <= start <= stop <= its rows, and numbers as they are."""
    result = types.Tuple([_contiguous(kind, kind.ndim) if _is_array(kind) else kind for kind in theta])

    def code(context, builder, signature, arguments):
        def part(kind, value):
            array = context.make_array(kind)(context, builder, value)
            shape = [builder.sub(arguments[2], arguments[1]), *_numbers(builder, array.shape)[1:]]
            place = _place(builder, kind, array, arguments[1])
            return _view(context, builder, _contiguous(kind, kind.ndim), array, place, shape)

        return _parts(context, builder, signature, arguments[0], part)

    return result(theta, types.int64, types.int64), code


def _is_array(kind):
    return isinstance(kind, types.Array)


def _contiguous(kind, dimensions):
    """Return the type of consecutive rows of an array, or of one: contiguous in the order of C, or in none."""
    return kind.copy(ndim=dimensions, layout="C" if kind.layout == "C" else "A")


def _entry(kind):
    """Return the type of a row."""
    if not _is_array(kind):
        return kind
    return kind.dtype if kind.ndim == 1 else _contiguous(kind, kind.ndim - 1)


def _parts(context, builder, signature, theta, part):
    """Return a tuple with part(kind, value) for each array, and the numbers."""
    values = []
    for k, kind in enumerate(signature.args[0]):
        value = builder.extract_value(theta, k)
        values.append(part(kind, value) if _is_array(kind) else value)
    made = context.make_tuple(builder, signature.return_type, values)
    context.nrt.incref(builder, signature.return_type, made)
    return made


def _numbers(builder, packed):
    return cgutils.unpack_tuple(builder, packed)


def _place(builder, kind, array, i):
    """Return the address of row i."""
    if kind.ndim == 1 and kind.layout == "C":
        return builder.gep(array.data, [i], inbounds=True)
    return cgutils.pointer_add(builder, array.data, builder.mul(i, _numbers(builder, array.strides)[0]))


def _view(context, builder, kind, array, place, shape):
    """Return an array at an address, with the last strides of another one, whose memory it holds."""
    view = context.make_array(kind)(context, builder)
    strides = _numbers(builder, array.strides)[-len(shape) :]
    packed = (cgutils.pack_array(builder, numbers) for numbers in (shape, strides))
    sizes = dict(zip(("shape", "strides"), packed, strict=True))
    populate_array(view, data=place, **sizes, itemsize=array.itemsize, meminfo=array.meminfo, parent=array.parent)
    return view._getvalue()
