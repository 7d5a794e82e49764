"""Exporting: the kept examples of a data set as a data set on disk."""

from curate.exporting.export import FORMATS as FORMATS
from curate.exporting.export import export as export
