"""Answers deployment tasks: loads a new network, runs warm-up inputs, and records what its outputs are."""

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import orjson

from config.settings import Settings
from inference.lanes import Lanes
from inference.warm_up import warm_up
from store.errors import NotFound
from store.networks import Networks
from store.records import Deployment
from store.task_records import ClaimedTask
from workers.errors import TaskFailure
from workers.fetch_ahead import Fetched
from workers.handlers import Steps
from workers.networks import NetworkRunner
from workers.stopwatch import Stage, Stopwatch
from workers.watchdog import ended_after


class DeploymentHandler:
    """The path of a network that was just created."""

    def __init__(self, settings: Settings, networks: Networks, runner: NetworkRunner, lanes: Lanes) -> None:
        self._max_batch_size = settings.max_batch_size
        self._timeout_seconds = settings.load_timeout_seconds
        self._networks = networks
        self._runner = runner
        self._lanes = lanes

    def loading(self, task: ClaimedTask) -> "Future[Any] | None":
        """Return None: the thread of a deployment is for its network's load as well."""

    def answer(self, task: ClaimedTask, _fetched: Fetched, stopwatch: Stopwatch) -> Steps:
        """Answer with the report of :class:`inference.warm_up.WarmUp`."""
        yield from ()  # it runs its batches itself
        network_id: int = task.request["network_id"]
        try:
            network = self._networks.get_by_id(network_id)
            loaded = self._runner.load(network)
            stopwatch.lap(Stage.LOAD)
            with ended_after(self._timeout_seconds, f"The warm-up of network {network_id}"):
                found = warm_up(loaded, self._max_batch_size, self._lanes)
            stopwatch.lap(Stage.DEVICE)
            self._networks.record_deployment(network_id, Deployment("success", report=found.report))
        except NotFound as error:
            raise TaskFailure("The network was deleted before it could be deployed.") from error
        self._runner.keep(network, found.network)
        return orjson.dumps(found.report)

    def gave_up(self, request: Mapping[str, Any], reason: str) -> None:
        """Record with the network that it cannot be used, and why."""
        try:
            self._networks.record_deployment(request["network_id"], Deployment("error", error=reason))
        except NotFound:
            return
