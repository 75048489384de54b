"""Settings, queue names and Celery options: what every process of Recoq is started with."""

VERSION = "0.1.0"
