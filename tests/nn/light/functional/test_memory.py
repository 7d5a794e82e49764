"""Memory linear in the length: nothing of K times the input, nothing of T squared."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys, torch
from curate.nn import dynamic_conv1d, lightweight_conv1d
torch.set_num_threads(1)
function = {"light": lightweight_conv1d, "dynamic": dynamic_conv1d}[sys.argv[1]]
def resident(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) * 1024
def run(length):
    x = torch.randn(1, length, 256, requires_grad=True)
    shape = (8, 31) if sys.argv[1] == "light" else (1, length, 8, 31)
    weight = torch.randn(shape, requires_grad=True)
    before = resident("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far
    y = function(x, weight)
    y.backward(torch.ones_like(y))
    return (resident("VmHWM") - before) / (x.nbytes + weight.nbytes)
run(64)
print(run(32768))
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)
@pytest.mark.parametrize("kind", ["light", "dynamic"])
def test_forward_and_backward_hold_a_few_times_the_input(kind):
    command = [sys.executable, "-c", CODE, kind]
    grown = float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert grown < 4.5  # y, dy, dx and the kernels' own; unfolding would take more than 31
