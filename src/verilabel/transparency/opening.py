"""Opening a log by what a user names: nothing at all, a folder, a folder of tiles, or the address of a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from verilabel.errors import UsageError
from verilabel.evidence.keys import (
    PublicKey,
    home_folder,
    key_path,
    load_key,
    new_key,
    save_key,
)
from verilabel.evidence.log import LocalLog, Log
from verilabel.evidence.note import open_checkpoint
from verilabel.serving import read_token
from verilabel.transparency.auditing import Audited, audit_local, audit_log
from verilabel.transparency.configuration import CONFIGURATION, WitnessAddress, read_configuration
from verilabel.transparency.fetching import HttpTiles, check_url
from verilabel.transparency.local_tiles import FolderTiles, LocalTiles
from verilabel.transparency.memory import Memory, Pins, memory_folder
from verilabel.transparency.refreshing import refresh_bundle
from verilabel.transparency.remote import RemoteLog, read_log_key, settle_key
from verilabel.transparency.tiles import KEY_PATH
from verilabel.transparency.witnessed import Cosigned, Failure, WitnessedLog

LOG_KEY_NAME = "log"
TOKEN_VARIABLE = "VERILABEL_LOG_TOKEN"  # noqa: S105
_URL = re.compile(r"(https?):/+(.*)", re.DOTALL)


def url_of(place: Path | str | None) -> str | None:
    """The address that is meant, also by a path that was made of one; None where a folder is meant."""
    found = None if place is None else _URL.fullmatch(str(place))
    return None if found is None else f"{found[1]}://{found[2]}"


def local_folder(place: Path | str | None) -> Path:
    """The folder of a log that is not behind an address: by default the user's own."""
    return home_folder() / "log" if place is None else Path(place)


def open_local_log(place: Path | str | None, owner: str, *, origin: str | None = None) -> LocalLog:
    """Open the log in a folder for appending; it and its key are made where there are none yet.

    A new log signs as `origin`, by default as its key is named, after its owner. Raises UsageError where the log that
    is there signs under another name than `origin`.
    """
    path = local_folder(place)
    key_file = key_path(LOG_KEY_NAME) if place is None else path.with_name(f"{path.name}.key")
    if not key_file.exists():
        save_key(new_key(origin or f"{owner}-log"), key_file)
    key = load_key(key_file)
    if not path.exists():
        return LocalLog.create(path, key, origin=origin)
    log = LocalLog.open(path, key)
    if origin is not None and log.origin != origin:
        log.close()
        raise UsageError(
            f"this log is named {log.origin}, for good", where=str(path), hint="leave --origin out"
        )
    return log


def open_log_at(
    place: Path | str | None,
    owner: str,
    *,
    key: str | None = None,
    token_variable: str | None = None,
    tell: Callable[[str], None],
    environ: Mapping[str, str],
) -> Log:
    """Open the log that a user names: the user's own, one in a folder, with its witnesses, or one behind an address.

    `key` is a remote log's key line or its file; `token_variable` names the variable with the token that it asks for
    (`VERILABEL_LOG_TOKEN` is taken where it is set). `tell` is told of first meetings and silent witnesses.
    """
    url = url_of(place)
    if url is not None:
        variable = token_variable or (TOKEN_VARIABLE if environ.get(TOKEN_VARIABLE) else None)
        given = None if key is None else read_log_key(key)
        return RemoteLog.open(url, key=given, token=read_token(variable, environ), tell=tell)
    if key is not None or token_variable is not None:
        raise UsageError(
            "--log-key and --log-token-env are for a log behind an address", hint="--log https://..."
        )
    log = open_local_log(place, owner)
    if not (log.path / CONFIGURATION).exists():
        return log
    try:
        return WitnessedLog(log, read_configuration(log.path), warn=tell)
    except BaseException:
        log.close()
        raise


def audit_place(
    place: str | None,
    *,
    key: PublicKey | None,
    state: Path | None,
    peers: Sequence[str],
    incremental: bool,
    tell: Callable[[str], None],
) -> Audited:
    """Audit the log that a user names (`auditing.audit_log`): an address, a folder of tiles, or a log's own folder.

    `state` is what was seen of logs, by default the user's own memory. Raises what `audit_log` and `audit_local` raise.
    """
    memory = memory_folder() if state is None else state
    if (url := url_of(place)) is not None:
        url = check_url(url, may_be_plain=key is not None)
        settled = settle_key(url, key, Pins(memory), tell=tell)
        return audit_log(
            HttpTiles(url), settled, Memory(memory, settled), peers=peers, incremental=incremental
        )
    folder = local_folder(place)
    if (folder / KEY_PATH).is_file():
        source = FolderTiles(folder)
        settled = settle_key(folder.resolve().as_uri(), key, Pins(memory), tell=tell, source=source)
        return audit_log(source, settled, Memory(memory, settled), peers=peers, incremental=incremental)
    with LocalLog.open(folder) as log:
        if key is not None and key != log.public_key:
            raise UsageError(f"this is the log of another key: {log.public_key.line}", where=str(folder))
        return audit_local(log, Memory(memory, log.public_key), peers=peers, incremental=incremental)


def refresh_place(
    place: str | None,
    bundles: Sequence[Path],
    *,
    witnesses: Sequence[WitnessAddress],
    tell: Callable[[str], None],
) -> tuple[Cosigned, dict[Path, list[str]]]:
    """Have the last checkpoint of a log cosigned, and give bundles proofs that have the cosignatures.

    The keeper of a log in a folder asks the witnesses of `log.yaml` and these; who uses a log behind an address takes
    the cosignatures that it has by now. Returns what was cosigned, and for each bundle the proofs that were replaced.
    Raises UsageError where there is no witness to ask for, and what `refresh_bundle` raises.
    """
    url = url_of(place)
    if url is None:
        LocalLog.open(local_folder(place)).close()  # a log that is not there is not made
    asked = list(witnesses) if url is not None else [*read_configuration(local_folder(place)), *witnesses]
    if not asked:
        raise UsageError(
            "which witnesses?",
            hint="verilabel log witness add URL VKEY; for a log behind an address --witness",
        )
    keys = [witness.key for witness in asked]
    if url is not None:
        with RemoteLog.open(url, tell=tell) as remote:
            checkpoint, note = remote.checkpoint()
            opened = open_checkpoint(note, [remote.public_key], keys)
            there = {cosignature.key.raw: cosignature.key.name for cosignature in opened.cosignatures}
            failed = tuple(
                Failure(w, "its log shows no cosignature") for w in asked if w.key.raw not in there
            )
            cosigned = Cosigned(checkpoint.size, note, tuple(there.values()), failed)
            return cosigned, {
                b: refresh_bundle(b, remote.source, remote.public_key, note, keys) for b in bundles
            }
    with open_local_log(place, "verilabel") as local:
        cosigned = WitnessedLog(local, asked, warn=tell).refresh()
        tiles = LocalTiles(local)
        return cosigned, {b: refresh_bundle(b, tiles, local.public_key, cosigned.note, keys) for b in bundles}
