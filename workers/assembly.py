"""Puts a worker's parts together from its settings; only the device is used before there is a task."""

import logging
from dataclasses import dataclass

import torch

from config.cores import usable_cores
from config.queues import TaskKind
from config.settings import MEBIBYTE, Settings
from inference.batcher import Batcher
from inference.device import choose_device, compute_in_full_float32, wait_asleep, wake
from inference.device_decoding import DeviceDecoder
from inference.evidence.service import ServiceCheck
from inference.free_memory import cache_budget
from inference.image_files.opening import open_file
from inference.lanes import Lanes, use_threads
from inference.loader import LoadedNetwork
from inference.model_cache import ModelCache
from inference.network_use import NetworkUse
from store.backlog import BacklogLimits
from store.database import Database
from store.networks import Networks
from store.redis_connection import connect
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_recovery import TaskRecovery
from store.telemetry.reporter import Reporter
from store.telemetry.telemetry import Telemetry
from store.versions import Versions
from store.weights import WeightStore
from workers.batch_fallback import BatchFallback
from workers.catalogue import Catalogue
from workers.companions.downloader import RemoteWeights
from workers.companions.fetcher import RemoteFetcher
from workers.companions.start import Companions
from workers.decoders.decoders import Decoders, decoders_for
from workers.deploy import DeploymentHandler
from workers.fetch_ahead import FetchAhead
from workers.heartbeat import Pulse
from workers.image_inputs import ImageInputs
from workers.in_hand import InHand
from workers.infer_tensors import TensorsHandler
from workers.leases import Leases
from workers.load_trial import LoadTrial
from workers.networks import NetworkRunner
from workers.pinned import PinnedNetworks
from workers.recognise import RecognitionHandler
from workers.reconcile import Reconciler
from workers.runner import TaskRunner
from workers.sandbox.confinement import Protection
from workers.set_aside import SetAside
from workers.turns.heavy_images import HeavyImages
from workers.vital_signs import VitalSigns

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerParts:
    """What runs in a worker process beside Celery itself."""

    runner: TaskRunner
    in_hand: InHand
    heavy: HeavyImages
    batcher: Batcher
    decoder: DeviceDecoder | None
    decoders: Decoders | None
    leases: Leases
    reconciler: Reconciler
    reporter: Reporter
    pinned: PinnedNetworks


def assemble(settings: Settings, worker_name: str, companions: Companions, protection: Protection) -> WorkerParts:
    """Return the parts of a worker called ``worker_name`` in the ledger, which is confined as ``protection`` says.

    Raises:
        DeviceError: if the wanted device is not there, or does not work.
    """
    compute_in_full_float32()
    device = choose_device(settings.device)
    if device.type == "cuda":
        wait_asleep(device)
        use_threads(1)  # beside a GPU only pixels are copied; helpers would take the cores of the threads that decode
    wake(device)
    redis = connect(settings.redis_url)
    telemetry = Telemetry(redis)
    ledger = TaskLedger(redis, settings.task_ttl_seconds, BacklogLimits.of(settings), telemetry)
    database = Database(settings.database_url)
    networks = Networks(database)
    catalogue = Catalogue(networks, Versions(database))
    weights = RemoteWeights(companions.downloader) if companions.downloader else WeightStore.of(settings)
    signs = VitalSigns(telemetry)
    lanes = Lanes.of(device)
    fallback = BatchFallback(networks, catalogue, signs)
    use, check = NetworkUse(), ServiceCheck(fallback.batch_checked)
    batcher = Batcher(settings.max_batch_size, signs.batch_ran, lanes, check=check, use=use)
    trial = LoadTrial(device, settings.load_timeout_seconds, settings.load_memory_bytes, companions.launcher)
    cache = ModelCache[LoadedNetwork](_cache_bytes(settings, device), idle_seconds=use.idle_seconds)
    network_runner = NetworkRunner(
        weights,
        cache,
        batcher,
        trial,
        signs,
        load_timeout_seconds=settings.load_timeout_seconds,
        pinned=settings.pinned_networks,
    )
    decoder = DeviceDecoder(device) if device.type == "cuda" else None
    decoders = decoders_for(settings, companions.launcher)
    images = ImageInputs(settings, decoder, decoders.open if decoders else open_file)
    fetches = FetchAhead(RemoteFetcher(companions.fetcher), settings.url_fetches)
    leases = Leases(ledger, settings.lease_seconds)
    in_hand, heavy = InHand(), HeavyImages(usable_cores())
    runner = TaskRunner(
        settings,
        worker_name,
        ledger,
        leases,
        {
            TaskKind.RECOGNITION: RecognitionHandler(catalogue, network_runner, images),
            TaskKind.TENSORS: TensorsHandler(catalogue, network_runner, images),
            TaskKind.DEPLOYMENT: DeploymentHandler(settings, networks, network_runner, lanes),
        },
        signs=signs,
        in_hand=in_hand,
        heavy=heavy,
        set_aside=SetAside(leases, settings.worker_threads),
        fetches=fetches,
    )
    pulse = Pulse(
        worker_name,
        device=device,
        threads=settings.worker_threads,
        protection=protection,
        networks=network_runner,
        leases=leases,
        signs=signs,
    )
    reconciler = Reconciler(TaskRecovery(redis), TaskQueue(redis, ledger))
    pinned = PinnedNetworks(settings.pinned_networks, networks, network_runner)
    reporter = Reporter(telemetry, pulse.beat)
    return WorkerParts(runner, in_hand, heavy, batcher, decoder, decoders, leases, reconciler, reporter, pinned)


def _cache_bytes(settings: Settings, device: torch.device) -> int:
    processes = settings.worker_processes or 1
    budget = settings.cache_bytes or cache_budget(device, processes)
    logger.info("Networks may take %d MiB of %s in each of %d process(es).", budget // MEBIBYTE, device, processes)
    return budget
