"""The compiled versions of the primitives in `bits.py` and `single.py`, as LLVM instructions.

Imports Numba: load it only to compile.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

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
