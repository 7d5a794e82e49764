"""Each test process is for one core, as pytest starts as many as there are cores.

Threads that outnumber the cores wait for each other, and so does a child that is forked from a
process with threads, for ever. The libraries read these variables when they are first imported.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
