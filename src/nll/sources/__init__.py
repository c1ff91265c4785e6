"""Where rows come from: files, frames and streams, each read as batches of columns."""

from nll.sources.columns import numbers
from nll.sources.opening import open_source
from nll.sources.source import Batch, Source

__all__ = ["Batch", "Source", "numbers", "open_source"]
