"""Data sets with stable example ids: wrapping, loading, fingerprints."""

from curate.data._fingerprint import fingerprint as fingerprint
from curate.data._load import load as load
from curate.data._with_ids import WithIds as WithIds
from curate.data._with_ids import ids_of as ids_of
from curate.data._with_ids import with_ids as with_ids
from curate.data.example_set import ExampleSet as ExampleSet
from curate.data.formats.folder import folder as folder
from curate.data.formats.parquet import parquet as parquet
from curate.data.formats.webdataset import webdataset as webdataset
from curate.data.holdout import held_out as held_out
from curate.data.opening import open_view as open_view
from curate.data.tokens import VOCABULARY as VOCABULARY
from curate.data.tokens import tokenize as tokenize
from curate.data.training import as_example_set as as_example_set
from curate.data.view import View as View
from curate.moved import moved

__getattr__ = moved(__name__, {"Loaded": "curate.data.ExampleSet"})
