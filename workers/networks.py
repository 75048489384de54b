"""Gives the task handlers loaded networks: weights from the store, through the cache, onto this worker's device."""

from collections.abc import Sequence
from time import perf_counter

import torch

from inference.batcher import Answer, Batcher
from inference.errors import NetworkError
from inference.execution import Execution, prepared
from inference.loader import LoadedNetwork, load_network
from inference.model_cache import ModelCache
from inference.network import NetworkDescription
from store.records import NetworkRecord
from store.weights import WeightStore
from workers.load_trial import LoadTrial
from workers.vital_signs import VitalSigns
from workers.watchdog import ended_after


class NetworkRunner:
    """Loads networks on demand and runs prepared inputs through them in batches."""

    def __init__(
        self,
        weights: WeightStore,
        cache: ModelCache[LoadedNetwork],
        batcher: Batcher,
        trial: LoadTrial,
        signs: VitalSigns,
        *,
        load_timeout_seconds: float,
    ) -> None:
        self._weights = weights
        self._cache = cache
        self._batcher = batcher
        self._trial = trial
        self._signs = signs
        self._load_timeout_seconds = load_timeout_seconds
        self._ids: dict[str, int] = {}  # by weights key

    def load(self, network: NetworkRecord) -> LoadedNetwork:
        """Return the network, loaded.

        Raises:
            NetworkError: if its files cannot be loaded, or its deployment has failed.
        """
        if network.deployment.status == "error":
            raise NetworkError(f"The network could not be deployed: {network.deployment.error}")
        return self._cache.get(network.weights_key, lambda: self._load(network))

    def _load(self, network: NetworkRecord) -> LoadedNetwork:
        started = perf_counter()
        try:
            description = NetworkDescription.from_json(network.preprocessing, network.postprocessings)
            folder = self._weights.local_folder(network.weights_key, network.files)
            if network.deployment.status != "success" and network.account_id is not None:
                self._trial.run(network, folder)  # public ones come from the operator, by the command line
            with ended_after(self._load_timeout_seconds, f"Loading network {network.id}"):
                loaded = prepared(
                    load_network(folder, description, self._trial.device),
                    Execution.from_report(network.deployment.report),
                )
        except Exception:
            self._signs.load_failed(network.id)
            raise
        self._signs.network_loaded(network.id, perf_counter() - started)
        self._know(network, loaded)
        return loaded

    def keep(self, network: NetworkRecord, loaded: LoadedNetwork) -> None:
        """Let the next tasks have the network as its deployment has found it best."""
        self._know(network, loaded)
        self._cache.put(network.weights_key, loaded)

    def _know(self, network: NetworkRecord, loaded: LoadedNetwork) -> None:
        self._signs.knows(loaded, network.id)
        self._ids[network.weights_key] = network.id

    def loaded(self) -> list[int]:
        """Return the IDs of the networks that are in memory, least recently used first."""
        keys = self._cache.keys()
        return [self._ids[key] for key in keys if key in self._ids]

    def submit(self, network: NetworkRecord, loaded: LoadedNetwork, sample: Sequence[torch.Tensor]) -> Answer:
        """Queue one prepared sample, a tensor for each input, and return the future of its output tensors."""
        report = network.deployment.report
        return self._batcher.submit(loaded, tuple(sample), report["max_batch_size"] if report else None)
