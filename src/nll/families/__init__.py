"""Probability distributions, one file each; a new file is found by its presence."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from nll.families.family import REGISTRY, Family


def families() -> dict[str, type[Family]]:
    """Return every family of this folder by its name, in alphabetical order."""
    _import_all()
    return {name: family for name, family in sorted(REGISTRY.items()) if family.__module__.startswith(__name__)}


@cache
def _import_all() -> None:
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
