"""Where passes run: threads of this process, Dask, Spark."""

from typing import TYPE_CHECKING, Any

from nll.engines.local import Local

if TYPE_CHECKING:
    from nll.engines.dask import Dask as Dask
    from nll.engines.spark import Spark as Spark

__all__ = ["Dask", "Local", "Spark"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in ("Dask", "Spark"):
        return getattr(import_module(f"nll.engines.{name.lower()}"), name)
    raise AttributeError(f"module 'nll.engines' has no attribute {name!r}")
