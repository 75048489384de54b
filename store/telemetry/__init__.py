"""What goes on in the service, as numbers: every process tallies, Redis adds up, the API shows the sums.

Each process keeps a ``Tally`` in memory and sends what has changed once a second, to totals that never go down (for
Prometheus) and to the current bucket of the last hour (for the operations page). So one API process can tell of all
processes on all hosts, and the sums survive those that leave. A process that is killed takes its last second with it.
"""
