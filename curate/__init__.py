"""Which examples does my training set need, and can I trust the sets I test on?"""

from curate.errors import CurateError as CurateError
from curate.record import Recorder as Recorder
from curate.record import forgetting_at as forgetting_at
from curate.table import join as join
from curate.table import merge as merge
from curate.table import read as read
from curate.table import write as write
