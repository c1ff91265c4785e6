"""Tensors of other libraries as NumPy arrays over the same memory, by DLPack.

NumPy takes every type that it has itself. It has no bfloat16, so the structure behind such a tensor is read here, and
the array holds its bits, of the type `BFLOAT16`.

Source: DLPack, "C API (dlpack.h)" and "Python Specification for DLPack", dmlc.github.io/dlpack.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from nll.errors import DataError
from nll.numerics.single import BFLOAT16

Array = npt.NDArray[Any]
CPU = (1, 3)  # main memory, and main memory that CUDA has pinned
BFLOAT = 4
NAME = b"dltensor"


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class _Memory:
    """The memory of a tensor as NumPy's array interface; holds the capsule, which holds the tensor."""

    def __init__(self, capsule: Any, pointer: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.capsule = capsule
        self.__array_interface__ = {
            "version": 3, "typestr": "<u2", "data": (pointer, True), "shape": shape, "strides": strides,
        }  # fmt: skip


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor of another library."""
    return hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__") and not isinstance(value, np.ndarray)


def from_tensor(value: Any, name: str) -> Array:
    """Return a tensor in main memory as an array that shares it; its gradient, if it has one, stays behind.

    Raises
    ------
    DataError : the tensor lies on another device.
    """
    device = int(value.__dlpack_device__()[0])
    if device not in CPU:
        raise DataError(
            f"{name} is a tensor on the device {getattr(value, 'device', device)}: move it to the CPU "
            "(tensor.cpu()), all of it or, by nll.Tally or nll.categorical_from_chunks, piece by piece"
        )
    if getattr(value, "requires_grad", False):
        value = value.detach()
    if "bfloat16" in str(getattr(value, "dtype", "")):
        return _bfloat16(value)
    return np.from_dlpack(value)


def _bfloat16(value: Any) -> Array:
    capsule = value.__dlpack__()
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    tensor = _Tensor.from_address(get(capsule, NAME))  # a ValueError unless the capsule is one, and unused
    kind, ndim = tensor.dtype, tensor.ndim
    if (kind.code, kind.bits, kind.lanes) != (BFLOAT, 16, 1) or tensor.device_type not in CPU or ndim < 0:
        raise ValueError(f"DLPack type {(kind.code, kind.bits, kind.lanes)} is not bfloat16")
    shape = tuple(tensor.shape[i] for i in range(ndim))
    if 0 in shape:
        return np.zeros(shape, BFLOAT16)
    packed = tuple(int(np.prod(shape[i + 1 :], dtype=np.int64)) for i in range(ndim))  # what no strides mean
    strides = tuple(tensor.strides[i] for i in range(ndim)) if tensor.strides else packed
    if not tensor.data:
        raise ValueError("the tensor has no memory")
    memory = _Memory(capsule, tensor.data + tensor.byte_offset, shape, tuple(2 * s for s in strides))
    return np.asarray(memory).view(BFLOAT16)
