"""Exporting: the kept examples of a data set as a data set on disk."""

from curate.exporting._export import FORMATS as FORMATS
from curate.exporting._export import check_export as check_export
from curate.exporting._export import export as export
