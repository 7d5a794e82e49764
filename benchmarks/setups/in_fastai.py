"""fastai's Learner; on two processes with a model under DDP, as its own loaders there need CUDA."""

from torch.nn.functional import cross_entropy
from torch.utils.data import TensorDataset

import curate
from setups.harness import BATCH, EPOCHS, N, Net, Run, X, Y, setup

NEEDS = ("fastai",)


def learner(loaders, model):
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    learn = Learner(loaders, model, loss_func=cross_entropy, opt_func=SGD)
    learn.remove_cbs([each for each in learn.cbs if "Progress" in type(each).__name__])
    return learn


@setup("fastai", "fit, curate.watch", needs=NEEDS)
def watched(run: Run):
    from fastai.data.core import DataLoaders

    if run.ranks == 1:
        rows = list(TensorDataset(X, Y))
        loaders = DataLoaders.from_dsets(rows, rows, bs=BATCH, device="cpu")
    else:
        loaders = DataLoaders(*(run.loader(TensorDataset(X, Y)) for _ in range(2)), device="cpu")
    learn = learner(loaders, run.wrapped(Net()))
    recorder = curate.watch(learn.model, learn.dls.train)  # added
    with learn.no_logging():
        learn.fit(EPOCHS, 2.0)
    return recorder


@setup("fastai", "fit, a callback", needs=NEEDS)
def called(run: Run):
    from fastai.callback.core import Callback
    from fastai.data.core import DataLoaders

    recorder = run.recorder(N)  # added

    class Recording(Callback):
        def before_batch(self):
            *self.learn.yb, self.ids = self.yb

        def after_loss(self):
            if self.training:
                recorder.update(self.ids, self.pred, self.yb[0])  # added

        def after_train(self):
            recorder.end_epoch()  # added

    data = curate.data.with_ids(TensorDataset(X, Y))  # changed
    loaders = DataLoaders(run.loader(data), run.loader(data), device="cpu")
    loaders.n_inp = 1
    learn = learner(loaders, run.wrapped(Net()))
    with learn.no_logging():
        learn.fit(EPOCHS, 2.0, cbs=Recording())
    return recorder
