"""Catalogues of published frameworks, and crosswalks between them: data with sources, read strictly.

  list       the catalogues and crosswalks that come with the program
  show       a catalogue's items, and what of a bundle could speak to each
  crosswalk  how one framework's items relate to another's; a file is checked while it is read

A crosswalk says "supports" or "intersects with", with a reason, and what else is needed. It never says that anything
complies with anything. `check` is auto where a tool can tell, hybrid where it helps a person, person elsewhere.

examples:
  verilabel frameworks list
  verilabel frameworks show nist-ai-rmf
  verilabel frameworks show eu-gpai-cop-safety-security --json
  verilabel frameworks crosswalk verilabel-bundle--nist-ai-rmf
  verilabel frameworks crosswalk my-crosswalk.yaml
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from verilabel.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from verilabel.frameworks.catalogue import Catalogue

SUMMARY = "catalogues of published frameworks, and crosswalks between them"


def configure(parser: ArgumentParser) -> None:
    """Add the verbs of `verilabel frameworks`."""
    from verilabel.cli.console import add_json_flag

    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|crosswalk")
    for verb, argument, meaning in (
        ("list", "", "the catalogues and crosswalks that come with the program"),
        ("show", "framework", "a catalogue's items: a bundled id or a file"),
        ("crosswalk", "crosswalk", "the rows of a crosswalk: a bundled id or a file"),
    ):
        sub = verbs.add_parser(verb, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
        if argument:
            sub.add_argument(argument, metavar="ID|FILE")
        add_json_flag(sub)


def run(args: Namespace) -> ExitStatus:
    """Carry out one verb."""
    {"list": _list, "show": _show, "crosswalk": _crosswalk}[args.verb](args)
    return ExitStatus.OK


def find_end(framework: str) -> Catalogue | None:
    """A bundled catalogue by its id, or a bundled rubric seen as one; None where there is neither.

    A rubric's items are its measures, levels and attestations: `measure:harm.direct`, `level:L1`.
    """
    from verilabel.frameworks.catalogue import Catalogue, FrameworkSource, Item, bundled_catalogue
    from verilabel.rubric.model import find_rubric

    if (catalogue := bundled_catalogue(framework)) is not None:
        return catalogue
    if not framework.startswith("verilabel/"):
        return None
    try:
        rubric = find_rubric(framework)
    except UsageError:
        return None
    items = [
        *(Item(f"measure:{name}", "measure", measure.title) for name, measure in rubric.measures.items()),
        *(Item(f"level:{level.id}", "level", level.name) for level in rubric.scale.levels),
        *(Item(f"attestation:{name}", "attestation") for name in rubric.attestations),
    ]
    return Catalogue(
        id=rubric.id,
        version=rubric.version,
        title=rubric.title,
        last_checked="2026",
        source=FrameworkSource(rubric.title, f"urn:{rubric.id}", rubric.stewards[0].name),
        items=tuple(items),
    )


def _list(args: Namespace) -> None:
    from verilabel.cli.console import print_json, print_table
    from verilabel.frameworks.catalogue import bundled_catalogues
    from verilabel.frameworks.crosswalk import bundled_crosswalk_paths, load_crosswalk

    catalogues = bundled_catalogues()
    crosswalks = [load_crosswalk(p.read_bytes(), p.name, find_end) for p in bundled_crosswalk_paths()]
    if args.json:
        print_json(
            {
                "catalogues": [
                    {
                        "id": c.id,
                        "version": c.version,
                        "title": c.title,
                        "items": c.kinds(),
                        "last_checked": c.last_checked,
                        "uri": c.source.uri,
                    }
                    for c in catalogues
                ],
                "crosswalks": [{"id": c.id, "version": c.version, "rows": len(c.rows)} for c in crosswalks],
            }
        )
        return
    rows = [(c.name, _say_kinds(c), c.last_checked, c.title) for c in catalogues]
    print_table(("framework", "items", "last checked", "title"), rows)
    print()
    print_table(
        ("crosswalk", "from", "to", "rows"),
        [(c.id, c.source.id, c.target.id, len(c.rows)) for c in crosswalks],
    )


def _say_kinds(catalogue: Catalogue) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in catalogue.kinds().items())


def _show(args: Namespace) -> None:
    import msgspec

    from verilabel.cli.console import plain, print_json, print_table
    from verilabel.frameworks.catalogue import find_catalogue

    catalogue = find_catalogue(args.framework)
    if args.json:
        print_json(msgspec.to_builtins(catalogue))
        return
    source = catalogue.source
    print(plain(f"{catalogue.name}: {catalogue.title} ({_say_kinds(catalogue)})"))
    print(plain(f"{source.publisher}: {source.title}. {source.uri}. last checked {catalogue.last_checked}"))
    if catalogue.note:
        print(plain(catalogue.note))
    print()
    rows = [
        tuple(plain(text or "") for text in (item.id, item.kind, item.check, item.title, item.evidence))
        for item in catalogue.items
    ]
    print_table(("id", "kind", "check", "title", "evidence"), rows)


def _crosswalk(args: Namespace) -> None:
    import msgspec

    from verilabel.cli.console import plain, print_json, print_table
    from verilabel.frameworks.crosswalk import find_crosswalk

    crosswalk = find_crosswalk(args.crosswalk, find_end)
    target = find_end(crosswalk.target.id)
    assert target is not None, "the crosswalk was checked against it"
    uncovered = crosswalk.uncovered(target)
    if args.json:
        document = msgspec.to_builtins(crosswalk)
        print_json({**document, "uncovered": list(uncovered)})
        return
    print(plain(f"{crosswalk.id}@{crosswalk.version}: {crosswalk.source.id} to {crosswalk.target.id}"))
    print(
        plain(f"method: {crosswalk.method}; reviewed by {', '.join(r.name for r in crosswalk.reviewed_by)}")
    )
    print()
    rows = [
        (
            plain(row.source),
            row.relation.replace("_", " "),
            plain(row.target),
            row.strength or "-",
            plain(row.why + (f" Also needed: {', '.join(row.needs)}." if row.needs else "")),
        )
        for row in crosswalk.rows
    ]
    print_table(("from", "relation", "to", "strength", "why"), rows)
    print()
    print(
        plain(
            f"{len(uncovered)} of {len(target.items)} items have no row here: {', '.join(uncovered) or 'none'}"
        )
    )
