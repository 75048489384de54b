"""LitServe with the tuned network: batches, inputs decoded in threads.

``python -m benchmarks.contenders.litserve_server BUILDER PRECISION FORM BATCH_SIZE PORT``. ``POST /predict`` takes the
file ``image`` and answers with its labels.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import litserve
import torch
from fastapi import Request

from benchmarks.tuned import TunedNetwork, best_labels

# What arrives while a batch runs fills the next one: to wait for longer would only delay.
BATCH_TIMEOUT_SECONDS = 0.002


class TunedApi(litserve.LitAPI):  # type: ignore[misc]  # litserve has no types
    """One worker process with the network."""

    def __init__(self, builder: str, precision: str, form: str, batch_size: int) -> None:
        super().__init__(max_batch_size=batch_size, batch_timeout=BATCH_TIMEOUT_SECONDS)
        self._arguments = builder, precision, form

    def setup(self, device: str) -> None:
        """Load the network, once in each worker."""
        self._network = TunedNetwork(*self._arguments)
        self._threads = ThreadPoolExecutor(os.cpu_count())

    def decode_request(self, request: Request) -> bytes:
        """Return the bytes that were sent; they are decoded with the others of their batch."""
        content: bytes = request["image"].file.read()
        return content

    def batch(self, inputs: list[bytes]) -> torch.Tensor:
        """Decode and stack a batch."""
        return self._network.stack(list(self._threads.map(self._network.prepare, inputs)))

    def predict(self, batch: Any) -> list[list[float]]:
        """Run a batch; a lone input comes as it was decoded."""
        if isinstance(batch, bytes):
            batch = self.batch([batch])
            return self._network.scores(batch)[0]
        return self._network.scores(batch)

    def unbatch(self, output: list[list[float]]) -> list[list[float]]:
        """Return the scores of each input."""
        return output

    def encode_response(self, output: list[float]) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": best_labels(output)}


def main() -> None:
    """Serve until killed."""
    builder, precision, form, batch_size, port = sys.argv[1:]
    server = litserve.LitServer(TunedApi(builder, precision, form, int(batch_size)), accelerator="auto", timeout=60)
    server.run(host="127.0.0.1", port=int(port), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
