"""The Celery workers: take a task from the ledger, run it through ``inference``, write how it ended."""
