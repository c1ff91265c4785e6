"""Parameters of a curvature pass: numbers of a row of a table, or arrays with a value a row.

`columns` is a tuple of one entry a parameter: None where the parameter is a number of the table, else its array. All
here is written in LLVM: recursive overloads over ten entries take Numba minutes to type.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _element(builder, data, index):
    """Return the address of a double of a contiguous array."""
    return builder.gep(data, [index], inbounds=True)


@intrinsic
def taken(typing, columns, table, place):
    """Return the doubles of a flat table from a place on, as a tuple of one a parameter."""
    count = len(columns)
    result = types.UniTuple(types.float64, count)

    def code(context, builder, signature, arguments):
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        values = [
            builder.load(_element(builder, array.data, builder.add(arguments[2], ir.Constant(arguments[2].type, k))))
            for k in range(count)
        ]
        return context.make_tuple(builder, signature.return_type, values)

    return result(columns, table, types.int64), code


@intrinsic
def mixed(typing, columns, numbers, i):
    """Return the parameters of row i."""
    count = len(columns)
    result = types.UniTuple(types.float64, count)

    def code(context, builder, signature, arguments):
        values = []
        for k, kind in enumerate(signature.args[0]):
            if isinstance(kind, types.NoneType):
                values.append(builder.extract_value(arguments[1], k))
            else:
                array = context.make_array(kind)(context, builder, builder.extract_value(arguments[0], k))
                values.append(builder.load(_element(builder, array.data, arguments[2])))
        return context.make_tuple(builder, signature.return_type, values)

    return result(columns, numbers, types.int64), code


@intrinsic
def put(typing, values, block, place, stride):
    """Write a tuple of doubles to places that lie a number of doubles apart."""

    def code(context, builder, signature, arguments):
        array = context.make_array(signature.args[1])(context, builder, arguments[1])
        place = arguments[2]
        for k in range(len(signature.args[0])):
            value = builder.extract_value(arguments[0], k)
            value = context.cast(builder, value, signature.args[0][k], types.float64)
            builder.store(value, _element(builder, array.data, place))
            place = builder.add(place, arguments[3])
        return context.get_dummy_value()

    return types.void(values, block, types.int64, types.int64), code
