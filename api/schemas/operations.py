"""The figures of the operations page."""

from typing import Any

from marshmallow import Schema, fields

from api.schemas.answers import Moment


def _number(description: str = "", *, or_null: bool = False) -> fields.Float:
    return fields.Float(allow_none=or_null, metadata={"description": description} if description else {})


def _count(description: str = "", *, or_null: bool = False) -> fields.Integer:
    return fields.Integer(allow_none=or_null, metadata={"description": description} if description else {})


def _schema(title: str, /, **all_fields: Any) -> type[Schema]:
    return Schema.from_dict(all_fields, name=title)


NetworkNameSchema = _schema(
    "NetworkName",
    id=fields.Raw(metadata={"description": "A number, or the slug of a public network; null if it was deleted."}),
    name=fields.String(allow_none=True),
    account=fields.String(allow_none=True, metadata={"description": "Whose it is; null if it is public."}),
)
MillisecondsSchema = _schema(
    "Milliseconds",
    mean=_number(or_null=True),
    median=_number(or_null=True),
    p95=_number(or_null=True),
)
TotalsSchema = _schema(
    "OperationsTotals",
    accepted=_count("Tasks that were accepted."),
    succeeded=_count("Tasks that ended as success."),
    failed=_count("Tasks that ended as error."),
    task_milliseconds=fields.Nested(
        MillisecondsSchema, metadata={"description": "From acceptance to end, without deployments."}
    ),
)
StageSchema = _schema(
    "OperationsStage",
    stage=fields.String(),
    count=_count("Tasks that came to this stage."),
    mean_milliseconds=_number(),
    median_milliseconds=_number(),
    p95_milliseconds=_number(),
)
BatchSizeSchema = _schema(
    "OperationsBatchSize",
    up_to=_count("Inputs in a batch, at most, and more than the one before; null for no bound.", or_null=True),
    batches=_count(),
)
NetworkFiguresSchema = _schema(
    "OperationsNetwork",
    network=fields.Nested(NetworkNameSchema),
    pending=_count("Tasks that have not ended, now."),
    oldest_seconds=_number("The age of the oldest of them.", or_null=True),
    accepted=_count(),
    succeeded=_count(),
    failed=_count(),
    batches=_count(),
    mean_batch_size=_number(or_null=True),
    max_batch_size=_count("Inputs in a batch, at most; null until it is deployed.", or_null=True),
    batch_reason=fields.String(
        allow_none=True,
        metadata={"description": "Why that many: what its deployment, or a check in service, has found."},
    ),
    loads=_count("How often it was loaded into the memory of a worker."),
)
WorkerSchema = _schema(
    "OperationsWorker",
    worker=fields.String(),
    host=fields.String(),
    process_id=_count(),
    version=fields.String(),
    device=fields.String(metadata={"example": "cuda:0"}),
    device_name=fields.String(),
    memory_used_bytes=_count("Of the GPU, by all processes; on a CPU, of this process."),
    memory_total_bytes=_count("Of the GPU; on a CPU, of the machine."),
    networks=fields.List(fields.Nested(NetworkNameSchema), metadata={"description": "Loaded, latest used last."}),
    cache_used_bytes=_count("What networks take, those that are being loaded included."),
    cache_budget_bytes=_count("What networks may take; the least recently used leave first."),
    tasks=_count("Tasks under way."),
    threads=_count("How many tasks can be under way."),
    sandbox_missing=fields.String(
        allow_none=True,
        metadata={"description": "What of its confinement the kernel does not do, in a sentence; null if it does all."},
    ),
    is_busy=fields.Boolean(),
    busy_share=_number("Share of the last ten seconds in which the device ran batches of this process, 0 to 1."),
    batches=_count("Batches since it started."),
    inputs=_count("Inputs of those batches."),
    loads=_count("Networks that it loaded since it started."),
    date_started=Moment(),
    date_seen=Moment(metadata={"description": "Its last heartbeat. A worker that is silent for ten seconds is gone."}),
)
ErrorGroupSchema = _schema(
    "OperationsError",
    account=fields.String(allow_none=True, metadata={"description": "Whose tasks; null for public networks' own."}),
    network=fields.Nested(NetworkNameSchema),
    sentence=fields.String(metadata={"description": "The latest; sentences that differ in numbers may be one group."}),
    count=_count(),
    date_seen=Moment(),
    task_id=fields.String(metadata={"description": "The latest task."}),
)
LedgerLossSchema = _schema(
    "OperationsLedgerLoss",
    kind=fields.String(
        metadata={
            "enum": ["emptied", "went_back", "replaced"],
            "description": "`emptied`: Redis held nothing any more. `went_back`: it had forgotten the latest tasks. "
            "`replaced`: it was another one.",
        }
    ),
    date=Moment(),
    last_id=fields.String(metadata={"description": "The lost tasks have no higher ID.", "example": "4096"}),
    tasks=_count("How many of them had not ended; null if nobody knows.", or_null=True),
)
BucketSchema = _schema(
    "OperationsBucket",
    date=Moment(metadata={"description": "When these ten seconds began."}),
    accepted=_count(),
    succeeded=_count(),
    failed=_count(),
    pending=_count("Tasks that had not ended; null if nobody looked.", or_null=True),
    oldest_seconds=_number("The age of the oldest of them.", or_null=True),
    batches=_count(),
    mean_batch_size=_number(or_null=True),
    device_busy_seconds=_number("Of all devices together."),
    task_milliseconds=_number("From acceptance to end, the mean.", or_null=True),
    stages=fields.Dict(
        keys=fields.String(), values=fields.Float(), metadata={"description": "Mean milliseconds by stage."}
    ),
)
OperationsSchema = _schema(
    "Operations",
    date=Moment(),
    scope=fields.String(
        metadata={
            "enum": ["service", "account"],
            "description": "`service` for the operator's account. `account`: networks and errors of this account only.",
        }
    ),
    minutes=_count(),
    bucket_seconds=_count(),
    pending=fields.Nested(
        _schema("OperationsPending", count=_count(), oldest_seconds=_number(or_null=True)),
        metadata={"description": "Tasks that have not ended, now."},
    ),
    totals=fields.Nested(TotalsSchema),
    stages=fields.List(fields.Nested(StageSchema)),
    batch_sizes=fields.List(fields.Nested(BatchSizeSchema)),
    networks=fields.List(fields.Nested(NetworkFiguresSchema)),
    workers=fields.List(fields.Nested(WorkerSchema)),
    errors=fields.List(fields.Nested(ErrorGroupSchema), metadata={"description": "Of the last hour, latest first."}),
    ledger_losses=fields.List(
        fields.Nested(LedgerLossSchema),
        metadata={"description": "What the task ledger has lost in the last week, latest first."},
    ),
    history=fields.List(
        fields.Nested(BucketSchema), metadata={"description": "Oldest first; the last one is not full yet."}
    ),
)
