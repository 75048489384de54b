"""Judges, by images that tell each other apart, whether a network may be given batches. Called by the warm-up."""

import torch

from inference.errors import NetworkError
from inference.evidence.telling import Evidence, batch_bound, strengths, worst
from inference.loaded_network import LoadedNetwork, Outputs, Sample


def why_not_batched(network: LoadedNetwork, evidence: Evidence, size: int) -> str | None:
    """Return why a network must not be given batches of up to ``size`` samples; None if it may.

    Detectors that torchvision itself builds go by image, and what they find does not depend on companions; many find
    nothing in drawn images, so they are asked for nothing but the same outputs.

    Raises:
        NetworkError: when the network fails on one image.
    """
    try:
        if is_known_by_image(network):
            return _why_other_outputs(network, evidence)
        alone = [network.run([sample])[0] for sample in evidence.samples]
        return evidence.missing or _why_not_same(network, evidence, alone, size)
    except torch.OutOfMemoryError:
        return "The device has not enough memory for a batch."


def is_known_by_image(network: LoadedNetwork) -> bool:
    """Tell whether a network takes a list of images, and its code is torchvision's, which goes through them one by one.

    The loader builds it from the name of its builder; an archive, whatever it calls its classes, brings its own code.
    """
    module = network.module
    return (
        network.takes_image_list
        and not isinstance(module, torch.jit.ScriptModule)
        and type(module).__module__.startswith("torchvision.models.")
    )


def _why_other_outputs(network: LoadedNetwork, evidence: Evidence) -> str | None:
    pair = evidence.samples[:2]
    try:
        batched = network.run(pair)
    except NetworkError as error:
        return f"It fails on a batch of {len(pair)} images. {error}"
    alone = [network.run([sample])[0] for sample in pair]
    same = [set(one) for one in batched] == [set(one) for one in alone]
    return None if same else "A batch has other outputs than its images alone."


def _why_not_same(network: LoadedNetwork, evidence: Evidence, alone: list[Outputs], size: int) -> str | None:
    bound, strength = batch_bound(network.precision), strengths(alone)
    for count in sorted({2, min(3, size), size}):
        for numbers in _arrangements(evidence, count):
            samples: list[Sample] = [evidence.samples[number] for number in numbers]
            try:
                results = network.run(samples)
            except NetworkError as error:
                return f"It fails on a batch of {count} images. {error}"
            name = worst(results, [alone[number] for number in numbers], bound, strength)
            if name is not None:
                return f"In a batch of {count}, the output {name!r} of an image differs from that of the image alone."
    return None


def _arrangements(evidence: Evidence, count: int) -> list[list[int]]:
    """Return batches in which every place has both samples of a pair, and no place repeats what an earlier one has.

    The sequence of Thue and Morse has no period: whatever place's answer another place is given, it shows.
    """
    places = [place.bit_count() % 2 for place in range(count)]
    return [[pair[place ^ turn] for place in places] for pair in evidence.pairs for turn in (0, 1)]
