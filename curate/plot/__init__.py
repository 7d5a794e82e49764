"""Matplotlib figures of Arrow tables (extra ``curate-data[plot]``), each on axes of your own."""

from curate.plot.accuracies import plot_accuracies as plot_accuracies
from curate.plot.gallery import plot_gallery as plot_gallery
from curate.plot.removal import plot_removal as plot_removal
from curate.plot.saliency import plot_fragility as plot_fragility
from curate.plot.saliency import plot_maps as plot_maps
from curate.plot.sources import plot_confusion as plot_confusion
from curate.plot.sources import plot_exchange as plot_exchange
from curate.plot.sources import plot_learning_curve as plot_learning_curve
from curate.plot.training import plot_data_map as plot_data_map
from curate.plot.training import plot_forgetting as plot_forgetting
