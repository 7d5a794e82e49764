"""Is the explanation of this prediction worth anything?"""

from curate.saliency.maps.completeness import completeness_error as completeness_error
from curate.saliency.maps.deeplift import deeplift as deeplift
from curate.saliency.maps.grad_cam import grad_cam as grad_cam
from curate.saliency.maps.gradients import gradient as gradient
from curate.saliency.maps.gradients import gradient_x_input as gradient_x_input
from curate.saliency.maps.guided import guided_backprop as guided_backprop
from curate.saliency.maps.integrated import integrated_gradients as integrated_gradients
from curate.saliency.maps.scores import pixel_scores as pixel_scores
from curate.saliency.maps.smooth import smoothgrad as smoothgrad
