"""Own the 3-D convolutional network that reads brain volumes. Needs PyTorch, which is imported when it is fitted."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from arrays import Floats, Mask, Voxels
from cohorts import Cohort
from folds import split

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

INNER_FOLDS = 5  # one of them decides when to stop
PATIENCE = 6  # epochs without a better validation loss
BATCH = 16
CHANNELS = (8, 16, 32)  # each step halves the grid; positions matter, because atrophy has its place
LEARNING_RATE, WEIGHT_DECAY, DROPOUT = 1e-3, 1e-2, 0.5


class Network:
    """A fitted network with the interface that `evaluation.predict` needs."""

    classes_ = np.array([0, 1])

    def __init__(self, layers: Module, mask: Mask, mean: Voxels, spread: Voxels, device: str) -> None:
        self._layers, self._mask, self._mean, self._spread = layers, mask, mean, spread
        self._device = device

    def predict_proba(self, features: pd.DataFrame) -> Floats:
        """Return the risk of both classes for each row of voxels."""
        import torch  # noqa: PLC0415  (an extra)

        self._layers.eval()
        with torch.inference_mode():
            parts = [self._risk(batch).cpu().numpy() for batch in self._batches(features.to_numpy())]
        risk = np.concatenate(parts).astype(float)
        return np.column_stack([1 - risk, risk])

    def _risk(self, volumes: Tensor) -> Tensor:
        """Return the mean risk of a brain and its mirror image: the side of an atrophy does not matter here."""
        return (self._layers(volumes).sigmoid() + self._layers(volumes.flip(2)).sigmoid()) / 2

    def volumes(self, voxels: Voxels) -> Voxels:
        """Return standardised voxels in their places, rows x 1 x grid; voxels outside the mask are 0, the mean."""
        grid = np.zeros((len(voxels), 1, *self._mask.shape), dtype=np.float32)
        grid[:, 0, self._mask] = (voxels - self._mean) / self._spread
        return grid

    def weights(self) -> bytes:
        """Return the network's arrays as the content of an .npz file."""
        arrays = {name: value.cpu().numpy() for name, value in self._layers.state_dict().items()}
        file = io.BytesIO()
        np.savez_compressed(file, mask=self._mask, mean=self._mean, spread=self._spread, **arrays)
        return file.getvalue()

    def _batches(self, voxels: Voxels) -> Iterator[Tensor]:
        import torch  # noqa: PLC0415  (an extra)

        for start in range(0, len(voxels), 4 * BATCH):
            yield torch.from_numpy(self.volumes(voxels[start : start + 4 * BATCH])).to(self._device)


def fit_network(  # noqa: PLR0913  (what is fitted, on whom, how long, and where)
    cohort: Cohort, *, mask: Mask, epochs: int, device: str, threads: int, seed: int, log: Callable[..., None]
) -> Network:
    """Fit by at most `epochs` passes; keep the weights of the pass with the lowest loss on inner held-out people."""
    import torch  # noqa: PLC0415  (an extra)

    torch.set_num_threads(threads)
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.backends.cudnn.flags(deterministic=True, benchmark=False):
        torch.manual_seed(seed)  # inside the fork alone: the process keeps its own state
        return _fit(cohort, mask=mask, epochs=epochs, device=device, seed=seed, log=log)


def _fit(  # noqa: PLR0913  (as above)
    cohort: Cohort, *, mask: Mask, epochs: int, device: str, seed: int, log: Callable[..., None]
) -> Network:
    import torch  # noqa: PLC0415  (an extra)

    rows, held_out = split(cohort, INNER_FOLDS, seed)[0]
    voxels = cohort.features.to_numpy(np.float32)
    spread = voxels[rows].std(axis=0)
    network = Network(_layers(mask.shape).to(device), mask, voxels[rows].mean(axis=0), spread + 1e-3, device)
    layers = network._layers  # noqa: SLF001  (this is its factory)
    seen, unseen = (torch.from_numpy(network.volumes(voxels[part])).to(device) for part in (rows, held_out))
    target = torch.from_numpy(cohort.target.astype(np.float32)).to(device)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    optimiser = torch.optim.AdamW(layers.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    random = np.random.default_rng(seed)
    best, best_epoch, weights = np.inf, 0, {}
    for epoch in range(epochs):
        layers.train()
        for batch in np.array_split(random.permutation(len(rows)), max(1, len(rows) // BATCH)):
            volumes = seen[batch]
            if random.random() < 0.5:
                volumes = volumes.flip(2)  # left and right: the brain is nearly symmetric
            optimiser.zero_grad()
            loss_of(layers(volumes), target[rows[batch]]).backward()
            optimiser.step()
        layers.eval()
        with torch.inference_mode():
            loss = float(loss_of(layers(unseen), target[held_out]))
        log(epoch=epoch, loss=loss)
        if loss < best:
            best, best_epoch = loss, epoch
            weights = {name: value.clone() for name, value in layers.state_dict().items()}
        elif epoch - best_epoch >= PATIENCE:
            break
    layers.load_state_dict(weights)
    return network


def _layers(shape: tuple[int, ...]) -> Module:
    from torch import nn  # noqa: PLC0415  (an extra)

    layers: list[Module] = []
    for before, after in zip((1, *CHANNELS), CHANNELS, strict=False):
        layers += [nn.Conv3d(before, after, 3, stride=2, padding=1), nn.BatchNorm3d(after), nn.ReLU()]
    places = int(np.prod([-(-size // 2 ** len(CHANNELS)) for size in shape]))
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(DROPOUT), nn.Linear(CHANNELS[-1] * places, 1), nn.Flatten(0))
