"""Lint, test, compare, sign and pull policies, of guards and of tools.

A guard policy says what a gateway guards, limits, admits and holds for people; a tool policy, which begins with
`verilabel: mcp-policy/v1`, says what agents may do through the MCP gateway.

  list    the policies that come with the program
  show    a policy's exact text (with --json: its content and the digest of its bytes)
  new     write a policy to begin with
  lint    check a policy, or a gateway's configuration with all that it names
  test    run the tests that a policy carries
  diff    what changes between two policies: loosened, tightened, unclear
  sign    put a policy into a pack: one file, the exact bytes, signed
  verify  check who signed a pack
  pull    fetch a pack and keep it under its digest, for `pack:NAME@sha256:...` in a configuration

POLICY is a bundled name (default, strict, observe; for tools cautious, provenance), a file, or a pack.

examples:
  verilabel policy new --out policy.yaml
  verilabel policy lint policy.yaml
  verilabel policy test policy.yaml
  verilabel policy new --from cautious --out tools.yaml
  verilabel policy diff default policy.yaml --forbid-loosening
  verilabel policy sign policy.yaml --key default --out policy.pack
  verilabel policy verify policy.pack --trust trust.yaml
  verilabel policy pull https://policies.example.org/policy.pack --digest sha256:...

exit statuses: lint ends with 3 where something is wrong, and with 0 where there are doubts alone; test with 1 where a
test fails; diff --forbid-loosening with 1 where something is looser or nobody can tell; verify and pull with 4 where a
signature or the digest does not hold; pull with 7 for plain http to another machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verilabel.cli.console import add_json_flag, plain, print_json, print_table
from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.evidence.keys import PublicKey
    from verilabel.gateway.policy.packing import Pack

SUMMARY = "lint, test, compare, sign and pull policies of guards and of tools"


_VERBS = {
    "list": "the policies that come with the program",
    "show": "a policy's exact text",
    "new": "write a policy to begin with",
    "lint": "check a policy or a gateway's configuration",
    "test": "run the tests that a policy carries",
    "diff": "what changes between two policies",
    "sign": "put a policy into a signed pack",
    "verify": "check who signed a pack",
    "pull": "fetch a pack and keep it under its digest",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of `verilabel policy`."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="|".join(_VERBS))
    subs = {
        verb: verbs.add_parser(verb, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
        for verb, meaning in _VERBS.items()
    }
    for sub in subs.values():
        add_json_flag(sub)
    for verb in ("show", "lint", "test"):
        subs[verb].add_argument("policy", metavar="POLICY", help="a bundled name, a file or a pack")
    subs["diff"].add_argument("old", metavar="OLD", help="a bundled name, a file or a pack")
    subs["diff"].add_argument("new", metavar="NEW", help="a bundled name, a file or a pack")
    subs["diff"].add_argument(
        "--forbid-loosening", action="store_true", help="end with 1 where something is looser, or unclear"
    )
    _configure_files(subs)
    _configure_packs(subs)


def _configure_files(subs: dict[str, argparse.ArgumentParser]) -> None:
    subs["new"].add_argument(
        "--from", dest="source", default="default", metavar="NAME", help="a bundled policy"
    )
    subs["sign"].add_argument("policy", type=Path, metavar="FILE", help="the policy")
    subs["sign"].add_argument(
        "--key", default="default", metavar="NAME|FILE", help="signing key (default: default)"
    )
    subs["sign"].add_argument(
        "--passphrase-env", metavar="VARIABLE", help="environment variable with the key's passphrase"
    )
    for verb in ("new", "sign"):
        subs[verb].add_argument("--out", type=Path, required=True, metavar="FILE", help="where it goes")
        subs[verb].add_argument("--force", action="store_true", help="replace what is at --out")


def _configure_packs(subs: dict[str, argparse.ArgumentParser]) -> None:
    subs["verify"].add_argument("pack", type=Path, metavar="PACK", help="a pack")
    subs["pull"].add_argument("source", metavar="URL|PATH", help="where the pack is: https, or a file")
    subs["pull"].add_argument(
        "--digest", required=True, metavar="sha256:...", help="the policy's digest; nothing else is kept"
    )
    for verb in ("verify", "pull"):
        subs[verb].add_argument(
            "--trust", type=Path, metavar="FILE", help="trust policy: keys in the role labels"
        )
        subs[verb].add_argument(
            "--key-file",
            action="append",
            type=Path,
            default=[],
            metavar="FILE",
            help="a public key whose signature counts (repeatable)",
        )


def run(args: argparse.Namespace) -> ExitStatus:
    """Carry out one verb."""
    verbs = {
        "list": _list,
        "show": _show,
        "new": _new,
        "lint": _lint,
        "test": _test,
        "diff": _diff,
        "sign": _sign,
        "verify": _verify,
        "pull": _pull,
    }
    return verbs[args.verb](args)


# -- reading and writing -----------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import bundled_policies, describe_policy, load_policy_of

    described = [
        describe_policy(load_policy_of(name, checks_guards=False)) | {"name": name}
        for name in bundled_policies()
    ]
    if args.json:
        print_json(described)
    else:
        rows = [
            (f"{each['name']}@{each['version']}", each["kind"], each["description"]) for each in described
        ]
        print_table(("policy", "kind", "what it does"), rows)
    return ExitStatus.OK


def _show(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import load_policy_of
    from verilabel.records.strict_yaml import load_strict_yaml

    read = load_policy_of(args.policy, checks_guards=False)
    if args.json:
        print_json({"digest": read.digest, "policy": load_strict_yaml(read.data, where=read.where)})
    else:
        print(read.data.decode("utf-8"), end="")
    return ExitStatus.OK


def _new(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import bundled_policies
    from verilabel.evidence.atomic import write_file
    from verilabel.gateway.policy.forms import nearest
    from verilabel.records.canonical import digest

    bundled = bundled_policies()
    if args.source not in bundled:
        hint = nearest(args.source, list(bundled))
        raise UsageError(f"no policy {args.source!r} comes with the program", hint=hint)
    data = bundled[args.source][1]
    write_file(args.out, data, overwrite=args.force)
    if args.json:
        print_json({"policy": str(args.out), "from": args.source, "digest": digest(data)})
    else:
        print(f"{args.out}: the policy {args.source}; change its name and version with what it says")
    return ExitStatus.OK


# -- checking ----------------------------------------------------------------------------------------------


def _lint(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import remarks_on
    from verilabel.gateway.policy.remark import mistakes_among

    name, digest, remarks = remarks_on(args.policy)
    wrong = len(mistakes_among(remarks))
    status = ExitStatus.MALFORMED if wrong else ExitStatus.OK
    if args.json:
        import msgspec

        print_json(
            {"name": name, "digest": digest, "remarks": msgspec.to_builtins(remarks), "status": int(status)}
        )
        return status
    for remark in remarks:
        word = "error" if remark.severity == "error" else "doubt"
        print(f"{word}: {plain(remark.message)} @ {plain(remark.where)}")
        if remark.hint:
            print(f"  hint: {plain(remark.hint)}")
    print(f"{plain(name)} ({digest}): {wrong} errors, {len(remarks) - wrong} doubts")
    return status


def _test(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import load_policy_of, try_policy

    read = load_policy_of(args.policy)
    tried = try_policy(read)
    failed = sum(1 for each in tried if not each.passed)
    status = ExitStatus.CHECK_FAILED if failed else ExitStatus.OK
    if args.json:
        results: list[dict[str, Any]] = [
            {"name": each.name, "passed": each.passed, "problems": list(each.problems)} for each in tried
        ]
        print_json({"policy": read.name, "digest": read.digest, "failed": failed, "tests": results})
        return status
    for each in tried:
        print(f"{'passed' if each.passed else 'FAILED'}  {plain(each.name)}")
        for problem in each.problems:
            print(f"        {plain(problem)}")
    print(f"{plain(read.name)}: {len(tried)} tests, {failed} failed")
    return status


def _diff(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import compare_policies_of, load_policy_of
    from verilabel.gateway.policy.difference import is_loosened

    old, new = load_policy_of(args.old), load_policy_of(args.new)
    changes = compare_policies_of(old, new)
    is_forbidden = args.forbid_loosening and is_loosened(changes)
    if args.json:
        import msgspec

        document = {"old": old.digest, "new": new.digest, "loosened": is_loosened(changes)}
        print_json({**document, "changes": msgspec.to_builtins(changes)})
    else:
        for change in changes:
            print(f"{change.kind:<9}  {plain(change.where)}: {plain(change.says)}")
        print(f"{plain(old.name)} to {plain(new.name)}: {len(changes)} changes")
    return ExitStatus.CHECK_FAILED if is_forbidden else ExitStatus.OK


# -- packs -------------------------------------------------------------------------------------------------


def _sign(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import load_policy_of, pack_kind_of
    from verilabel.cli.seal_options import open_signing_key
    from verilabel.evidence.atomic import write_file
    from verilabel.gateway.policy.packing import pack_policy

    read = load_policy_of(str(args.policy))
    key = open_signing_key(args)
    pack = pack_policy(read.data, key, where=read.where, kind=pack_kind_of(read.data))
    write_file(args.out, pack, overwrite=args.force)
    pinned = f"pack:{read.policy.policy}@{read.digest}"
    if args.json:
        print_json({"pack": str(args.out), "reference": pinned, "digest": read.digest, "signer": key.name})
    else:
        print(f"{args.out}: {plain(read.name)}, signed by {plain(key.name)}")
        print(f"pin it: policy: {pinned}")
    return ExitStatus.OK


def _verify(args: argparse.Namespace) -> ExitStatus:
    from verilabel.gateway.policy.packing import MAX_PACK_BYTES
    from verilabel.gateway.policy.reading import read_bounded

    data = read_bounded(args.pack, MAX_PACK_BYTES, "pack")
    pack = _verified(args, data, str(args.pack))
    if pack is None:
        raise UsageError("whose signature counts?", hint="--trust FILE, or --key-file FILE")
    _print_pack(args, pack, None)
    return ExitStatus.OK


def _verified(args: argparse.Namespace, data: bytes, where: str) -> Pack | None:
    """The pack, verified by what the options trust; None where they name nothing."""
    from verilabel.cli.policy_kinds import pack_kinds
    from verilabel.cli.seal_options import open_trust
    from verilabel.evidence.keys import load_public
    from verilabel.gateway.policy.packing import verify_pack

    keys: list[PublicKey] = [load_public(path) for path in args.key_file]
    trust = open_trust(args)
    if not keys and not trust:
        return None
    return verify_pack(data, where=where, trust=trust, keys=keys, kinds=pack_kinds())


def _pull(args: argparse.Namespace) -> ExitStatus:
    from verilabel.cli.policy_kinds import pack_kinds
    from verilabel.evidence.keys import home_folder
    from verilabel.gateway.policy.packing import keep_pack
    from verilabel.gateway.policy.pulling import fetch_pack
    from verilabel.records.canonical import is_digest

    if not is_digest(args.digest):
        raise UsageError("not a digest", where=f"--digest {args.digest[:100]}", hint="sha256: and 64 digits")
    data = fetch_pack(args.source)
    verified = _verified(args, data, args.source)
    pack, path = keep_pack(data, args.digest, home=home_folder(), where=args.source, kinds=pack_kinds())
    _print_pack(args, verified or pack, path)
    return ExitStatus.OK


def _print_pack(args: argparse.Namespace, pack: Pack, path: Path | None) -> None:
    reference = f"pack:{pack.name}@{pack.digest}"
    if args.json:
        print_json(
            {"name": pack.name, "version": pack.version, "digest": pack.digest, "reference": reference}
            | {"signers": list(pack.signers), "keyids": list(pack.keyids)}
            | ({} if path is None else {"kept": str(path)})
        )
        return
    signed = (
        f"signed by {', '.join(pack.signers)}"
        if pack.signers
        else "signature not checked: pinned by its digest"
    )
    print(f"{plain(pack.name)}@{plain(pack.version)} {pack.digest}, {plain(signed)}")
    if path is not None:
        print(f"kept: {path}")
        print(f"pin it: policy: {reference}")
