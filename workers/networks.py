"""Gives the task handlers loaded networks: weights from the store, through the cache, onto this worker's device."""

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from time import perf_counter

import torch

from inference.batch_plan import BatchPlan
from inference.batcher import Batcher
from inference.device import give_back_unused
from inference.errors import NetworkError
from inference.execution import Execution, prepared
from inference.loader import LoadedNetwork, load_network
from inference.model_cache import ModelCache, Room
from inference.network import NetworkDescription
from inference.waiting import Answer
from inference.warm_up import run_first_times
from store.records import NetworkRecord
from workers.companions.downloader import Weights
from workers.load_trial import LoadTrial
from workers.vital_signs import VitalSigns
from workers.watchdog import ended_after

logger = logging.getLogger(__name__)


class NetworkRunner:
    """Loads networks on demand and runs prepared inputs through them in batches.

    ``pinned`` are IDs and slugs of networks that stay in memory once they are there.
    """

    def __init__(
        self,
        weights: Weights,
        cache: ModelCache[LoadedNetwork],
        batcher: Batcher,
        trial: LoadTrial,
        signs: VitalSigns,
        *,
        load_timeout_seconds: float,
        pinned: Collection[str] = (),
    ) -> None:
        self._weights = weights
        self._cache = cache
        self._batcher = batcher
        self._trial = trial
        self._signs = signs
        self._load_timeout_seconds = load_timeout_seconds
        self._pinned = frozenset(pinned)
        self._ids: dict[str, int] = {}  # by weights key

    def load(self, network: NetworkRecord) -> LoadedNetwork:
        """Return the network, loaded.

        Raises:
            NetworkError: if its files cannot be loaded, or its deployment has failed.
        """
        if network.deployment.status == "error":
            raise NetworkError(f"The network could not be deployed: {network.deployment.error}")
        return self._begin(network).result()

    def loading(self, network: NetworkRecord) -> "Future[LoadedNetwork] | None":
        """Begin to load the network if it is not in memory, and return the future of that; None if it is there."""
        if network.deployment.status == "error":
            return None
        future = self._begin(network)
        return None if future.done() else future

    def _begin(self, network: NetworkRecord) -> "Future[LoadedNetwork]":
        return self._cache.begin(
            network.weights_key, lambda room: self._load(network, room), is_pinned=self._is_pinned(network)
        )

    def _is_pinned(self, network: NetworkRecord) -> bool:
        return bool(self._pinned) and not self._pinned.isdisjoint((str(network.id), network.slug))

    def _load(self, network: NetworkRecord, room: Room) -> LoadedNetwork:
        started = perf_counter()
        try:
            description = NetworkDescription.from_json(network.preprocessing, network.postprocessings)
            folder = self._weights.local_folder(network.weights_key, network.files)
            if network.deployment.status != "success" and network.account_id is not None:
                self._trial.run(network, folder)  # public ones come from the operator, by the command line
            with room(sum(file.size for file in network.files)):
                started = perf_counter()
                with ended_after(self._load_timeout_seconds, f"Loading network {network.id}"):
                    loaded = self._within_memory(
                        lambda: _ready_to_run(load_network(folder, description, self._trial.device), network)
                    )
        except Exception:
            self._signs.load_failed(network.id)
            raise
        self._signs.network_loaded(network.id, perf_counter() - started)
        self._know(network, loaded)
        return loaded

    def _within_memory(self, load: Callable[[], LoadedNetwork]) -> LoadedNetwork:
        """Load a network; if the device has no memory for it, once more when others have left."""
        try:
            return load()
        except torch.OutOfMemoryError:
            logger.warning("The device has no memory left for a network. All that are not in use leave.")
        self._cache.make_room()
        give_back_unused(self._trial.device)
        try:
            return load()
        except torch.OutOfMemoryError as error:
            raise NetworkError("The device has not enough memory for the network.") from error

    def keep(self, network: NetworkRecord, loaded: LoadedNetwork) -> None:
        """Let the next tasks have the network as its deployment has found it best."""
        self._know(network, loaded)
        self._cache.put(network.weights_key, loaded, is_pinned=self._is_pinned(network))

    def _know(self, network: NetworkRecord, loaded: LoadedNetwork) -> None:
        self._signs.knows(loaded, network.id)
        self._ids[network.weights_key] = network.id

    def loaded(self) -> list[int]:
        """Return the IDs of the networks that are in memory, least recently used first."""
        keys = self._cache.keys()
        return [self._ids[key] for key in keys if key in self._ids]

    def memory(self) -> tuple[int, int]:
        """Return how many bytes networks take, and how many they may."""
        return self._cache.used_bytes(), self._cache.budget_bytes

    def expecting(self, loaded: LoadedNetwork) -> AbstractContextManager[None]:
        """Return a context in which a sample is prepared and submitted."""
        return self._batcher.expecting(loaded)

    def submit(self, network: NetworkRecord, loaded: LoadedNetwork, sample: Sequence[torch.Tensor]) -> Answer:
        """Queue one prepared sample, a tensor for each input, and return the future of its output tensors."""
        return self._batcher.submit(loaded, tuple(sample), BatchPlan.from_report(network.deployment.report))


def _ready_to_run(loaded: LoadedNetwork, network: NetworkRecord) -> LoadedNetwork:
    """Return a network in the way that its deployment found best, its first runs behind it."""
    report = network.deployment.report
    if report is None:  # the deployment runs it
        return loaded
    loaded.keep_outputs(output["name"] for output in report["outputs"])
    loaded = prepared(loaded, Execution.from_report(report))
    run_first_times(loaded, report["max_batch_size"])
    return loaded
