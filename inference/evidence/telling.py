"""Finds images that a network tells apart, and judges by them whether it gives the same in another way of running it.

Where all images get the same answer, a batch that mixes them up gives that answer as well, and so does a precision that
keeps nothing of them: equal answers prove nothing then. The warm-up, the tuning and the check in service ask here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import inf

import torch
from torch import Tensor

from inference.evidence.comparison import Answer, differences
from inference.loaded_network import Sample

# A difference is rounding only if it is at most this part of what the answers of two images differ by.
MARGIN = 0.25
ENOUGH = 0.1  # two answers that differ by so much tell images apart in any precision

FLOAT32_BOUND = 1e-3
LOWER_PRECISION_BOUND = 0.05  # what other algorithms for other batch sizes make of it


def batch_bound(precision: torch.dtype) -> float:
    """Return how far answers of one network in one precision may be apart through rounding alone."""
    return FLOAT32_BOUND if precision is torch.float32 else LOWER_PRECISION_BOUND


def strengths(answers: Sequence[Answer]) -> dict[str, float]:
    """Return for each output how far the two answers are apart that differ most in it; 0 if all are equal."""
    found = dict.fromkeys(answers[0], 0.0)
    for one, other in combinations(answers, 2):
        for name, gap in differences(one, other).items():
            found[name] = max(found.get(name, 0.0), gap)
    return found


def is_same(
    results: Sequence[Answer], references: Sequence[Answer], bound: float, strength: Mapping[str, float]
) -> bool:
    """Tell whether each sample has its answer, up to rounding, and could not have that of another one.

    Args:
        results: the answers to judge, sample by sample.
        references: what they should be.
        bound: how far they may be apart at most, in ``comparison.distance``.
        strength: of the images by which this is judged.
    """
    return worst(results, references, bound, strength) is None


def worst(
    results: Sequence[Answer], references: Sequence[Answer], bound: float, strength: Mapping[str, float]
) -> str | None:
    """Return the name of an output that differs by more than rounding; None if there is none."""
    for one, other in zip(results, references, strict=True):
        for name, gap in differences(one, other).items():
            if gap > min(bound, MARGIN * (strength.get(name, 0.0) or inf)):  # 0: of a constant output
                return name
    return None


def what_is_missing(answers: Sequence[Answer]) -> str | None:
    """Return why answers prove nothing; None if they tell their images apart.

    An output that is the same for all images, a grid say, is no hindrance where others differ. But one that holds a
    single value everywhere proves nothing: that is what a detector returns that found nothing, what a program returns
    for images that it does not know of, and what a label is that could be another image's.
    """
    strength = strengths(answers)
    if not any(strength.values()):
        return "The network gives the same answer for all images that were tried."
    for name, gap in strength.items():
        if not gap and _is_uniform(answers[0][name]):
            return f"The output {name!r} is one and the same value for all images that were tried."
    return None


def _is_uniform(tensor: Tensor) -> bool:
    return not tensor.numel() or bool((tensor == tensor.flatten()[0]).all())


@dataclass(frozen=True)
class Evidence:
    """Samples of equal shapes whose answers tell them apart, as far as such were found.

    ``pairs`` are the numbers of samples that do, together in all outputs; ``missing`` is a sentence if none do.
    """

    samples: tuple[Sample, ...]
    pairs: tuple[tuple[int, int], ...]
    missing: str | None = None


def gather(
    run: Callable[[Sample], Answer], known: Sequence[tuple[Sample, Answer]], further: Iterable[Sample]
) -> Evidence:
    """Return samples that tell each other apart: of the known ones if they do, else of further ones as well.

    Args:
        run: gives the answer of a sample alone.
        known: samples of equal shapes with their answers.
        further: samples of the same shapes, made as they are asked for.
    """
    samples, answers = [sample for sample, _ in known], [answer for _, answer in known]
    for sample in further:
        if min(strengths(answers).values(), default=0.0) >= ENOUGH:
            break
        samples.append(sample)
        answers.append(run(sample))
    pairs = {_best_pair(answers, name) for name in answers[0]}
    used = sorted({number for pair in pairs for number in pair})
    renumbered = tuple(sorted((used.index(one), used.index(other)) for one, other in pairs))
    return Evidence(tuple(samples[number] for number in used), renumbered, what_is_missing(answers))


def _best_pair(answers: Sequence[Answer], name: str) -> tuple[int, int]:
    """Return the numbers of the two answers that differ most in an output; of several, of two that hold something."""

    def merit(pair: tuple[int, int]) -> tuple[float, int]:
        both = [answers[number] for number in pair]
        uniform = sum(_is_uniform(each[name]) for each in both if name in each)
        return differences(*both).get(name, inf), -uniform

    return max(combinations(range(len(answers)), 2), key=merit)
