"""The names of the records in each format of archive, exactly as torch writes them.

Older and newer versions of torch write some of them only. Used by the guards and by :mod:`inference.loader`.
"""

import re

from inference.guards.archives import ArchiveFormat

_COMMON = r"version|byteorder|\.data/(?:version|serialization_id)"
_STORAGES = r"data/\d+"
_FILE = r"(?!\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f]+"  # a name in a path, neither . nor ..
_PATH = rf"(?:{_FILE}/)*{_FILE}"

SAVED_OBJECT = ArchiveFormat(
    "an archive of torch.save",
    re.compile(rf"data\.pkl|{_STORAGES}|\.format_version|\.storage_alignment|{_COMMON}", re.ASCII),
    frozenset({"data.pkl", "version"}),
)
TORCHSCRIPT = ArchiveFormat(
    "a TorchScript archive",
    re.compile(
        rf"data\.pkl|{_STORAGES}|constants\.pkl|constants/\d+|traced_inputs\.pkl|traced_inputs/\d+"
        r"|bytecode\.pkl|mobile_debug_handles\.pkl"
        rf"|code/{_PATH}\.py(?:\.debug_pkl)?|extra/{_PATH}|{_COMMON}",
        re.ASCII,
    ),
    frozenset({"data.pkl", "constants.pkl"}),
)
EXPORTED_PROGRAM = ArchiveFormat(
    "an exported program",
    re.compile(
        r"archive_format|archive_version|models/model\.json|data/sample_inputs/model\.pt"
        r"|data/weights/(?:model_weights_config\.json|weight_\d+)"
        rf"|data/constants/(?:model_constants_config\.json|tensor_\d+)|extra/{_PATH}|{_COMMON}",
        re.ASCII,
    ),
    frozenset(
        {
            *("archive_format", "archive_version", "models/model.json", "data/sample_inputs/model.pt"),
            *("data/weights/model_weights_config.json", "data/constants/model_constants_config.json"),
        }
    ),
)
