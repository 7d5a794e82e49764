"""Images as vectors: histograms of oriented gradients, thumbnails, activations of networks."""

from curate.features._cnn import cnn as cnn
from curate.features._extract import FEATURES as FEATURES
from curate.features._extract import extract as extract
from curate.features._hog import hog as hog
from curate.features._local_dct import local_dct as local_dct
from curate.features._middle import middle as middle
from curate.features._pixels import pixel_batches as pixel_batches
from curate.features._pixels import pixels as pixels
from curate.features._thumbnail import colour as colour
from curate.features._thumbnail import thumbnail as thumbnail
