"""Where passes run."""

from nll.engines.local import Local

__all__ = ["Local"]
