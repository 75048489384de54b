"""Ten thousand mutated images give pixels or a sentence: no crash, no hang, no leak, nothing else raised.

They are decoded in a process of their own, so that a crash in a native decoder fails this test and not the whole run.
"""

import json
import subprocess
import sys

COUNT = 10_000
SEED = 1
SLOWEST_SECONDS = 10.0
GROWTH_BYTES = 100_000_000

PROGRAM = f"""
import itertools, json, time
from inference.errors import ImageError
from inference.images import ImageLimits, decode_image
from tests.mutated_images import accepted_originals, mutations, other_originals

LIMITS = ImageLimits(max_bytes=1_000_000, max_pixels=1_000_000)

def memory():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))

def outcome(data):
    try:
        return "pixels" if decode_image(data, LIMITS).shape[0] == 3 else "?"
    except ImageError as error:
        sentence = str(error)
        return "sentence" if sentence.endswith(".") and "/" not in sentence else sentence

counts, slowest, before = dict(), 0.0, 0
seeds = len(accepted_originals()) + len(other_originals())
for number, data in enumerate(itertools.islice(mutations({SEED}), {COUNT})):
    print(number, flush=True)  # the last one said is the one that crashed
    start = time.perf_counter()
    said = outcome(data)
    slowest = max(slowest, time.perf_counter() - start)
    counts[said] = counts.get(said, 0) + 1
    if number == {COUNT} // 10:
        before = memory()
print(json.dumps({{"counts": counts, "slowest": slowest, "growth": memory() - before, "seeds": seeds}}))
"""


def test_mutated_images_give_pixels_or_a_sentence_and_nothing_else() -> None:
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    *numbers, last = result.stdout.splitlines()
    assert result.returncode == 0, f"It ended with {result.returncode} at image {last} of seed {SEED}."
    assert len(numbers) == COUNT
    told = json.loads(last)
    assert set(told["counts"]) == {"pixels", "sentence"}
    assert min(told["counts"].values()) > COUNT // 20
    assert told["seeds"] > 60
    assert told["slowest"] < SLOWEST_SECONDS
    assert told["growth"] < GROWTH_BYTES
