"""What torch's reader finds in an archive is exactly what was judged: nothing in it can be read in two ways."""

import io
import random
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.serialization import config

from inference.errors import NetworkError
from inference.guards.archives import ArchiveFormat, open_archive
from inference.guards.records import EXPORTED_PROGRAM, SAVED_OBJECT, TORCHSCRIPT
from tests.unit.inference.seeded_networks import rewrite_archive

FORMATS = {"model.pt2": EXPORTED_PROGRAM, "model.torchscript": TORCHSCRIPT, "weights.pth": SAVED_OBJECT}
MEBIBYTE = 1024 * 1024


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 2)).eval()


def scripted(path: Path, **options: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network()).save(str(path), **options)


def traced(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network(), torch.zeros(1, 3, 8, 8)).save(str(path))


def frozen(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.freeze(torch.jit.script(network())).save(str(path))


def mobile(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network())._save_for_lite_interpreter(str(path))


def exported(path: Path, **options: object) -> None:
    torch.export.save(torch.export.export(network(), (torch.zeros(2, 3, 8, 8),)), path, **options)


def saved(path: Path) -> None:
    torch.save(network().state_dict(), path)


@pytest.fixture(scope="session")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    paths = {name: folder / name for name in FORMATS}
    exported(paths["model.pt2"])
    scripted(paths["model.torchscript"])
    saved(paths["weights.pth"])
    return paths


def refusal_of(path: Path, form: ArchiveFormat) -> str:
    with pytest.raises(NetworkError) as caught:
        open_archive(path, form)
    return str(caught.value)


@pytest.mark.parametrize(
    ("write", "form"),
    [
        (scripted, TORCHSCRIPT),
        (lambda path: scripted(path, _extra_files={"config.txt": "{}", "größe/a b.json": "1"}), TORCHSCRIPT),
        (traced, TORCHSCRIPT),
        (frozen, TORCHSCRIPT),
        (mobile, TORCHSCRIPT),
        (exported, EXPORTED_PROGRAM),
        (lambda path: exported(path, extra_files={"labels.txt": "cat", "größe/a b.json": "1"}), EXPORTED_PROGRAM),
        (saved, SAVED_OBJECT),
        (lambda path: torch.save({}, path), SAVED_OBJECT),
        (lambda path: torch.save({"empty": torch.zeros(0)}, path, pickle_protocol=4), SAVED_OBJECT),
    ],
)
@pytest.mark.parametrize("name", ["model", "größe 1.2"])  # torch names the folder in the archive after the file
def test_what_torch_writes_is_accepted(
    tmp_path: Path, write: Callable[[Path], None], form: ArchiveFormat, name: str
) -> None:
    path = tmp_path / f"{name}.pt2"
    write(path)
    archive = open_archive(path, form)
    reader = torch._C.PyTorchFileReader(str(path))
    assert {record: archive.read(record, MEBIBYTE) for record in archive.sizes} == {
        record: reader.get_record(record) for record in reader.get_all_records()
    }


@pytest.mark.parametrize("crc32", [True, False])
@pytest.mark.parametrize("alignment", [1, 64, 4096])
def test_the_options_of_saving_are_accepted(tmp_path: Path, crc32: bool, alignment: int) -> None:
    path = tmp_path / "weights.pth"
    with config.patch({"save.compute_crc32": crc32, "save.storage_alignment": alignment}):
        saved(path)
    assert "data.pkl" in open_archive(path, SAVED_OBJECT).sizes


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_an_archive_that_python_packed_again_is_accepted(
    tmp_path: Path, originals: dict[str, Path], name: str, method: int, wide: bool
) -> None:
    path = tmp_path / name
    with zipfile.ZipFile(originals[name]) as source, zipfile.ZipFile(path, "w", method) as target:
        for entry in source.namelist():
            with target.open(entry, "w", force_zip64=wide) as stream:
                stream.write(source.read(entry))
    assert open_archive(path, FORMATS[name]).sizes == open_archive(originals[name], FORMATS[name]).sizes


FOREIGN = [
    *("DATA.PKL2", "data.pkl2", "code/__torch__.PY", "CODE/__torch__.py", "code/__torch__.py.exe", "code/../x.py"),
    *("code/./x.py", "code//x.py", "code/.py", "data/0x", "data/-1", "data/\u0661", "model.json", "tensors/0"),
    *("attributes.pkl", "debug/x.pkl", ".data/version2", "link", "models/other.json", "models/model.json2"),
    *("data/weights/model.pt", "data/weights/weight_", "data/constants/custom_obj_0", "data/constants/opaque_obj_0"),
    *("data/aotinductor/model/model.so", "data/executorch/x", "xl_model_weights/x", "extra/../x", "extra/a\\b"),
    *("extra/a\nb", "data.pkl\n", " data.pkl"),
]


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_that_torch_does_not_write_is_refused(tmp_path: Path, originals: dict[str, Path], name: str) -> None:
    path = tmp_path / name
    for record in FOREIGN:
        shutil.copy(originals[name], path)
        rewrite_archive(path, lambda entries, record=record: entries.update({record: b"0"}))
        assert refusal_of(path, FORMATS[name]) == f"The file {name} holds {record!r}, which is not accepted."


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("record", ["data/", "extra/", "extra/x/", "byteorder/"])
def test_a_folder_is_refused(tmp_path: Path, originals: dict[str, Path], name: str, record: str) -> None:
    """torch returns memory that it has not written to as the content of a folder."""
    path = tmp_path / name
    shutil.copy(originals[name], path)
    rewrite_archive(path, lambda entries: entries.update({record: b""}))
    assert refusal_of(path, FORMATS[name]).endswith("is no plain file.")


def appended(path: Path, name: str | zipfile.ZipInfo, content: bytes = b"0") -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of duplicates
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, content)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("ROOT/byteorder", "two of its parts have the same name"),
        ("ROOT/BYTEORDER", "two of its parts have the same name"),
        ("ROOT/extra/" + "a" * 600, "is longer than 255 bytes"),
        ("ROOT/code/" + "a" * 501 + ".py.txt", "is longer than 255 bytes"),
        ("OTHER/version", "lies outside of its folder"),
        ("root2/version", "lies outside of its folder"),
        ("version", "lies outside of its folder"),
        ("../trace", "lies outside of its folder"),
        ("/ROOT/trace", "lies outside of its folder"),
    ],
)
def test_names_that_torch_would_mistake_are_refused(
    tmp_path: Path, originals: dict[str, Path], name: str, extra: str, reason: str
) -> None:
    path = tmp_path / name
    shutil.copy(originals[name], path)
    rewrite_archive(path, lambda entries: None)
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].split("/")[0]
    appended(path, extra.replace("ROOT", root))
    assert reason in refusal_of(path, FORMATS[name])


def local_header(content: bytes, name: str) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return next(entry.header_offset for entry in archive.infolist() if entry.filename.endswith(name))


def central_header(content: bytes, name: str) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        at = archive.start_dir
        for entry in archive.infolist():
            if entry.filename.endswith(name):
                return at
            at += 46 + sum(struct.unpack_from("<3H", content, at + 28))
    raise AssertionError(name)


def with_value(content: bytes, at: int, layout: str, value: int) -> bytes:
    return content[:at] + struct.pack(layout, value) + content[at + struct.calcsize(layout) :]


def other_local_name(content: bytes) -> bytes:
    at = local_header(content, "/version") + 30
    length = struct.unpack_from("<H", content, at - 4)[0]
    return content[: at + length - 1] + b"N" + content[at + length :]


def other_local_flags(content: bytes) -> bytes:
    return with_value(content, local_header(content, "/version") + 6, "<H", 0x800)


def other_local_method(content: bytes) -> bytes:
    return with_value(content, local_header(content, "/version") + 8, "<H", 8)


def other_local_checksum(content: bytes) -> bytes:
    return with_value(content, local_header(content, "/version") + 14, "<I", 1)


def other_local_size(content: bytes) -> bytes:
    return with_value(content, local_header(content, "/version") + 22, "<I", 1)


def other_local_extra_size(content: bytes) -> bytes:
    at = local_header(content, "/version") + 28
    return with_value(content, at, "<H", struct.unpack_from("<H", content, at)[0] - 1)


def unknown_local_field(content: bytes) -> bytes:
    at = local_header(content, "/version") + 30
    return with_value(content, at + struct.unpack_from("<H", content, at - 4)[0], "<H", 0x7075)


def other_checksum(content: bytes) -> bytes:
    return with_value(content, central_header(content, "/version") + 16, "<I", 1)


def other_size(content: bytes) -> bytes:
    return with_value(content, central_header(content, "/version") + 24, "<I", 1)


def encrypted(content: bytes) -> bytes:
    content = with_value(content, central_header(content, "/version") + 8, "<H", 0x809)
    return with_value(content, local_header(content, "/version") + 6, "<H", 0x809)


def bzip2(content: bytes) -> bytes:
    content = with_value(content, central_header(content, "/version") + 10, "<H", 12)
    return with_value(content, local_header(content, "/version") + 8, "<H", 12)


def overlapping(content: bytes) -> bytes:
    return with_value(content, central_header(content, "/version") + 42, "<I", local_header(content, "/byteorder"))


def directory(content: bytes) -> bytes:
    """For such an entry, torch returns memory that it has not written to."""
    return with_value(content, central_header(content, "/version") + 38, "<I", 0x10)


def later_version(content: bytes) -> bytes:
    return with_value(content, central_header(content, "/version") + 6, "<H", 64)


def second_disk(content: bytes) -> bytes:
    return with_value(content, central_header(content, "/version") + 34, "<H", 1)


def prepended(content: bytes) -> bytes:
    return b"PK\x03\x04" + content


def trailing(content: bytes) -> bytes:
    return content + b"\0"


def comment(content: bytes) -> bytes:
    return with_value(content, len(content) - 2, "<H", 1) + b"\0"


def second_archive(content: bytes) -> bytes:
    return content + content


def gap_before_the_directory(content: bytes) -> bytes:
    """Move directory and end by eight bytes, with all offsets that say so put right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    content = content[:start] + bytes(8) + content[start:]
    content = with_value(content, len(content) - 6, "<I", start + 8)
    if content[-42:-38] == b"PK\x06\x07":
        content = with_value(content, len(content) - 34, "<Q", len(content) - 98)
        content = with_value(content, len(content) - 50, "<Q", start + 8)
    return content


def fewer_entries_in_the_narrow_end(content: bytes) -> bytes:
    count = struct.unpack_from("<H", content, len(content) - 14)[0] - 1
    return with_value(with_value(content, len(content) - 14, "<H", count), len(content) - 12, "<H", count)


def other_directory_in_the_narrow_end(content: bytes) -> bytes:
    return with_value(content, len(content) - 6, "<I", 0)


def no_wide_end(content: bytes) -> bytes:
    return with_value(content, len(content) - 98, "<I", 0)


def directory_of_gigabytes(content: bytes) -> bytes:
    return with_value(with_value(content, len(content) - 58, "<Q", 1 << 40), len(content) - 10, "<I", 0xFFFFFFFF)


TAMPERED: list[Callable[[bytes], bytes]] = [
    *(other_local_name, other_local_flags, other_local_method, other_local_checksum, other_local_size),
    *(other_local_extra_size, unknown_local_field, other_checksum, other_size, encrypted, bzip2, overlapping),
    *(directory, later_version, second_disk, prepended, trailing, comment, second_archive, gap_before_the_directory),
    *(fewer_entries_in_the_narrow_end, other_directory_in_the_narrow_end, no_wide_end, directory_of_gigabytes),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tamper", TAMPERED)
def test_an_archive_that_could_be_read_in_two_ways_is_refused(
    tmp_path: Path, originals: dict[str, Path], name: str, tamper: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    content = originals[name].read_bytes()
    path.write_bytes(tamper(content))
    assert path.read_bytes() != content
    assert refusal_of(path, FORMATS[name]).startswith(f"The file {name} is not {FORMATS[name].title}: ")


def test_fields_that_other_readers_take_for_names_are_refused(tmp_path: Path, originals: dict[str, Path]) -> None:
    path = tmp_path / "weights.pth"
    shutil.copy(originals["weights.pth"], path)
    rewrite_archive(path, lambda entries: None)
    entry = zipfile.ZipInfo("weights/data/7")
    entry.extra = struct.pack("<2HBI", 0x7075, 5 + len("weights/data/8"), 1, 0) + b"weights/data/8"
    appended(path, entry)
    assert "a header has an unusual field" in refusal_of(path, SAVED_OBJECT)


@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path: Path, originals: dict[str, Path], name: str) -> None:
    path = tmp_path / name
    content = originals[name].read_bytes()
    for length in [*range(64), *range(64, len(content), 97), *range(len(content) - 128, len(content))]:
        path.write_bytes(content[:length])
        assert refusal_of(path, FORMATS[name]).startswith(f"The file {name} is not {FORMATS[name].title}")


@pytest.mark.parametrize("packed_again", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_whatever_headers_are_accepted_read_the_same_in_torch_and_in_python(
    tmp_path: Path, originals: dict[str, Path], name: str, packed_again: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(originals[name].read_bytes())
    if packed_again:
        rewrite_archive(path, lambda entries: None)
    content = path.read_bytes()
    headers = [at for at in range(len(content)) if any(content[max(at - 60, 0) : at + 1].rfind(s) >= 0 for s in MARKS)]
    source = random.Random(7)
    accepted = 0
    for _ in range(400):
        changed = bytearray(content)
        for _ in range(source.choice((1, 1, 2))):
            changed[source.choice(headers)] = source.choice(
                (0, 1, 8, 0x2F, 0x50, 0x7F, 0x80, 0xFF, source.randrange(256))
            )
        path.write_bytes(changed)
        try:
            archive = open_archive(path, FORMATS[name])
        except NetworkError:
            continue
        accepted += 1
        assert {record: archive.read(record, MEBIBYTE) for record in archive.sizes} == contents_in_python(path)
    assert accepted > 5  # dates and padding may be anything


MARKS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08")


def contents_in_python(path: Path) -> dict[str, bytes]:
    contents = {}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as stream:
                stream._expected_crc = None  # type: ignore[attr-defined]  # torch does not compare it
                contents[entry.filename.partition("/")[2]] = stream.read()
    return contents
