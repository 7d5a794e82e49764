"""The training side: one Recorder, and thin adapters that call it."""

from curate.record.distributed import DistributedRecorder as DistributedRecorder
from curate.record.history import forgetting_at as forgetting_at
from curate.record.loops.watching import watch as watch
from curate.record.recorder import Recorder as Recorder
from curate.record.sampling.sampler import DynamicSampler as DynamicSampler
