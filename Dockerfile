# syntax=docker/dockerfile:1

# Two images of one source: `api` (HTTP API, migration, key management) is small and has no PyTorch; `worker` has it, with
# CUDA, and runs on machines with and without a GPU.
#
#   docker build --target api -t recoq-api .
#   docker build --target worker -t recoq-worker .

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/recoq
WORKDIR /src
# Dependencies are a layer of their own, which a change of the source leaves as it is. setup.cfg asks config for the version.
COPY setup.cfg pyproject.toml constraints.txt README.md LICENSE ./
COPY config/__init__.py config/

FROM build AS build-api
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/recoq/bin/pip install -c constraints.txt '.[postgres,s3]'
COPY . .
RUN /opt/recoq/bin/pip install --no-deps --force-reinstall .

FROM build AS build-worker
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/recoq/bin/pip install -c constraints.txt '.[worker,postgres,s3]'
COPY . .
RUN /opt/recoq/bin/pip install --no-deps --force-reinstall .

FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/recoq/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RECOQ_DATA=/var/lib/recoq
# Volumes start as copies of these folders, so that they belong to the user that writes to them, and to nobody else.
RUN groupadd --gid 10001 recoq \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/recoq --create-home recoq \
    && install -d -m 0700 -o recoq -g recoq /var/lib/recoq /var/lib/recoq/weights
USER 10001:10001
WORKDIR /var/lib/recoq

FROM runtime AS worker
COPY --from=build-worker /opt/recoq /opt/recoq
# A worker has no port to ask. It ends by itself when its device hangs, so restarting it is all there is to do.
HEALTHCHECK NONE
CMD ["recoq", "worker"]

FROM runtime AS api
COPY --from=build-api /opt/recoq /opt/recoq
ENV RECOQ_HOST=0.0.0.0
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["recoq", "api"]
