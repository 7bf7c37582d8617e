"""Faults that no module's own tests cover; README.md beside this file lists every fault and the test of its outcome."""

import ctypes
import errno
import hashlib
import io
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.util import spec_from_loader
from pathlib import Path

import mutants
import numpy as np
import pandas as pd
import pytest
from conftest import tiny_folder, tiny_run, tiny_set
from safetensors.numpy import load_file, save_file
from test_downloads import TOP, members, packed, refused, server  # noqa: F401  a fixture
from test_publish import SOURCE, project, published  # noqa: F401  fixtures

import committed
import executing
import publish
from andlib import bars, descriptions, encoders, paths, responses, stages
from andlib.errors import InputError, MissingExtra
from andlib.inputs import downloads
from andlib.llms import clients, llm
from andlib.pages import section_4_2
from andlib.similarity import FUNCTIONS
from andlib.store import KINDS, Stage, Store, digest

LINES = Stage("stage", "lines")
FULL = bool(os.environ.get("ANDLIB_FAULTS"))
VALUES = {
    "arrays": {"a": np.zeros(100_000)},
    "frame": pd.DataFrame({"n": np.random.default_rng(0).standard_normal(100_000)}),
    "lines": ["x" * 500_000],
}


def left_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Killed runs


@pytest.mark.slow
def test_killed_runs_come_out_as_if_undisturbed():
    """SIGKILL while 3 files of a small full run are written, 100 in `make faults`: see killed.py."""
    script = [sys.executable, str(Path(__file__).with_name("killed.py")), "100" if FULL else "3"]
    done = subprocess.run(script, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


# Two processes


def make_at_once(folder, barrier, results, temporary):
    """Stores a value, made when another machine is making it, too, which shares the folder and waits for none here."""
    tempfile.tempdir = str(temporary)

    def make():
        barrier.wait(60)
        return {"a": np.arange(1_000_000)}

    results.put(int(Store(folder).get(Stage("stage", "arrays"), [1], make)["a"].sum()))


@pytest.mark.slow
def test_two_machines_that_make_one_value_at_once(tmp_path, tmp_path_factory):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    machines = [tmp_path_factory.mktemp("machine") for _ in range(2)]
    both = [context.Process(target=make_at_once, args=(tmp_path, barrier, results, machine)) for machine in machines]
    for process in both:
        process.start()
    assert [results.get(timeout=60) for _ in both] == [499_999_500_000] * 2
    for process in both:
        process.join()
    assert sorted(path.suffix for path in left_in(tmp_path)) == [".json", ".safetensors"]  # nothing temporary
    assert Store(tmp_path).holds(Stage("stage", "arrays"), [1])


# Disks and folders


@pytest.mark.parametrize("kind", KINDS)
def test_disk_full_at_write(tmp_path, kind):
    """The system itself refuses to write on: by a limit on the size of files, which needs no small disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(InputError, match=r"stage could not be written.*(too large|space).*ANDLIB_CACHE"):
            Store(tmp_path).get(Stage("stage", kind), [], lambda: VALUES[kind])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_in(tmp_path) == []
    Store(tmp_path).get(Stage("stage", kind), [], lambda: VALUES[kind])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB; mounting one needs root."""
    folder, libc = tmp_path / "disk", ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, b"size=64k"):
        pytest.skip(f"a small disk needs root: {os.strerror(ctypes.get_errno())}")
    yield folder
    assert libc.umount(str(folder).encode()) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_really_full(small_disk, kind):
    with pytest.raises(InputError, match=r"No space left on device|StorageFull|os error 28"):
        Store(small_disk).get(Stage("stage", kind), [], lambda: VALUES[kind])
    assert left_in(small_disk) == []
    assert Store(small_disk).get(LINES, [], lambda: ["short"]) == ["short"]


@pytest.mark.parametrize("number", [0, 1], ids=["value", "manifest"])
def test_disk_full_at_rename(tmp_path, monkeypatch, number):
    rename, count = Path.replace, iter(range(9))

    def replace_(path, target):
        if next(count) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace_)
        with pytest.raises(InputError, match="stage could not be written .No space left on device.*Free some space"):
            Store(tmp_path).get(LINES, [], lambda: [1])
    assert [path.suffix for path in left_in(tmp_path)] == [".jsonl"] * number  # without its manifest it does not exist
    assert Store(tmp_path).get(LINES, [], lambda: [2]) == [2]


def test_disk_full_while_answers_are_kept(tmp_path):
    class Model:
        model, revision = "m", ""

        def answers(self, chats, sampling):
            yield from ((i, llm.Answer("x" * 3000)) for i in range(len(chats)))

    log, chats = tmp_path / "log.jsonl", [[{"role": "user", "content": str(i)}] for i in range(4)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, hard))
    try:
        # the bar's own log may be a file, too, and meet the limit: see `bars`
        with pytest.raises(InputError, match="could not be written.*Free some space"):
            llm.Completions(log).ask(chats, llm.Sampling(7), "m", Model())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = [answer is not None for answer in llm.Completions(log).ask(chats, llm.Sampling(7), "m")]
    assert kept == [True, True, False, False]  # what was said before is not lost
    assert all(llm.Completions(log).ask(chats, llm.Sampling(7), "m", Model()))


class Full(io.StringIO):
    """A log on a full disk."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = close = lambda self: None


def test_a_run_goes_on_without_its_bar_where_the_disk_of_the_log_is_full(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Full())
    monkeypatch.setattr(sys, "stdout", Full())
    with bars.tqdm(range(3), "working") as bar:
        assert list(bar) == [0, 1, 2]
        bar.update()
    with pytest.raises(OSError, match="No space"):
        sys.stderr.write("what the bar met")


@contextmanager
def unprivileged():
    """Root may write anywhere; for a while it is somebody else."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_may_only_be_read(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o500)
    with unprivileged(), pytest.raises(InputError, match="stage could not be written .Permission denied.*ANDLIB_CACHE"):
        Store(folder).get(LINES, [], lambda: [1])
    assert left_in(folder) == []


def test_a_missing_folder_is_made_and_one_without_permission_is_named(tmp_path, monkeypatch):
    assert Store(tmp_path / "a" / "b c").get(LINES, [], lambda: [1]) == [1]

    def refused_(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refused_)
    with pytest.raises(InputError, match="stage could not be written .Permission denied"):
        Store(tmp_path / "a" / "b c").get(LINES, [], lambda: [1])


def test_a_manifest_that_is_no_object_is_damage(tmp_path):
    for text in ("[]", "3", "null", "[" * 100_000, '{"sha256": 3}'):
        Store(tmp_path).get(LINES, [], lambda: [1])
        [manifest] = tmp_path.glob("stage/*.json")
        manifest.write_text(text)
        with pytest.warns(UserWarning, match="is damaged.*made again"):
            assert Store(tmp_path).get(LINES, [], lambda: [1]) == [1]


# Archives and downloads


def test_a_body_that_is_short_though_it_is_whole_to_http(server, tmp_path):  # noqa: F811
    content = packed(members())
    archive = offered(server, content)
    server.content = content[:4000]  # its length is said to be that
    refused(tmp_path, archive, f"stopped after 4,000 of {len(content):,} bytes", "Run again to go on")
    server.content = content
    assert downloads.fetch_esc50(tmp_path, archive).is_dir() and server.asked == ["", "bytes=4000-"]


def test_links_in_an_archive_lead_nowhere(server, tmp_path):  # noqa: F811
    """A link to a folder outside and a file beyond it; a link in the place of a recording."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    links = {TOP + "audio/out": str(outside), TOP + "meta": str(outside), TOP + "audio/7.wav": str(outside / "secret")}
    files = {TOP + "audio/out/evil.wav": b"x", TOP + "meta/evil.csv": b"x"}
    target = downloads.fetch_esc50(tmp_path / "inside", offered(server, packed({**links, **members(), **files})))
    assert left_in(outside) == [outside / "secret"]
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert (target / "audio/7.wav").read_text() == str(outside / "secret")  # the link's own text, not what it leads to


def offered(server, content):  # noqa: F811
    """The archive of those bytes that the server offers."""
    server.content = content
    return downloads.Archive(server.url, hashlib.sha256(content).hexdigest(), len(content), "CC BY-NC 3.0")


def test_an_archive_that_would_fill_the_disk_is_not_unpacked(server, tmp_path):  # noqa: F811
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {**members(), TOP + "audio/9-9-A-9.wav": bytes(3_000_000)}.items():
            file.writestr(name, content)
    refused(tmp_path, offered(server, buffer.getvalue()), "would unpack to 3,0", "which no archive of recordings does")
    assert not (tmp_path / "ESC-50").exists()


def test_an_archive_that_is_none_behind_its_first_bytes(server, tmp_path):  # noqa: F811
    refused(tmp_path, offered(server, b"PK" + bytes(5000)), "could not be fetched", "by hand")
    assert not (tmp_path / "ESC-50").exists()


# What decides a value


def neurons_key(monkeypatch, folder, **changes):
    """The key under which a run's neurons would be stored."""

    class Asked(Exception):
        pass

    def get(self, stage, made_from, make):
        if stage.name == "neurons":
            raise Asked(digest([stage, made_from]))
        return stored(self, stage, made_from, make)

    stored = Store.get
    with monkeypatch.context() as patched:
        patched.setattr(Store, "get", get)
        with pytest.raises(Asked) as asked:
            stages.neurons(tiny_run(folder, **changes), "ast")
    return str(asked.value)


def test_a_changed_parameter_or_weight_or_version_is_another_key(cache, monkeypatch, tmp_path):
    first = neurons_key(monkeypatch, cache)
    assert neurons_key(monkeypatch, cache) == first
    keys = [first]
    names = tmp_path / "names.txt"
    names.write_text("dog\nrain\n")
    for changes in ({"k": 4}, {"mode": "calibration_loop"}, {"mode": "first_token"}, {"concept_set": str(names)}):
        keys.append(neurons_key(monkeypatch, cache, **changes))
    names.write_text("dog\nsnow\n")  # the same name, other contents
    keys.append(neurons_key(monkeypatch, cache, concept_set=str(names)))
    network = shutil.copytree(tiny_folder(), tmp_path / "network")
    weights = bytearray((network / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (network / "model.safetensors").write_bytes(weights)
    keys.append(neurons_key(monkeypatch, cache, weights=str(network)))
    for stage in ("NEURONS", "ACTIVATIONS"):
        with monkeypatch.context() as patched:
            patched.setattr(stages, stage, replace(getattr(stages, stage), version=99))
            keys.append(neurons_key(patched, cache))
    assert len(set(keys)) == len(keys) == 9


@pytest.mark.slow
def test_what_is_stored_for_other_parameters_or_weights_is_not_taken(cache, tmp_path):
    """The same folder throughout: each run finds its own values and none of the others'."""
    first = stages.neurons(tiny_run(cache), "ast")
    assert stages.neurons(tiny_run(cache, k=4), "ast")["highest"].map(len).eq(4).all()
    network = shutil.copytree(tiny_folder(), tmp_path / "network")
    weights = load_file(network / "model.safetensors")
    save_file({name: 1.5 * value for name, value in weights.items()}, network / "model.safetensors", {"format": "pt"})
    other = responses.unit_activations(tiny_run(cache, weights=str(network)), "ast")
    before = responses.unit_activations(tiny_run(cache), "ast")
    assert not any(np.array_equal(other[layer], before[layer]) for layer in before)
    pd.testing.assert_frame_equal(stages.neurons(tiny_run(cache), "ast"), first)


# Pages and the book


def test_a_missing_kernel_is_told_in_a_sentence(project, monkeypatch):  # noqa: F811
    monkeypatch.setattr(executing, "KERNEL", {**committed.KERNEL, "name": "no-such-kernel"})
    with pytest.raises(InputError, match="Jupyter has no kernel 'no-such-kernel'.*run make install"):
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})
    assert not (project / "out.ipynb").exists()


@pytest.mark.slow
def test_a_kernel_that_dies_is_told_and_leaves_what_lay_there(project):  # noqa: F811
    dying = "# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    (project / "notebooks/one.py").write_text(SOURCE + dying)
    publish.sync()
    (project / "out.ipynb").write_text("older")
    with pytest.raises(InputError, match="kernel of page one died.*WORKERS=1"):
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})
    assert (project / "out.ipynb").read_text() == "older"


def test_an_interrupted_page_leaves_what_lay_there(project, monkeypatch):  # noqa: F811
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    (project / "out.ipynb").write_text("older")
    monkeypatch.setattr(executing.papermill, "execute_notebook", interrupted)
    with pytest.raises(KeyboardInterrupt):
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})
    assert (project / "out.ipynb").read_text() == "older"
    assert [path.name for path in project.glob("*out*")] == ["out.ipynb"]


def test_a_page_on_a_full_disk_leaves_what_lay_there(project, monkeypatch):  # noqa: F811
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (project / "out.ipynb").write_text("older")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="could not be written .No space left"):
        committed.write("newer", project / "out.ipynb")
    assert (project / "out.ipynb").read_text() == "older"
    assert [path.name for path in project.glob("*out*")] == ["out.ipynb"]


@pytest.mark.slow
def test_stages_do_not_depend_on_the_folder_one_is_in(tmp_path):
    code = "from andlib import paths; print(paths.cache(), paths.results())"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True, env=environment()
        ).stdout
        for folder in (tmp_path, paths.root())
    }
    assert len(said) == 1 and str(paths.root()) in said.pop()


def environment():
    return {**os.environ, "PYTHONPATH": str(paths.root())}


def test_the_book_is_whole_where_symlinks_are_checked_out_as_text(published):  # noqa: F811
    """Without symbolic links a checkout has the text book/_toc.yml in the root's _toc.yml, which nothing reads."""
    (published / "_toc.yml").write_text("book/_toc.yml")
    staged = publish.stage("mini")
    assert (staged / "_toc.yml").read_text() == (published / "book/_toc.yml").read_text() != "book/_toc.yml"
    assert not committed.check()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"page"', "{}", '{"metadata": 3}', "[" * 100_000])
def test_a_page_that_is_no_notebook_is_named(published, text):  # noqa: F811
    (published / "book/pages/mini/one.ipynb").write_text(text)
    assert committed.check()[0].startswith("book/pages/mini/one.ipynb is no executed page (")


def built(folder, page):
    """What jupyter-book says of a book of one page, in a folder with spaces, and its exit status."""
    if not FULL:
        pytest.skip("builds a book: make faults")
    book = folder / "a book"
    book.mkdir(exist_ok=True)
    (book / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (book / "_config.yml").write_text("title: A book\nexecute: {execute_notebooks: 'off'}\n")
    (book / "index.md").write_text(page)
    build = [Path(sys.executable).with_name("jupyter-book"), "build", book, "-n", "-W", "--keep-going", "-q"]
    done = subprocess.run(build, capture_output=True, text=True)
    return done.stdout + done.stderr, done.returncode


def test_a_book_with_a_missing_figure_is_not_built(tmp_path):
    """With -W a warning ends the build, and the message names page and figure."""
    said, status = built(tmp_path, "# A page\n\n![a figure](missing.png)\n")
    assert status and "index.md" in said and "missing.png" in said, said


# Optional packages


class Broken(MetaPathFinder, Loader):
    """A package that is found and raises OSError when it is loaded, as torchaudio does beside another torch."""

    def __init__(self, package):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        return spec_from_loader(name, self) if name.partition(".")[0] == self.package else None

    def exec_module(self, module):
        raise OSError(f"lib{module.__name__}.so: undefined symbol")


OPTIONAL = {
    "openai": lambda: clients.open_llm.__wrapped__("openai:small"),
    "vllm": lambda: clients.open_llm.__wrapped__("vllm:small"),
    "laion_clap": lambda: encoders._laion_clap.__wrapped__("laion", "", "cpu"),
    "bert_score": lambda: section_4_2._bert_score(["a"], ["b"]),
}


@pytest.fixture(params=["absent", "broken"])
def without(request, monkeypatch):
    """Takes a package away, or breaks it."""

    def take(package):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        if request.param == "absent":
            monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setattr(sys, "meta_path", [Broken(package), *sys.meta_path])

    return take


@pytest.mark.parametrize("package", OPTIONAL)
def test_an_optional_package_absent_or_broken_names_the_way_to_install_it(package, without, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    without(package)
    with pytest.raises(MissingExtra, match=r"(?s)(missing|cannot be imported).*(pip install|make llm)") as told:
        OPTIONAL[package]()
    assert package.replace("_", "-") in str(told.value).replace("_", "-")


def test_without_open_clip_transformers_reads_clip_instead(without):
    without("open_clip")
    assert encoders._open_clip() is None


# Sets that give a method little to go by


@pytest.fixture
def described(cache, monkeypatch, tmp_path):
    """Neurons of the tiny network on a changed set, and its descriptions where they are given."""

    def describe(changed, texts=None, **changes):
        run = tiny_run(tmp_path, given={"probing_set": changed}, **changes)
        if texts is not None:
            monkeypatch.setattr(stages, "clip_descriptions", lambda run, control="": texts)
        return run, stages.neurons(run, "ast")

    return describe


def test_duplicate_clips_are_ties_that_the_order_of_clips_breaks(described):
    whole = tiny_set()
    twice = replace(whole, clips=tuple(clip for clip in whole.clips[:6] for _ in "ab"), fingerprint="twice")
    run, neurons = described(twice)
    u = responses.unit_activations(run, "ast")["block0.output"]
    np.testing.assert_allclose(u[::2], u[1::2], rtol=1e-5, atol=1e-6)
    assert neurons["highest"].map(len).eq(3).all() and neurons["highest"].map(lambda row: len(set(row))).eq(3).all()
    again = described(twice)[1]
    pd.testing.assert_frame_equal(neurons, again)


def test_constant_captions_are_calibrated_away_and_give_finite_scores(described):
    run, neurons = described(tiny_set(), ["A loud dog barks."] * len(tiny_set()))
    assert neurons["calibrated"].map(len).eq(0).all() and neurons["adjectives"].map(len).eq(0).all()
    assert neurons["db"].map(len).eq(3).all()
    u = responses.unit_activations(run, "ast")["block0.output"]
    for function in FUNCTIONS:
        scores = stages.closed_scores(
            run, "DB", function, u, stages.concept_similarity(run, descriptions.clip_descriptions(run))
        )
        assert np.isfinite(scores).all(), function


def test_a_set_of_one_class_is_described(described):
    whole = tiny_set()
    dogs = tuple(clip for clip in whole.clips if clip.label == "dog")
    _, neurons = described(replace(whole, clips=dogs, classes=("dog",), fingerprint="dogs"))
    assert len(neurons) == 67 and neurons["db"].map(len).eq(3).all()


@pytest.mark.parametrize("name", mutants.MUTANTS)
def test_a_mutant_changes_a_line_that_is_there(name):
    file, line, mutated, *_ = mutants.MUTANTS[name]
    assert (paths.root() / file).read_text(encoding="utf-8").count(line) == 1 and mutated != line
