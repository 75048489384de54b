"""Judges, by images that tell each other apart, whether a network may be given batches. Called by the warm-up."""

import torch

from inference.errors import NetworkError
from inference.evidence.telling import Evidence, batch_bound, strengths, worst
from inference.loaded_network import LoadedNetwork, Sample


def why_not_batched(network: LoadedNetwork, evidence: Evidence, size: int) -> str | None:
    """Return why a network must not be given batches of up to ``size`` samples; None if it may.

    torchvision's detectors sort and cut what they find, mostly nothing in drawn images: they only need to return the
    same outputs.

    Raises:
        NetworkError: when the network fails on one image.
    """
    try:
        if is_known_detector(network):
            return _why_other_outputs(network, evidence)
        return evidence.missing or _why_not_same(network, evidence, size)
    except torch.OutOfMemoryError:
        return "The device has not enough memory for a batch."


def is_known_detector(network: LoadedNetwork) -> bool:
    """Tell whether a network is one of torchvision's detectors, which take a list of images."""
    return network.takes_image_list and is_of_torchvision(network)


def is_of_torchvision(network: LoadedNetwork) -> bool:
    """Tell whether a network's code is torchvision's: none of its builders mixes images, in evaluation mode.

    The loader builds it from the name of its builder. An archive, whatever it calls its classes, brings its own code.
    """
    module = network.module
    return not isinstance(module, torch.jit.ScriptModule) and type(module).__module__.startswith("torchvision.models.")


def _why_other_outputs(network: LoadedNetwork, evidence: Evidence) -> str | None:
    pair = evidence.samples[:2]
    try:
        batched = network.run(pair)
    except NetworkError as error:
        return f"It fails on a batch of {len(pair)} images. {error}"
    alone = [network.run([sample])[0] for sample in pair]
    same = [set(one) for one in batched] == [set(one) for one in alone]
    return None if same else "A batch has other outputs than its images alone."


def _why_not_same(network: LoadedNetwork, evidence: Evidence, size: int) -> str | None:
    alone = [network.run([sample])[0] for sample in evidence.samples]
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
