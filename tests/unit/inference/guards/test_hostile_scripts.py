"""TorchScript that reaches beyond tensors is refused, however it is spelt and wherever it stands."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.inference.guards.scripts import load, refusal_of, write_code, write_statements

ELSEWHERE = """class Other:
  n : int
  def save(self: __torch__.Other,
    x: Tensor) -> Tensor:
    return x
  def read_file(self: __torch__.Other,
    x: str) -> Tensor:
    return torch.zeros([2])
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("script") / "model.torchscript"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ('torch.save(x, "trace")', "uses the operator 'aten::save'"),
        ('(torch).save(x, "trace")', "uses the operator 'aten::save'"),
        ('ops.aten.save(x, "trace")', "uses the operator 'aten::save'"),
        ('((ops).aten).save(x, "trace")', "uses the operator 'aten::save'"),
        ('y = ops.image.read_file("trace")', "uses the operator 'image::read_file'"),
        ('y = ops.image.write_file("trace", x)', "uses the operator 'image::write_file'"),
        ('y = ops.torch_no_such.operator(x)', "uses the operator 'torch_no_such::operator'"),
        ('y = torch.autograd.from_file("trace", True, 4)', "calls the method 'from_file'"),
        ('y = torch.no_such_operator(x)', "uses the operator 'aten::no_such_operator'"),
        ('t = torch\ny = t.from_file("trace", True, 4)', "uses 'torch' by itself"),
        ("o = ops", "uses 'ops' by itself"),
        ("o = ops.image", "uses 'ops' by itself"),
        ("f = torch.save", "takes the operator 'torch.save' without calling it"),
        ("f = ops.aten.save", "takes the operator 'ops.aten.save' without calling it"),
        ('f = x.save\nf("trace")', "calls 'f'"),
        ('f = getattr(x, "save")\nf("trace")', "calls 'f'"),
        ('(x).save("trace")', "calls 'save' of what may be a tensor"),
        ('y = x\n(y).save("trace")', "calls 'save' of what may be a tensor"),
        ('y = __torch__.Other.__new__(__torch__.Other)\ny = x\n(y).save("trace")', "of what may be a tensor"),
        ('"a".save("trace")', "calls 'save' of what may be a tensor"),
        ("(x).set_(x)", "calls the method 'set_', which it does not define"),
        ('(x).from_file("trace", True, 4)', "calls the method 'from_file'"),
        ('getattr(torch, "save")(x, "trace")', "calls \"getattr(torch, 'save')\""),
        ('y = getattr(torch, "save")', "uses 'torch' by itself"),
        ('y = getattr(x, torch.format("{}", "save"))', "computes a name"),
        ("y = hasattr(ops, \"aten\")", "uses 'ops' by itself"),
        ("torch = x", "gives 'torch' another meaning"),
        ("torch = torch.autograd", "gives 'torch' another meaning"),
        ("ops = x", "gives 'ops' another meaning"),
        ("ops, y, = (x, x)", "gives 'ops' another meaning"),
        ("torch, y, = (x, x)", "gives 'torch' another meaning"),
        ("getattr = __torch__.Other", "gives 'getattr' another meaning"),
        ("for torch in range(3):\n  pass", "gives 'torch' another meaning"),
        ("with x as torch:\n  pass", "gives 'torch' another meaning"),
        ("(a, b), c, = x", "assigns to '(a, b)'"),
        ("hash = __torch__.Other\ny = hash(x)", "calls 'hash'"),
        ("y = hash(x)", "calls 'hash'"),
        ("y = sorted(x)", "calls 'sorted'"),
        ("y = fork(x)", "calls 'fork'"),
        ("y = rpc_async(x)", "calls 'rpc_async'"),
        ("f = fork", "uses 'fork' by itself"),
        ("f = print", "uses 'print' by itself"),
        ("y = __torch__.torch.classes.c10d.FileStore(\"trace\", 1)", "calls '__torch__.torch.classes.c10d.FileStore'"),
        ("y = __torch__.torch.classes", "names '__torch__.torch.classes'"),
        ("y = __torch__", "uses '__torch__' by itself"),
        ("y = __torch__.torch\nz = y.classes", "names '__torch__.torch'"),
        ("y = uninitialized(__torch__.torch.classes.c10d.FileStore)", "names the type"),
        ("y = annotate(Future[Tensor], x)", "names the type"),
        ("y = annotate(RRef[Tensor], x)", "names the type"),
        ("y = isinstance(x, __torch__.NoSuch)", "names the type"),
        ("y : __torch__.torch.classes.c10d.ProcessGroup = x", "names the type"),
        ("y = CONSTANTS", "uses 'CONSTANTS' by itself"),
        ("y = CONSTANTS.save", "names 'CONSTANTS.save'"),
        ("y = [torch for i in x]", "has the expression"),
        ("y = torch.add(x, *x)", "holds '*x)"),
        ("y = torch.add(x, **x)", "holds '**x)"),
        ("y = x if x else torch", "has the expression"),
        ("y = (z := torch)", "has the expression"),
        ("y = lambdas(torch)", "calls 'lambdas'"),
        ("def inner(a: Tensor) -> Tensor:\n  return a", "has the statement"),
        ("class Inner:\n  pass", "has the statement"),
        ("return torch", "uses 'torch' by itself"),
        ("y = {\"torch\": torch}", "uses 'torch' by itself"),
        ("y = x[torch]", "uses 'torch' by itself"),
        ("y = x[ops.aten:]", "uses 'ops' by itself"),
        ("(x)(x)", "calls 'x'"),
        ("x[0](x)", "calls 'x[0]'"),
        ("assert x", "has the statement"),
        ("raise x", "has the statement"),
        ("del x", "has the statement"),
        ("global torch", "has the statement"),
        ("import torch", "has the statement"),
        ("y += x", "has the statement"),
    ],
)  # fmt: skip
def test_it_is_refused_with_what_it_does(path: Path, statement: str, reason: str) -> None:
    rest = ELSEWHERE if "Other" in statement or "save" in statement else ""
    write_statements(path, statement, rest=rest)
    assert reason in str(refusal_of(path))


@pytest.mark.parametrize(
    "text",
    [
        *("y = x # type: int", 'y = "a" "b"', "y = 'a'", 'y = """a"""', 'y = f"{x}"', 'y = r"a"', 'y = b"a"'),
        *("y = 0x10", "y = 1_000", "y = 0o17", "y = 1if x else 2", "y = x; z = x", "y =\tx", "y =\x0c x", "y =\r x"),
        *("y = \\\n      x", "y = torch . \\\n add(x, x)", 'y = "\\x61"', 'y = "\\u0061"', 'y = "\\N{DIGIT ONE}"'),
        *("y = ｔorch", "y = x.ﬁ", "y = \u00aa", 'y = "\\777"', 'y = "\\8"', "y = x\x00", "@x", "y = x @ x", "y = `x`"),
        *("y = not\u00a0x", "y = x!", "y = $x", "y = ~x", "y = x & x", "y = x | x", "y = x % x", "y = x / x"),
    ],
)  # fmt: skip
def test_what_two_parsers_could_read_in_two_ways_is_refused(path: Path, text: str) -> None:
    write_statements(path, text)
    assert "which torch does not write" in str(refusal_of(path))


@pytest.mark.parametrize(
    "line", ["   \n", "\ufeff", "# coding: utf-7\n", "\t\n", "\x0c\n"], ids=["spaces", "mark", "cookie", "tab", "feed"]
)
def test_what_stands_before_the_code_is_refused_too(path: Path, line: str) -> None:
    write_code(path, "def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  return x", f"\n{line}")
    assert "which torch does not write" in str(refusal_of(path))


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ('def f(self: __torch__.Net, y: Tensor=torch.from_file("t", True, 4)) -> Tensor:\n  return y', "default"),
        ("def f(self: __torch__.Net, y: Tensor=x.save) -> Tensor:\n  return y", "default"),
        ('def f(self: __torch__.Net, y: Tensor=getattr(torch, "save")) -> Tensor:\n  return y', "default"),
        ("def f(self: __torch__.Net, y: torch.save(1)) -> Tensor:\n  return y", "names the type"),
        ("def f(self: __torch__.Net) -> __torch__.torch.classes.c10d.FileStore:\n  return y", "names the type"),
        ("def f(self: __torch__.Net, torch: Tensor) -> Tensor:\n  return torch", "gives 'torch' another meaning"),
        ("def f(self: __torch__.Net, ops: Tensor) -> Tensor:\n  return ops", "gives 'ops' another meaning"),
        ('def __setstate__(self: __torch__.Net, s: Tensor) -> NoneType:\n  torch.save(s, "t")\n  return None', "save"),
        ('def __getattr__(self: __torch__.Net, s: str) -> Tensor:\n  return torch.from_file(s, True, 4)', "from_file"),
        ('def __del__(self: __torch__.Net) -> NoneType:\n  ops.aten.save(1, "t")\n  return None', "save"),
        ('def __len__(self: __torch__.Net) -> int:\n  return torch.len(ops.image.read_file("t"))', "read_file"),
        ("c : Final[int] = torch.save", "constant"),
        ('c : Final[Tensor] = torch.from_file("t", True, 4)', "constant"),
        ('c : Final[Tensor] = (1, [torch.from_file("t", True, 4)])', "constant"),
        ("store : __torch__.torch.classes.c10d.FileStore", "names the type"),
        ('__annotations__["store"] = __torch__.torch.classes.c10d.FileStore', "names the type"),
        ('__annotations__[torch.save] = int', "constant"),
        ('__forward_hooks__ = [torch.save]', "constant"),
        ('torch.save(1, "t")', "in a class"),
        ("training : int", "defines the attribute 'training' twice"),
        ("for i in range(3):\n  pass", "in a class"),
    ],
)  # fmt: skip
def test_what_runs_while_the_archive_loads_is_judged_as_well(path: Path, member: str, reason: str) -> None:
    write_code(path, member)
    assert reason in str(refusal_of(path))


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ('torch.save(1, "t")', "outside of functions and classes"),
        ("t = torch", "outside of functions and classes"),
        ("op_version_set = torch.save", "outside of functions and classes"),
        ("import os", "outside of functions and classes"),
        ("class A(Module, Module):\n  pass", "other bases"),
        ("class A(torch.save):\n  pass", "other bases"),
        ("class A(Module, metaclass=torch):\n  pass", "other bases"),
        ('class A(Interface):\n  def f(self, x: str=torch.save) -> Tensor:\n    pass', "default"),
        ("class A(Enum):\n  RED = torch.save", "constant"),
        ("class A(NamedTuple):\n  x : int=torch.save", "constant"),
        ("def f(x: Tensor, *y) -> Tensor:\n  return x", "holds '*y)"),
        ("def f(x: Tensor, y: Tensor=ops.aten.save) -> Tensor:\n  return x", "default"),
        ("class Net(Module):\n  pass", "defines '__torch__.Net' twice"),
    ],
)  # fmt: skip
def test_what_stands_beside_the_class_is_judged_as_well(path: Path, rest: str, reason: str) -> None:
    write_code(path, "pass", f"{rest}\n")
    assert reason in str(refusal_of(path))


@pytest.mark.parametrize("record", ["code/__torch__/torch/classes/c10d.py", "code/other.py", "code/__torch__/a b.py"])
def test_code_is_only_where_torch_looks_for_what_it_defines(path: Path, record: str) -> None:
    write_code(path, "pass", record=record)
    assert "is where torch writes none" in str(refusal_of(path))


# The same reach for a file, in forms that grow into each other.
ROOTS = st.sampled_from(["torch", "ops.aten", "(torch)", "((ops).aten)", "torch.autograd", "t", "o.aten"])
NAMES = st.sampled_from(["save", "from_file"])
ARGUMENTS = st.sampled_from(
    ['(x, "t")', '("t", True, 4)', '(x, filename="t")', '(\n    x,\n    "t")', "(x, CONSTANTS.c0, )"]
)
CALLS = st.one_of(
    st.builds("{}.{}{}".format, ROOTS, NAMES, ARGUMENTS),
    st.builds('getattr({}, "{}"){}'.format, ROOTS, NAMES, ARGUMENTS),
    st.builds("(x).{}{}".format, NAMES, ARGUMENTS),
    st.builds("ops.image.{}{}".format, st.sampled_from(["read_file", "write_file"]), ARGUMENTS),
    st.builds("ops.prim.{}(x)".format, st.sampled_from(["PythonOp", "rpc_async", "IgnoredPythonOp", "awaitable_wait"])),
    st.builds("__torch__.torch.classes.{}(x)".format, st.sampled_from(["c10d.FileStore", "dist_rpc.WorkerInfo"])),
)
NESTED = st.recursive(
    CALLS,
    lambda inner: st.one_of(
        st.builds("torch.add(x, {})".format, inner),
        st.builds("[x, {}]".format, inner),
        st.builds("(x, {}, )".format, inner),
        st.builds('{{"a": {}}}'.format, inner),
        st.builds("annotate(Tensor, {})".format, inner),
        st.builds("({})[0]".format, inner),
        st.builds("x[{}:]".format, inner),
        st.builds('torch.format("{{}}", {})'.format, inner),
        st.builds("(self).forward({}, )".format, inner),
        st.builds("({}).forward(x)".format, inner),
        st.builds("int({})".format, inner),
        st.builds('getattr({}, "a")'.format, inner),
        st.builds("isinstance({}, Tensor)".format, inner),
        st.builds("print({})".format, inner),
    ),
    max_leaves=6,
)
STATEMENTS = st.recursive(
    st.one_of(
        st.builds("y = {}".format, NESTED),
        st.builds("y : Tensor = {}".format, NESTED),
        st.builds("a, b, = {}".format, NESTED),
        st.builds("self.training = {}".format, NESTED),
        st.builds("return {}".format, NESTED),
        st.builds("ops.prim.RaiseException({})".format, NESTED),
    ),
    lambda inner: st.one_of(
        st.builds("if x:\n  pass\nelse:\n  {}".format, inner.map(lambda text: text.replace("\n", "\n  "))),
        st.builds("for i in range(2):\n  {}".format, inner.map(lambda text: text.replace("\n", "\n  "))),
        st.builds("while x:\n  {}".format, inner.map(lambda text: text.replace("\n", "\n  "))),
        st.builds("with x as y:\n  {}".format, inner.map(lambda text: text.replace("\n", "\n  "))),
        st.builds("y = x\n{}".format, inner),
        st.builds("t = torch\no = ops\n{}".format, inner),
    ),
    max_leaves=4,
)
HOMES = st.sampled_from(
    [
        "def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  {}\n  return x",
        "def __setstate__(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  {}\n  return x",
        "def __getattr__(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  {}\n  return x",
        "def __enter__(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  {}\n  return x",
    ]
)


@settings(max_examples=60, deadline=None)
@given(home=HOMES, statement=STATEMENTS)
def test_a_file_is_out_of_reach_in_every_form_of_the_language(path: Path, home: str, statement: str) -> None:
    write_code(path, home.format(statement.replace("\n", "\n  ")), ELSEWHERE)
    assert refusal_of(path)


def test_a_variable_called_torch_is_a_submodule_and_nothing_more(path: Path) -> None:
    rest = """class Sub(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def forward(self: __torch__.Sub,
    x: Tensor) -> Tensor:
    return torch.add(x, 1)
  def save(self: __torch__.Sub,
    x: Tensor) -> Tensor:
    return x
"""
    members = "torch : __torch__.Sub\ndef forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n  {}  return x"
    write_code(path, members.format("torch = self.torch\n  y = (torch).forward(x, )\n"), rest)
    assert refusal_of(path) is None
    write_code(path, members.format('torch.save(x, "t")\n  torch = self.torch\n'), rest)
    assert "of what may be a tensor" in str(refusal_of(path))
    write_code(path, members.format('y = torch.autograd\n  y.save(x, "t")\n  torch = self.torch\n'), rest)
    assert "of what may be a tensor" in str(refusal_of(path))


def test_the_archives_of_these_tests_are_such_that_torch_loads(path: Path) -> None:
    write_statements(path, "y = torch.add(x, 1)")
    assert refusal_of(path) is None
    assert load(path) is not None
