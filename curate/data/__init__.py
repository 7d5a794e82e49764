"""Data sets with stable example ids: wrapping, loading, fingerprints."""

from curate.data.fingerprint import fingerprint as fingerprint
from curate.data.folder import folder as folder
from curate.data.holdout import held_out as held_out
from curate.data.load import load as load
from curate.data.loaded import Loaded as Loaded
from curate.data.parquet import parquet as parquet
from curate.data.tokens import VOCABULARY as VOCABULARY
from curate.data.tokens import tokenize as tokenize
from curate.data.with_ids import WithIds as WithIds
from curate.data.with_ids import ids_of as ids_of
from curate.data.with_ids import with_ids as with_ids
