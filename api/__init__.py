"""The HTTP API, version 0.7: validates, authorises, enqueues by task name and reads. It never loads torch."""
