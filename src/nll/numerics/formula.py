"""A formula is a scalar function in plain Python that can also be compiled.

Until enough rows arrive to pay for a compiler, formulas run as they stand: on `np.float64`
numbers, under `quiet()`, one row at a time. `compiled(f)` gives Numba's version of the same
function, with every formula that it calls. Both give the same bits, because a formula uses only
IEEE operations, integer bit moves and the primitives of `bits.py`.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable, Iterator
from dis import get_instructions
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

# Numba's default error model puts an exit for division by zero into every loop, which then no longer
# vectorises; and without forceinline LLVM leaves a second log in a loop as a call: 14 ns a row, not 2.5.
# They are called by compiled code only, never from Python: without the wrappers for that they compile in 2/3 the time.
FORMULA_OPTIONS = {
    "error_model": "numpy",
    "nogil": True,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
LOOPED = ("FOR_ITER", "JUMP_BACKWARD")  # what loops are in bytecode
LOOP_OPTIONS = {"error_model": "numpy", "nogil": True, "cache": True}


def formula(function: F) -> F:
    """Mark a scalar function as a formula; it stays plain Python."""
    function.__formula__ = True
    return function


def standalone(function: F, arguments: int | None = None) -> F:
    """Mark a formula of so many numbers that compiles once, by itself, and is called: for what holds loops.

    Inlined, or linked as Numba does, each of its places and each caller of a caller would compile it again, for
    minutes in all. No loop that calls it vectorises.
    """
    function.__standalone__ = function.__code__.co_argcount if arguments is None else arguments
    return formula(function)


def primitive(function: F) -> F:
    """Mark a function whose compiled version is written in LLVM, under the same name in `intrinsics.py`."""
    function.__primitive__ = "intrinsics"
    return function


def primitive_in(module: str) -> Callable[[F], F]:
    """Return what marks a function whose compiled version is in another module of this package."""

    def mark(function: F) -> F:
        function.__primitive__ = module
        return function

    return mark


def quiet() -> np.errstate:
    """Return the context in which formulas run as plain Python: infinities and NaN are values, integers wrap."""
    return np.errstate(all="ignore")


@cache
def compiled(function: Callable[..., Any]) -> Any:
    """Return Numba's version of a formula, inlined wherever it is called, unless it is to stand alone.

    Only compiled code may call it: it has no entry from Python.
    """
    from numba import njit

    if hasattr(function, "__primitive__"):
        return getattr(import_module(f"nll.numerics.{function.__primitive__}"), function.__name__)
    if not hasattr(function, "__standalone__"):
        return njit(**FORMULA_OPTIONS)(linked(function))
    from nll.numerics.intrinsics import external

    count = function.__standalone__
    if function.__closure__ is None and function.__code__.co_argcount == count:
        return external(bind(function), count)
    return external(bind(_call, _body=njit(**FORMULA_OPTIONS)(linked(function))), count, packed=True)


def _call(*arguments):
    """Call what is bound to `_body`: Numba's cache takes no function with cells."""
    return _body(*arguments)  # type: ignore[name-defined]  # noqa: F821


def is_scalar(function: Callable[..., Any]) -> bool:
    """Whether a formula, or one that it reaches, stands alone or has a loop: no loop over rows with it vectorises."""
    left, seen = [function], set()
    while left:
        each = left.pop()
        if hasattr(each, "__standalone__") or any(op.opname.startswith(LOOPED) for op in get_instructions(each)):
            return True
        if id(each) not in seen:
            seen.add(id(each))
            left += [value for value in named(each, {}) if isinstance(value, types.FunctionType)]
    return False


def bind(loop: Callable[..., Any], *, inline: bool = False, **formulas: Callable[..., Any]) -> Any:
    """Compile a loop for a family: the global names in `formulas` become the family's.

    With `inline`, the result is a part of another loop and has no cache of its own.

    Numba names the file of a cached kernel by the function's qualified name and stamps it with the file
    that its code names. So the name carries a hash of every formula that the loop reaches: when any of them
    changes, the kernel is another one, and a stale one is never run.
    """
    from numba import njit

    copy = linked(loop, formulas)
    if copy.__code__.co_filename.startswith("<"):  # of no file: a formula that was written by `Writer`
        copy.__code__ = copy.__code__.replace(co_filename=__file__)
    mark = fingerprint(loop, formulas)
    copy.__qualname__ = f"{loop.__name__}_{mark}"
    kernel = njit(**(FORMULA_OPTIONS if inline else LOOP_OPTIONS))(copy)
    kernel.fingerprint = mark
    return kernel


def linked(function: Callable[..., Any], names: dict[str, Callable[..., Any]] | None = None) -> types.FunctionType:
    """Copy a function with each formula that it names replaced by its compiled version."""
    scope = {**function.__globals__, **(names or {})}
    for name in function.__code__.co_names:
        if is_formula(scope.get(name)):
            scope[name] = compiled(scope[name])
    cells = tuple(
        types.CellType(compiled(c.cell_contents) if is_formula(c.cell_contents) else c.cell_contents)
        for c in function.__closure__ or ()
    )
    copy = types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def is_stored(kernel: Any) -> bool:
    """Say whether a bound loop has been compiled on this machine, for some types of arguments."""
    index = getattr(getattr(getattr(kernel, "_cache", None), "_cache_file", None), "_index_path", None)
    return index is not None and Path(index).exists()


def is_formula(value: object) -> bool:
    return isinstance(value, types.FunctionType) and (hasattr(value, "__formula__") or hasattr(value, "__primitive__"))


def fingerprint(function: Callable[..., Any], names: dict[str, Callable[..., Any]]) -> str:
    """Hash the code of a function and of all that it reaches, and the constants that they name."""
    digest = hashlib.sha256()
    for part in reached(function, names, set()):
        digest.update(part)
    digest.update((Path(__file__).parent / "intrinsics.py").read_bytes())
    return digest.hexdigest()[:12]


def named(function: Callable[..., Any], names: dict[str, Callable[..., Any]]) -> list[Any]:
    """Return the values of the globals and cells that a function names."""
    scope = {**function.__globals__, **names}
    values = [scope[name] for name in function.__code__.co_names if name in scope]
    return values + [cell.cell_contents for cell in function.__closure__ or ()]


def reached(function: Callable[..., Any], names: dict[str, Callable[..., Any]], seen: set[int]) -> Iterator[bytes]:
    if id(function) in seen:
        return
    seen.add(id(function))
    code = function.__code__
    if getattr(function, "__primitive__", "intrinsics") != "intrinsics":  # of that one, every hash has the text
        yield (Path(__file__).parent / f"{function.__primitive__}.py").read_bytes()
    yield code.co_code + repr((code.co_names, [c for c in code.co_consts if not hasattr(c, "co_code")])).encode()
    for value in named(function, names):
        if isinstance(value, types.FunctionType):
            yield from reached(value, {}, seen)
        elif isinstance(value, (int, float, tuple, str, np.generic)):
            yield repr(value).encode()
        elif isinstance(value, np.ndarray):
            yield value.tobytes()
        elif hasattr(value, "fingerprint"):
            yield value.fingerprint.encode()
        elif hasattr(value, "py_func"):
            yield from reached(value.py_func, {}, seen)
