"""Is the explanation of this prediction worth anything?"""

from curate.saliency.attacks.baselines import black_box_step as black_box_step
from curate.saliency.attacks.baselines import random_signs as random_signs
from curate.saliency.attacks.iterative import iterative_attack as iterative_attack
from curate.saliency.attacks.iterative import strong_attack as strong_attack
from curate.saliency.attacks.objectives import OBJECTIVES as OBJECTIVES
from curate.saliency.attacks.result import Attacked as Attacked
from curate.saliency.maps.completeness import completeness_error as completeness_error
from curate.saliency.maps.deeplift import deeplift as deeplift
from curate.saliency.maps.grad_cam import grad_cam as grad_cam
from curate.saliency.maps.gradients import gradient as gradient
from curate.saliency.maps.gradients import gradient_x_input as gradient_x_input
from curate.saliency.maps.guided import guided_backprop as guided_backprop
from curate.saliency.maps.integrated import integrated_gradients as integrated_gradients
from curate.saliency.maps.scores import pixel_scores as pixel_scores
from curate.saliency.maps.smooth import smoothgrad as smoothgrad
from curate.saliency.measures.agreement import centre_shift as centre_shift
from curate.saliency.measures.agreement import kendall as kendall
from curate.saliency.measures.agreement import spearman as spearman
from curate.saliency.measures.agreement import ssim as ssim
from curate.saliency.measures.agreement import topk_intersection as topk_intersection
from curate.saliency.methods import METHODS as METHODS
