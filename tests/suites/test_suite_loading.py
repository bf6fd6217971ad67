"""Loading: references, digests, mirror, cache and network; what was changed is refused."""

from __future__ import annotations

import hashlib
import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from verilabel.errors import LimitExceeded, MalformedInput, SealError, UsageError
from verilabel.records.canonical import is_digest
from verilabel.records.plan import ordered_ids
from verilabel.suites.cache import Cache, check_digest, write_whole
from verilabel.suites.download import fetch_url
from verilabel.suites.loading import (
    availability_of,
    bundled_files,
    bundled_ids,
    load_suite,
    pull_suite,
    read_suite_file,
    resolve_reference,
)

MakeSuite = Callable[..., Path]
DATA = b"prompt\none\ntwo\n"


def test_the_digest_covers_the_exact_bytes_of_the_suite_file(make_suite: MakeSuite) -> None:
    folder = make_suite(DATA)
    suite = load_suite(folder)
    content = (folder / "suite.yaml").read_bytes()
    assert suite.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    (folder / "suite.yaml").write_bytes(content + b"# a remark\n")
    assert load_suite(folder).digest != suite.digest


@pytest.mark.parametrize("position", range(len(DATA)))
def test_data_with_one_changed_byte_is_refused(make_suite: MakeSuite, position: int) -> None:
    folder = make_suite(DATA)
    changed = bytearray(DATA)
    changed[position] ^= 1
    (folder / "samples.data").write_bytes(bytes(changed))
    with pytest.raises(SealError) as caught:
        load_suite(folder)
    assert hashlib.sha256(DATA).hexdigest() in caught.value.message


@pytest.mark.parametrize("name", ["agent/injection", "cap/code"])
def test_a_suite_of_answers_does_not_take_the_name_of_one_of_episodes(
    make_suite: MakeSuite, name: str
) -> None:
    file = make_suite(DATA) / "suite.yaml"
    file.write_text(file.read_text().replace("my/suite", name))
    with pytest.raises(MalformedInput, match="is the name of a suite that is generated"):
        load_suite(file)


def test_data_that_is_missing_is_named(make_suite: MakeSuite) -> None:
    folder = make_suite(DATA)
    (folder / "samples.data").unlink()
    with pytest.raises(MalformedInput) as caught:
        load_suite(folder)
    assert caught.value.where == str(folder / "samples.data")


def test_a_sample_digest_changes_with_any_fact_of_the_sample(make_suite: MakeSuite) -> None:
    fields = "  id: {const: same}\n  prompt: p\n  family: f\n  tags: {t: t}\n  target: g"
    seen = set()
    for cells in ("a,b,c,d", "A,b,c,d", "a,B,c,d", "a,b,C,d", "a,b,c,D", "a,,c,d"):
        suite = load_suite(make_suite(f"p,f,t,g\n{cells}\n".encode(), fields=fields))
        (entry,) = suite.entries
        assert is_digest(entry.sha256)
        seen.add(entry.sha256)
    assert len(seen) == 6


def test_entries_repeat_what_counting_needs_and_no_text(make_suite: MakeSuite) -> None:
    fields = "  prompt: p\n  family: f\n  tags: {t: t}"
    suite = load_suite(make_suite(b"p,f,t\nsecret,fam,x\n", fields=fields))
    (entry,) = suite.entries
    assert (entry.id, entry.unit, entry.tags) == ("1", "fam", {"t": "x"})
    assert "secret" not in repr(entry)


def test_a_suite_file_and_its_folder_are_the_same_suite(make_suite: MakeSuite) -> None:
    folder = make_suite(DATA)
    assert load_suite(folder).digest == load_suite(str(folder / "suite.yaml")).digest


def test_the_committed_order_is_the_same_at_every_loading() -> None:
    suite = load_suite("core/factual")
    order = ordered_ids("seed", suite.name, suite.samples)
    assert ordered_ids("seed", suite.name, load_suite("core/factual@1").samples) == order
    assert ordered_ids("seed", suite.name, suite.entries) == order
    assert sorted(order) == sorted(sample.id for sample in suite.samples)


@pytest.mark.parametrize("reference", ["xstest", "xstest@2", "xstest@2.0", "xstest@2.0.0"])
def test_a_version_may_be_asked_for_in_part(reference: str) -> None:
    assert read_suite_file(reference).name == "xstest@2.0.0"


@pytest.mark.parametrize("reference", ["xstest@1", "xstest@2.0.0.0", "xstest@20"])
def test_a_version_that_is_not_here_is_refused(reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_suite_file(reference)
    assert "xstest@2.0.0" in str(caught.value.hint)


def test_a_misspelt_id_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        load_suite("core/factul")
    assert caught.value.hint == "did you mean 'core/factual'?"


def test_a_bundled_id_wins_over_a_folder_of_the_same_name(
    make_suite: MakeSuite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_suite(DATA).rename(tmp_path / "xstest")
    monkeypatch.chdir(tmp_path)
    assert read_suite_file("xstest").manifest.id == "xstest"
    assert read_suite_file("./xstest").manifest.id == "my/suite"
    assert read_suite_file(Path("xstest")).manifest.id == "my/suite"


def test_a_data_file_is_no_suite_and_the_hint_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "prompts.csv").write_bytes(DATA)
    for reference in (tmp_path, tmp_path / "prompts.csv"):
        with pytest.raises(UsageError) as caught:
            load_suite(reference)
        assert "verilabel suites new FILE" in str(caught.value.hint)


def test_a_suite_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(LimitExceeded):
        load_suite(tmp_path)


def test_absent_data_is_refused_with_every_way_to_get_it(empty_cache: Cache) -> None:
    with pytest.raises(UsageError) as caught:
        load_suite("xstest", cache=empty_cache)
    hint = str(caught.value.hint)
    assert "verilabel suites pull xstest" in hint
    assert "DIR/xstest/xstest_prompts.csv" in hint
    with pytest.raises(UsageError) as caught:
        load_suite("gsm8k", cache=empty_cache)
    assert "pull" not in str(caught.value.hint)


def published(make_suite: MakeSuite, where: str) -> Path:
    """A suite whose data is not beside it."""
    folder = make_suite(DATA)
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(text.replace("  file: samples.data", where))
    (folder / "samples.data").unlink()
    return folder


def test_the_mirror_is_used_and_checked(make_suite: MakeSuite, empty_cache: Cache, tmp_path: Path) -> None:
    folder = published(make_suite, "  path: deep/data.csv")
    mirror = tmp_path / "mirror"
    (mirror / "deep").mkdir(parents=True)
    (mirror / "deep" / "data.csv").write_bytes(DATA)
    assert len(load_suite(folder, cache=empty_cache, mirror=mirror).samples) == 2
    (mirror / "deep" / "data.csv").write_bytes(DATA + b"three\n")
    with pytest.raises(SealError):
        load_suite(folder, cache=empty_cache, mirror=mirror)


def test_pulling_from_a_mirror_keeps_a_checked_copy(
    make_suite: MakeSuite, empty_cache: Cache, tmp_path: Path
) -> None:
    folder = published(make_suite, "  path: data.csv")
    file = read_suite_file(folder)
    (tmp_path / "data.csv").write_bytes(DATA + b"x")
    with pytest.raises(SealError):
        pull_suite(folder, cache=empty_cache, mirror=tmp_path)
    assert not empty_cache.root.exists()
    assert availability_of(file, cache=empty_cache) == "mirror only"
    (tmp_path / "data.csv").write_bytes(DATA)
    assert pull_suite(folder, cache=empty_cache, mirror=tmp_path).fetched
    (tmp_path / "data.csv").unlink()
    assert not pull_suite(folder, cache=empty_cache).fetched
    assert availability_of(file, cache=empty_cache) == "cached"
    assert len(load_suite(folder, cache=empty_cache.root).samples) == 2


def test_a_cached_file_that_was_changed_is_refused(make_suite: MakeSuite, empty_cache: Cache) -> None:
    folder = published(make_suite, "  path: data.csv")
    path = empty_cache.keep(DATA, hashlib.sha256(DATA).hexdigest(), where="test")
    path.write_bytes(DATA + b"three\n")
    with pytest.raises(SealError) as caught:
        load_suite(folder, cache=empty_cache)
    assert caught.value.where == str(path)


def test_a_failed_write_leaves_neither_the_file_nor_a_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "taken", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_the_user_cache_lies_in_the_home_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERILABEL_HOME", str(tmp_path))
    assert Cache.of_user().root == tmp_path / "cache"


def test_every_bundled_suite_is_found_under_its_own_id() -> None:
    ids = bundled_ids()
    assert [file.manifest.id for file in bundled_files()] == ids
    assert {"core/bias", "core/factual", "xstest", "gsm8k"} <= set(ids)
    assert len(set(ids)) == len(ids)
    assert all(resolve_reference(suite_id).is_file() for suite_id in ids)


@pytest.mark.parametrize("suite_id", [i for i in bundled_ids() if i.startswith("core/")])
def test_the_data_of_own_suites_has_the_pinned_digest(suite_id: str) -> None:
    suite = load_suite(suite_id)
    data = (suite.path.parent / suite.manifest.data.file).read_bytes()
    check_digest(data, suite.manifest.data.sha256, where=suite_id)
    assert b"\r" not in data
    assert suite.manifest.license == "CC-BY-4.0"


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real https server on this machine with its own certificate: (address, certificate file)."""
    certificate = write_certificate(tmp_path)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "data.csv").write_bytes(DATA)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, directory=str(tmp_path / "www"), **options)  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"https://localhost:{server.server_address[1]}", certificate
    server.shutdown()
    thread.join()
    server.server_close()


def write_certificate(folder: Path) -> Path:
    """A certificate for localhost and its key in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(encoding) + secret)
    return path


def pull_in_a_process(folder: Path, home: Path, certificate: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "VERILABEL_HOME": str(home), "SSL_CERT_FILE": str(certificate)}
    program = "import sys; from verilabel.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "suites", "pull", str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_data_is_pulled_over_https_checked_and_kept(
    make_suite: MakeSuite, https_server: tuple[str, Path], tmp_path: Path
) -> None:
    address, certificate = https_server
    folder = published(make_suite, f"  url: {address}/data.csv")
    home = tmp_path / "home"
    done = pull_in_a_process(folder, home, certificate)
    assert (done.returncode, done.stderr) == (0, "")
    assert "fetched to" in done.stdout
    assert len(load_suite(folder, cache=home / "cache").samples) == 2
    assert "already at" in pull_in_a_process(folder, home, certificate).stdout

    (tmp_path / "www" / "data.csv").write_bytes(DATA + b"three\n")
    other_home = tmp_path / "other"
    refused = pull_in_a_process(folder, other_home, certificate)
    assert refused.returncode == 4
    assert f"{address}/data.csv" in refused.stderr
    assert not other_home.exists()

    (tmp_path / "www" / "data.csv").unlink()
    absent = pull_in_a_process(folder, other_home, certificate)
    assert absent.returncode == 2
    assert "404" in absent.stderr


async def test_a_download_beyond_the_limit_is_given_up() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100_000)

    application = web.Application()
    application.router.add_get("/data", answer)
    async with TestServer(application) as server:
        assert len(await fetch_url(str(server.make_url("/data")), limit=100_000)) == 100_000
        with pytest.raises(LimitExceeded):
            await fetch_url(str(server.make_url("/data")), limit=99_999)


async def test_a_server_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(UsageError) as caught:
        await fetch_url("http://127.0.0.1:9/data", limit=10)
    assert caught.value.where == "http://127.0.0.1:9/data"
