"""Images as vectors: histograms of oriented gradients, thumbnails, activations of networks."""

from curate.bias.features.cnn import cnn as cnn
from curate.bias.features.extract import extract as extract
from curate.bias.features.hog import hog as hog
from curate.bias.features.pixels import pixel_batches as pixel_batches
from curate.bias.features.pixels import pixels as pixels
from curate.bias.features.thumbnail import colour as colour
from curate.bias.features.thumbnail import thumbnail as thumbnail
