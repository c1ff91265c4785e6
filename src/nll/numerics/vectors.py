"""One pass over a row of logits as vectors of LLVM, sixteen classes at a time, whatever the CPU has.

LLVM would not vectorise a sum of doubles by itself, since its bits depend on the order. Here the order is written
down: lane l adds the classes l, l + 16, l + 32, ... and the lanes are added in pairs. A CPU with shorter vectors does
the same additions with more instructions, so the bits are the same everywhere.

Imports Numba: load it only to compile.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from nll.numerics import single
from nll.numerics.formula import compiled

LANES = 16
FLOAT, DOUBLE, INT16, INT32 = ir.FloatType(), ir.DoubleType(), ir.IntType(16), ir.IntType(32)


def _vector(kind):
    return ir.VectorType(kind, LANES)


def _all(kind, value):
    return ir.Constant(_vector(kind), [value] * LANES)


def _floats(value):
    return _all(FLOAT, float(value))


def _whole(value):
    return _all(INT32, int(value))


def _call(builder, name, *values):
    kind = values[0].type
    place = {"llvm.fma": "f32", "llvm.umax": "i32"}[name]
    function = builder.module.declare_intrinsic(
        f"{name}.v{LANES}{place}", (), ir.FunctionType(kind, [kind] * len(values))
    )
    return builder.call(function, values)


def _read(builder, pointer, kind, mask):
    """Return sixteen numbers, minus infinity where the mask, if there is one, has none."""
    vector, size = _vector(kind), {INT16: 2, FLOAT: 4, DOUBLE: 8}[kind]
    pointer = builder.bitcast(pointer, vector.as_pointer())
    if mask is None:
        return builder.load(pointer, align=size)
    name = {INT16: "i16", FLOAT: "f32", DOUBLE: "f64"}[kind]
    form = ir.FunctionType(vector, [vector.as_pointer(), INT32, mask.type, vector])
    function = builder.module.declare_intrinsic(f"llvm.masked.load.v{LANES}{name}.p0", (), form)
    return builder.call(function, [pointer, INT32(size), mask, _all(kind, -math.inf if kind != INT16 else 0)])


def _loaded(builder, pointer, dtype, mask):
    """Return sixteen numbers as float32, and for doubles which of them float32 does not hold."""
    if dtype == types.float32:
        return _read(builder, pointer, FLOAT, mask), None
    if dtype == types.float64:
        doubles = _read(builder, pointer, DOUBLE, mask)
        floats = builder.fptrunc(doubles, _vector(FLOAT))
        return floats, builder.fcmp_unordered("!=", builder.fpext(floats, _vector(DOUBLE)), doubles)
    bits = builder.zext(_read(builder, pointer, INT16, mask), _vector(INT32))
    x = _from_half(builder, bits)
    if dtype == types.uint16:
        x = builder.bitcast(builder.shl(bits, _whole(16)), _vector(FLOAT))
    return x if mask is None else builder.select(mask, x, _floats(-math.inf)), None


def _from_half(builder, bits):
    """Return float16 as float32: exponent and fraction in place and scaled by 2**112; 2**16 is infinity or NaN."""
    magnitude = builder.shl(builder.and_(bits, _whole(0x7FFF)), _whole(13))
    size = builder.bitcast(builder.fmul(builder.bitcast(magnitude, _vector(FLOAT)), _floats(2.0**112)), _vector(INT32))
    special = builder.icmp_unsigned(">=", magnitude, _whole(0x7C00 << 13))
    size = builder.select(special, builder.or_(magnitude, _whole(0x7F800000)), size)
    sign = builder.shl(builder.and_(bits, _whole(0x8000)), _whole(16))
    return builder.bitcast(builder.or_(size, sign), _vector(FLOAT))


def _exp(builder, x):
    """Return exp(x) of sixteen float32: `single.exp32`, operation by operation; and the bits of its `t`."""

    def fma(a, b, c):
        return _call(builder, "llvm.fma", a, b, c)

    low = _floats(single.UNDERFLOW)
    x = builder.select(builder.fcmp_ordered(">", low, x), low, x)  # NaN stays NaN
    t = fma(x, _floats(single.LOG2_E), _floats(single.ROUND))
    n = builder.fsub(t, _floats(single.ROUND))
    r = fma(n, _floats(-single.LN2_LOW), fma(n, _floats(-single.LN2_HIGH), x))
    p = _floats(single.POLYNOMIAL[0])
    for coefficient in single.POLYNOMIAL[1:]:
        p = fma(p, r, _floats(coefficient))
    bits = builder.bitcast(t, _vector(INT32))
    sum_ = builder.add(builder.bitcast(p, _vector(INT32)), builder.shl(bits, _whole(single.SHIFT)))
    return builder.bitcast(sum_, _vector(FLOAT)), bits


def _half(builder, values, start):
    """Return eight of sixteen float32 as doubles."""
    mask = ir.Constant(ir.VectorType(INT32, LANES // 2), list(range(start, start + LANES // 2)))
    part = builder.shuffle_vector(values, ir.Constant(values.type, ir.Undefined), mask)
    return builder.fpext(part, ir.VectorType(DOUBLE, LANES // 2))


def _across(builder, vector, add):
    """Return the elements of a vector as one, halves to halves."""
    while vector.type.count > 1:
        half = vector.type.count // 2
        empty = ir.Constant(vector.type, ir.Undefined)
        picked = [
            builder.shuffle_vector(
                vector, empty, ir.Constant(ir.VectorType(INT32, half), list(range(start, start + half)))
            )
            for start in (0, half)
        ]
        vector = add(*picked)
    return builder.extract_element(vector, INT32(0))


@intrinsic
def _exp_total(typingctx, z):
    """Return sum exp(z), the largest bits of `t` in it, unsigned, and whether float32 holds z: a contiguous row."""
    result = types.Tuple((types.float64, types.uint32, types.boolean))

    def code(context, builder, signature, arguments):
        kind = signature.args[0]
        array = context.make_array(kind)(context, builder, value=arguments[0])
        size = cgutils.unpack_tuple(builder, array.shape)[0]
        sums = _Sums(builder)
        step = size.type(LANES)
        rest = builder.urem(size, step)
        whole = builder.sub(size, rest)
        with cgutils.for_range_slice(builder, size.type(0), whole, step) as (index, _):
            sums.add(*_loaded(builder, builder.gep(array.data, [index]), kind.dtype, None))
        with builder.if_then(builder.icmp_unsigned(">", rest, size.type(0))):
            many = builder.insert_element(
                ir.Constant(_vector(INT32), ir.Undefined), builder.trunc(rest, INT32), INT32(0)
            )
            many = builder.shuffle_vector(many, many, _whole(0))
            mask = builder.icmp_unsigned("<", ir.Constant(_vector(INT32), list(range(LANES))), many)
            sums.add(*_loaded(builder, builder.gep(array.data, [whole]), kind.dtype, mask))
        total, highest, held = sums.result()
        held = context.cast(builder, held, types.boolean, types.boolean)
        return context.make_tuple(builder, result, (total, highest, held))

    return result(z), code


class _Sums:
    """What a pass adds up, in sixteen lanes; LLVM keeps it in registers."""

    def __init__(self, builder):
        half = ir.VectorType(DOUBLE, LANES // 2)
        self.builder = builder
        self.halves = [cgutils.alloca_once(builder, half) for _ in range(2)]
        self.top, self.lost = (cgutils.alloca_once(builder, _vector(INT32)) for _ in range(2))
        for place in self.halves:
            builder.store(ir.Constant(half, [0.0] * (LANES // 2)), place)
        builder.store(_whole(0), self.top)
        builder.store(_whole(0), self.lost)

    def add(self, x, wrong):
        """Add sixteen float32."""
        builder = self.builder
        e, bits = _exp(builder, x)
        builder.store(_call(builder, "llvm.umax", builder.load(self.top), bits), self.top)
        if wrong is not None:
            builder.store(builder.or_(builder.load(self.lost), builder.zext(wrong, _vector(INT32))), self.lost)
        for k, half in enumerate(self.halves):
            builder.store(builder.fadd(builder.load(half), _half(builder, e, k * LANES // 2)), half)

    def result(self):
        """Return the sum, the largest bits, and whether float32 held all."""
        builder = self.builder

        def larger(a, b):
            return builder.select(builder.icmp_unsigned(">", a, b), a, b)

        total = _across(builder, builder.fadd(*map(builder.load, self.halves)), builder.fadd)
        highest = _across(builder, builder.load(self.top), larger)
        lost = _across(builder, builder.load(self.lost), builder.or_)
        return total, highest, builder.icmp_unsigned("==", lost, INT32(0))


@njit(error_model="numpy", nogil=True)
def exp_total(z):
    return _exp_total(z)


# A number as it is stored


def _number(x):
    raise NotImplementedError("compiled code only")


@overload(_number, inline="always")
def _(x):
    if x == types.uint16:
        widen = compiled(single.from_bfloat16)
        return lambda x: widen(x)  # noqa: PLW0108 (Numba reads the names of the arguments)
    if x == types.int16:
        widen = compiled(single.from_float16)
        return lambda x: widen(x)  # noqa: PLW0108 (Numba reads the names of the arguments)
    return lambda x: x


@njit(error_model="numpy", nogil=True, inline="always")
def number(x):
    return _number(x)


def _singles(z, scratch):
    raise NotImplementedError("compiled code only")


@overload(_singles)
def _(z, scratch):
    if z.dtype == types.float32:
        return lambda z, scratch: (z, True)

    def copied(z, scratch):
        same = True
        for j in range(z.size):
            x = number(z[j])
            scratch[j] = np.float32(x)
            same &= np.float64(scratch[j]) == np.float64(x)
        return scratch, same

    return copied


@njit(error_model="numpy", nogil=True, inline="always")
def singles(z, scratch):
    return _singles(z, scratch)
