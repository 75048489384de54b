"""What the views need from the store, opened once in each process and passed through the application.

A process opens its own: neither SQL nor Redis connections survive a fork.
"""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from api.loop_clock import LoopClock
from config.settings import Settings
from store.accounts import Accounts
from store.backlog import BacklogLimits
from store.database import Database
from store.drain import Drain
from store.names import Names
from store.network_files import NetworkFiles
from store.networks import Networks
from store.redis_connection import connect
from store.registry_stamp import RegistryStamp
from store.request_rates import RequestRates
from store.specs import Specs
from store.targets import Targets
from store.task_ids.task_ids import TaskIds
from store.task_ledger import TaskLedger
from store.task_queue import TaskQueue
from store.task_watch import TaskWatch
from store.telemetry.telemetry import Telemetry
from store.versions import Versions
from store.weights import WeightStore

EXTENSION = "recoq"
MOST_ID_CONNECTIONS = 2
MOST_SQL_CONNECTIONS = 16  # for all clients of a process, who take turns: PostgreSQL allows 100 in all by default


@dataclass(frozen=True)
class Services:
    """The parts of the store, ready for use by many threads."""

    settings: Settings
    database: Database
    networks: Networks
    specs: Specs
    versions: Versions
    targets: Targets
    accounts: Accounts
    weights: NetworkFiles
    ledger: TaskLedger
    ids: TaskIds
    queue: TaskQueue
    drain: Drain
    rates: RequestRates
    telemetry: Telemetry
    names: Names
    watch: TaskWatch
    clock: LoopClock

    def close(self) -> None:
        """Close all connections."""
        self.watch.stop()
        self.clock.stop()
        self.ids.close()
        self.database.close()


def open_services(settings: Settings) -> Services:
    """Return the services that ``settings`` describe; nothing connects before its first use."""
    clock = LoopClock()
    redis = connect(settings.redis_url, clock)
    stamp = RegistryStamp(redis)
    database = Database(settings.database_url, MOST_SQL_CONNECTIONS, stamp.renew)
    versions = Versions(database)
    telemetry = Telemetry(redis)
    durable = Database(settings.database_url, MOST_ID_CONNECTIONS, durable=True)
    ids = TaskIds(durable, redis, telemetry.tally)
    ledger = TaskLedger(redis, settings.task_ttl_seconds, BacklogLimits.of(settings), telemetry, ids)
    return Services(
        settings=settings,
        database=database,
        networks=Networks(database),
        specs=Specs(database),
        versions=versions,
        targets=Targets(versions, stamp),
        accounts=Accounts(database),
        weights=NetworkFiles(database, WeightStore.of(settings)),
        ledger=ledger,
        ids=ids,
        queue=TaskQueue(redis, ledger, telemetry.tally),
        drain=Drain(redis),
        rates=RequestRates(redis, settings.max_requests_per_second),
        telemetry=telemetry,
        names=Names(database),
        watch=TaskWatch(redis),
        clock=clock,
    )


def attach(app: Flask, services: Services) -> None:
    """Make ``services`` those of ``app``."""
    app.extensions[EXTENSION] = services


def services() -> Services:
    """Return the services of the application that serves this request."""
    return cast(Services, current_app.extensions[EXTENSION])
