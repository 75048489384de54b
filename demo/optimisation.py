"""The schedule that both demo models are trained with."""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from demo.training_data import TrainingData, batches

_GRADIENT_LIMIT = 5.0  # norm; keeps the first steps of a high learning rate in bounds


def optimise(
    model: nn.Module,
    data: TrainingData,
    loss_of: Callable[[TrainingData], Tensor],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Train `model` in place with AdamW and one cycle of the learning rate; prints one line an epoch."""
    generator = torch.Generator().manual_seed(seed)
    steps = epochs * (len(data.images) // batch_size)
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.02)
    schedule = OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.15)
    model.to(memory_format=torch.channels_last).train()
    start = time.monotonic()
    for epoch in range(1, epochs + 1):
        losses = []
        for batch in batches(data, batch_size, generator):
            loss = loss_of(batch)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_LIMIT)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        mean = sum(losses) / len(losses)
        print(f"epoch {epoch}/{epochs}: loss {mean:.4f}, {time.monotonic() - start:.0f} s", flush=True)
    model.to(memory_format=torch.contiguous_format).eval()
