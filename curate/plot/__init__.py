"""Matplotlib figures of Arrow tables (extra ``curate-data[plot]``)."""

from curate.plot.accuracies import plot_accuracies as plot_accuracies
