"""The compiled versions of the primitives in `bits.py` and `single.py`, as LLVM instructions.

Imports Numba: load it only to compile.
"""

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic, overload

from nll.numerics.formula import FORMULA_OPTIONS

DOUBLE, INT64 = ir.DoubleType(), ir.IntType(64)


@intrinsic
def bits_of(typingctx, x):
    return types.uint64(types.float64), lambda ctx, builder, sig, args: builder.bitcast(args[0], INT64)


@intrinsic
def float_of(typingctx, bits):
    return types.float64(types.uint64), lambda ctx, builder, sig, args: builder.bitcast(args[0], DOUBLE)


@intrinsic
def fma(typingctx, a, b, c):
    # Asked for by name: left to fastmath, contraction would make bits differ from CPU to CPU.
    return types.float64(*[types.float64] * 3), lambda ctx, builder, sig, args: builder.fma(*args)


def _unary(name):
    def code(ctx, builder, sig, args):
        return builder.call(builder.module.declare_intrinsic(name, [DOUBLE]), args)

    return types.float64(types.float64), code


@intrinsic
def sqrt(typingctx, x):
    return _unary("llvm.sqrt")


@intrinsic
def floor(typingctx, x):
    return _unary("llvm.floor")


FLOAT, INT32 = ir.FloatType(), ir.IntType(32)


@intrinsic
def bits32_of(typingctx, x):
    return types.int32(types.float32), lambda ctx, builder, sig, args: builder.bitcast(args[0], INT32)


@intrinsic
def float32_of(typingctx, bits):
    return types.float32(types.int32), lambda ctx, builder, sig, args: builder.bitcast(args[0], FLOAT)


@intrinsic
def fma32(typingctx, a, b, c):
    return types.float32(*[types.float32] * 3), lambda ctx, builder, sig, args: builder.fma(*args)


def _fits_single(z):
    raise NotImplementedError("compiled code only")


def _as_single(z, scratch):
    raise NotImplementedError("compiled code only")


@overload(_fits_single)
def _(z):
    if z.dtype == types.float32:
        return lambda z: True

    def same(z):
        same = True
        for j in range(z.size):
            same &= np.float64(np.float32(z[j])) == z[j]
        return same

    return same


@overload(_as_single)
def _(z, scratch):
    if z.dtype == types.float32:
        return lambda z, scratch: z

    def copied(z, scratch):
        for j in range(z.size):
            scratch[j] = np.float32(z[j])
        return scratch

    return copied


@njit(inline="always")
def fits_single(z):
    return _fits_single(z)


@njit(inline="always")
def as_single(z, scratch):
    return _as_single(z, scratch)


def external(function, count, packed=False):
    """Return what calls a compiled function of so many doubles by a name that all of the process knows.

    Its code is not linked into its callers, which would optimise it again, each of them. Callers find the name also
    when they come from Numba's cache: whoever binds them has called this before, and the name holds the fingerprint.
    With `packed` the function is one of *arguments.
    """
    kinds = (types.StarArgUniTuple(types.float64, count),) if packed else (types.float64,) * count
    function.compile(kinds)
    (made,) = function.overloads.values()
    name = f"nll_{function.py_func.__qualname__}_{count}"
    binding.add_symbol(name, made.library.get_pointer_to_function(made.fndesc.llvm_func_name))
    result = made.signature.return_type

    def code(context, builder, signature, arguments):
        convention = context.call_conv
        target = builder.module.globals.get(name)
        if target is None:
            target = ir.Function(builder.module, convention.get_function_type(result, kinds), name)
        values = [
            context.cast(builder, builder.extract_value(arguments[0], k), signature.args[0][k], types.float64)
            for k in range(count)
        ]
        values = [context.make_tuple(builder, kinds[0], values)] if packed else values
        return convention.call_function(builder, target, result, kinds, values)[1]

    @intrinsic
    def call(typing, arguments):
        return result(arguments), code

    @njit(**FORMULA_OPTIONS)
    def caller(*arguments):
        return call(arguments)

    caller.fingerprint = function.fingerprint
    return caller
