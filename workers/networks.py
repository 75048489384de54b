"""Gives the task handlers loaded networks: weights from the store, through the cache, onto this worker's device."""

from collections.abc import Sequence

import torch

from inference.batcher import Answer, Batcher
from inference.loader import LoadedNetwork, load_network
from inference.model_cache import ModelCache
from inference.network import NetworkDescription, Precision
from inference.tuning import DTYPES
from store.records import NetworkRecord
from store.weights import WeightStore


class NetworkRunner:
    """Loads networks on demand and runs prepared inputs through them in batches."""

    def __init__(
        self, weights: WeightStore, cache: ModelCache[LoadedNetwork], batcher: Batcher, device: torch.device
    ) -> None:
        self._weights = weights
        self._cache = cache
        self._batcher = batcher
        self._device = device

    def load(self, network: NetworkRecord) -> LoadedNetwork:
        """Return the network, loaded.

        Raises:
            NetworkError: if its files cannot be loaded.
        """
        return self._cache.get(network.weights_key, lambda: self._load(network))

    def _load(self, network: NetworkRecord) -> LoadedNetwork:
        description = NetworkDescription.from_json(network.preprocessing, network.postprocessings)
        folder = self._weights.local_folder(network.weights_key, network.files)
        return load_network(folder, description, self._device).at(_precision_of(network))

    def keep(self, network: NetworkRecord, loaded: LoadedNetwork) -> None:
        """Let the next tasks have the network as its deployment has found it best."""
        self._cache.put(network.weights_key, loaded)

    def submit(self, network: NetworkRecord, loaded: LoadedNetwork, sample: Sequence[torch.Tensor]) -> Answer:
        """Queue one prepared sample, a tensor for each input, and return the future of its output tensors."""
        report = network.deployment.report
        return self._batcher.submit(loaded, tuple(sample), report["max_batch_size"] if report else None)


def _precision_of(network: NetworkRecord) -> torch.dtype:
    """Return what the deployment decided; float32 as long as it has not, or has told nothing of it."""
    report = network.deployment.report or {}
    return DTYPES[Precision(report.get("precision", Precision.FLOAT32))]
