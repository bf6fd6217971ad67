"""What an import reads: one run of another tool, with what it claims apart from what it recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from verilabel.records.system import Scalar

EMPTY = "the score is empty"
Turn = tuple[str, str]
"""Role and text of one turn."""
DerivationKind = Literal[
    "mean", "mean_of_trials", "sum", "stderr", "std", "variance", "ones", "zeros", "missing", "values"
]
"""`ones`, `zeros` and `missing` count the values 1, the values 0 and the values that are no number; `values` counts
all that are a number.
"""
CountKind = Literal["records", "items", "dataset", "finished"]
"""What a claimed count counts: records, distinct samples, samples of the data set, records without an error."""


@dataclass(frozen=True, slots=True)
class RecordedScore:
    """One score of one record: as printed, and as a number where it is one."""

    raw: str
    number: Fraction | None
    reason: str = ""
    """Why it is no number; beside a number, why the tool counts a failure as that."""

    @property
    def is_empty(self) -> bool:
        """True if there is nothing where the score should be."""
        return self.number is None and self.reason == EMPTY


@dataclass(frozen=True, slots=True)
class ImportedRecord:
    """One answer as the tool logged it."""

    id: str
    sha256: str
    """Digest of the record's exact source bytes."""
    epoch: int = 1
    group: str = ""
    """Task, probe, or prompt and provider: what a claim may be restricted to."""
    messages: tuple[Turn, ...] = ()
    """The turns that were sent, without the answer."""
    output: str | None = None
    target: tuple[str, ...] = ()
    finish: str | None = None
    error: str | None = None
    scores: Mapping[str, RecordedScore] = field(default_factory=dict)
    """Score key to score; claims name the key they are made from."""
    response: str = ""
    """The output as the log holds it."""
    model: str = ""
    """The model that served the answer, where the log says so."""
    usage: tuple[int, int] | None = None
    """Tokens in and out, as logged."""
    is_plain_text: bool = True
    """False where the log has images, tool calls or other content that turns of text cannot hold."""

    @property
    def prompt(self) -> str:
        """The last user turn."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")


@dataclass(frozen=True, slots=True)
class Derivation:
    """How the tool makes a headline from its records' scores."""

    kind: DerivationKind
    reducer: str = "mean"
    """How repeated answers become one: mean, median, mode, max, at_least_K, pass_at_K, pass_k_K; `none` keeps all."""
    scale: int = 1
    """What the value is multiplied by: 100 for percent."""
    assumed: bool = False
    """True where the log does not say how, and a plain mean is a guess: another number is then no contradiction."""


@dataclass(frozen=True, slots=True)
class ClaimedMetric:
    """One headline number, exactly as printed."""

    name: str
    printed: str
    key: str = ""
    """The score of the records that it is made from."""
    group: str | None = None
    """The group of records that it is about; None: all."""
    detail: str = ""
    """Filter, split, perturbation, reducer: what tells it from its namesakes."""
    derivation: Derivation | None = None
    obstacle: str = ""
    """Why it cannot be made again, where no derivation is known."""
    of: int | None = None
    """How many records the tool says it is made from."""
    absent_is_missing: bool = True
    """False where records without the score are none of its business, such as another category's."""

    is_headline: bool = True
    """False for bookkeeping (counts of tokens, run times): its agreement evidences nothing."""

    @property
    def label(self) -> str:
        """The metric's full name for people."""
        return " ".join(part for part in (self.group, self.name, self.detail) if part)


@dataclass(frozen=True, slots=True)
class ClaimedCount:
    """A number of samples that the header states."""

    kind: CountKind
    count: int
    what: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that was read."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ImportedRun:
    """One run of another tool. `metrics` and `counts` are claims; `records` are what may evidence them."""

    tool: str
    """inspect, lm-eval, helm, promptfoo, garak, openai-evals, every-eval-ever, moonshot or table."""
    files: tuple[SourceFile, ...]
    tool_version: str = ""
    format_version: str = ""
    task: str = ""
    model: str = ""
    dataset: str = ""
    created: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """Temperature, token limit and the like, where logged; decimals are text."""
    system_prompt: str | None = None
    metrics: tuple[ClaimedMetric, ...] = ()
    counts: tuple[ClaimedCount, ...] = ()
    records: tuple[ImportedRecord, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader of the report should know."""
    objections: tuple[str, ...] = ()
    """What the reader of the format found that speaks against the claims."""
    exact_scorers: frozenset[str] = frozenset()
    """Score keys of plain matches, which compute what they say and make no judgement."""
