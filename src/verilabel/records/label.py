"""The label: always a pair, with every row that led to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from verilabel.errors import MalformedInput
from verilabel.records.canonical import jcs
from verilabel.records.plan import Design, RubricReference

Status = Literal["met", "not_met", "undetermined", "not_assessed"]


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One leaf of one level's rule: what was measured, against what, and what that decides.

    Decimals are strings rounded outward to 6 places; alphas are exact fractions such as `1/40`.
    """

    status: Status
    measure: str | None = None
    attested: str | None = None
    op: str | None = None
    threshold: str | None = None
    """The rubric's, as a plain decimal: `0.03`, or `3 x reference`."""
    n: int = 0
    events: int = 0
    missing: int = 0
    rate: str | None = None
    """events / n to 6 places, half-even: a description, never what is decided on."""
    lower: str | None = None
    upper: str | None = None
    """One-sided bounds of the rate of events: `upper` at the level for met, `lower` at the level for not met.

    The other way round for `>=` and `>`.
    """
    alpha_met: str | None = None
    alpha_not_met: str | None = None
    tested_met: str | None = None
    """The threshold after judge error, margin or reference: what the bound was compared with for met."""
    tested_not_met: str | None = None
    log_e_met: str | None = None
    """Natural log of the e-value against 'not met', rounded down to 6 places (anytime design)."""
    log_e_not_met: str | None = None
    log_needed: str | None = None
    """What `log_e_met` must reach, rounded up to 6 places, where evidence decides: ln(1/level).

    The level is alpha_met, less what the judge's error (a fifth) or a reference (half) takes of it.
    """
    reason: str | None = None
    flags: tuple[str, ...] = ()
    """judge_uncertified, judge_adjusted, finite_pool, clustered, reference."""


class Branch(
    msgspec.Struct,
    frozen=True,
    tag_field="node",
    tag="branch",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """An inner node: at least `need` of its children."""

    status: Status
    need: int
    children: tuple[Branch | Leaf, ...]


class Leaf(msgspec.Struct, frozen=True, tag_field="node", tag="row", forbid_unknown_fields=True):
    """A node that is a row, by its index in the level's `rows`."""

    row: int


class LevelResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One level's rule evaluated. `test` is `when` (assurance), `rule_in` or `rule_out` (hazard)."""

    level: str
    name: str
    test: Literal["when", "rule_in", "rule_out"]
    status: Status
    rows: tuple[Row, ...]
    tree: Branch | Leaf | None = None


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The pair a scale gives (label-semantics section 3). Neither half is ever printed without the other.

    assurance: `granted` is `lower`, `cannot_exclude_up_to` is `upper`.
    hazard: `established` is `lower`, `not_ruled_out` is `upper`.
    """

    rubric: RubricReference
    kind: Literal["assurance", "hazard"]
    design: Design
    lower: str
    lower_name: str
    upper: str
    upper_name: str
    levels: tuple[LevelResult, ...]
    scale: tuple[str, ...]
    """All level ids, lowest first."""
    format: Literal["verilabel/label/v1"] = "verilabel/label/v1"
    flags: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The label as a JSON document, with the field's own words for the pair."""
        document: dict[str, object] = msgspec.to_builtins(self)
        low, high = PAIR_WORDS[self.kind]
        for old, new in (("lower", low), ("upper", high)):
            document[new] = {"id": document.pop(old), "name": document.pop(f"{old}_name")}
        return {"format": self.format, **document}

    def bytes(self) -> bytes:
        """The canonical bytes of the label: two implementations agree on them to the byte."""
        return jcs(self.document())

    @property
    def sentence(self) -> str:
        """The pair in words, for example `L2 Guarded, cannot exclude L3 Robust`."""
        low, high = f"{self.lower} {self.lower_name}", f"{self.upper} {self.upper_name}"
        if self.kind == "assurance":
            return f"{low} granted, cannot exclude up to {high}"
        return f"{low} established, {high} not ruled out"


PAIR_WORDS = {"assurance": ("granted", "cannot_exclude_up_to"), "hazard": ("established", "not_ruled_out")}


def parse_label(document: Mapping[str, Any]) -> Label:
    """A label from its JSON document. Raises MalformedInput for a document that is not one."""
    fields = dict(document)
    try:
        for old, new in zip(("lower", "upper"), PAIR_WORDS[fields["kind"]], strict=True):
            half = fields.pop(new)
            fields[old], fields[f"{old}_name"] = half["id"], half["name"]
        label = msgspec.convert(fields, Label)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise MalformedInput(f"not a label: {error}", where="results/label.json") from error
    if label.bytes() != jcs(dict(document)):
        raise MalformedInput("the label's document has a form of its own", where="results/label.json")
    return label
