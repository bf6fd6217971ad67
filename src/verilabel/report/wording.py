"""The words of a report: statuses, levels, flags and figures as a reader who is no statistician needs them.

Wording follows label-semantics section 15: evidence supports a claim or does not; nothing is a verdict beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf

from verilabel.records.label import Status
from verilabel.report.training import AuditView, BenchmarkView, BoundView
from verilabel.report.view import Outlook, Place, RowView

STATUS_WORDS: dict[Status, str] = {
    "met": "met",
    "not_met": "not met",
    "undetermined": "undetermined",
    "not_assessed": "not assessed",
}
STATUS_SIGNS: dict[Status, str] = {"met": "✓", "not_met": "✕", "undetermined": "?", "not_assessed": "–"}

PAIR_SAYS = {
    "assurance": ("granted", "cannot exclude up to"),
    "hazard": ("established", "not ruled out up to"),
}
PLACE_SAYS: dict[str, dict[Place, str]] = {
    "assurance": {"held": "granted", "open": "not excluded", "beyond": "shown not to be met"},
    "hazard": {"held": "established", "open": "not ruled out", "beyond": "ruled out"},
}
TEST_SAYS = {
    "when": "granted when",
    "rule_in": "established when",
    "rule_out": "ruled out when",
}
LEVEL_SAYS = {
    "V0": "No valid signature, log entry and validity stand behind it together.",
    "V1": "A named key signed it and the plan was logged before the run; the numbers were not derived again.",
    "V2": "The reader's own machine derived counts, bounds and label again from the signed records.",
    "V2s": "The reader's own machine derived counts, bounds and label again from the signed records, of which some are "
    "withheld.",
    "V3": "An independent party asked the same questions again and came to a label that contains this one.",
    "V4": "Replicated, with signed statements on training data and on the suites in it, on judges where they score, on "
    "elicitation and governance; and nobody whose word counts disputes it.",
}
LEVEL_LIMITS = {
    "V0": "It does not say that the label is wrong; it says that nothing here shows it to be right.",
    "V1": "It does not say that the number is right.",
    "V2": "It does not say that the records are honest.",
    "V2s": "It does not say that the records are honest, nor that what is withheld is what its scores say.",
    "V3": "It does not say that the suite measures the risk.",
    "V4": "It does not say that the system does no harm. An audit's root proves what was audited, not what the model "
    "was trained on.",
}
FLAG_SAYS = {
    "current": "The label is within the time for which it was signed.",
    "expired": "The time for which the label was signed is over.",
    "not_yet_valid": "The label is not in force yet at the time of reading.",
    "unwitnessed": "No independent witness has cosigned the log, so its keeper alone vouches for its order.",
    "signer_unpinned": "No trust policy was given: the signature proves that nothing changed, not who signed.",
    "log_unpinned": "No trust policy names the log's key.",
    "trust_accepts_any_key": "The trust policy accepts every key: the signature says only that someone signed.",
    "served_model_varied": "The provider served more than one model or fingerprint during the run.",
    "judge_asked_again": "A judge was asked again about an answer that it had judged already.",
    "detector_unknown": "The issuer alone says what a detector looks for: this program has none of its name.",
    "suite_unknown": "A suite does not come with this program: have it at hand to see what was asked.",
    "responses_set_aside": "Responses that had come were recorded as failures and asked for again; `verify --rescore` "
    "looks at what they held.",
    "errors_stated": "A detector's measured errors are stated by the issuer: they are not the ones that it ships with.",
    "reference_not_recomputed": "The reference system's counts are taken from the plan; its own bundle was not given.",
    "keyless": "A Sigstore identity that the trust policy names signed the same statement.",
    "keyless_unchecked": "A Sigstore signature is enclosed, and was not checked: the policy names no identity that "
    "made it, or the extra `sigstore` is not installed.",
    "timestamped": "A time-stamp authority that the trust policy names saw the label.",
    "timestamp_unchecked": "A time stamp is enclosed, and was not checked: the policy names no authority, or the extra "
    "`timestamps` is not installed.",
    "unknown_cosignatures": "The log carries cosignatures of witnesses that the trust policy does not name.",
    "judge_uncertified": "A detector's error was measured on fewer than 100 human-labelled outputs of the kind that "
    "matters, or on fewer than the rubric asks.",
    "judge_adjusted": "The threshold was tightened for the detector's measured error before it was compared.",
    "finite_pool": "Answers were drawn without replacement from a pool of fixed outcomes, and bounded as such.",
    "clustered": "Paraphrases of one question count as one family, never as independent answers.",
    "reference": "The threshold is relative to a reference system, whose own uncertainty is part of the test.",
    "unlisted_settings": "Counts of settings that the rubric does not list were reported and not used.",
    "contradictory_rows": "Rows of this label contradict each other; the wider reading was taken.",
    "sealed_records": "Some answers are withheld: commitments stand in their place, and their owner can open them one "
    "by one.",
    "disputed": "Somebody whose word counts disputes this label; without a trust policy, anybody's does.",
    "revoked": "Whoever signed the label withdrew it: it is not in force.",
    "superseded": "Whoever signed the label withdrew it for another that takes its place.",
    "imported": "Another tool asked the questions; its answers were imported, not observed.",
    "self_attested": "A finding that the label leans on was signed with the key of the label itself.",
    "self_audited": "An audit or a finding that counts was signed by whoever signed the label itself.",
    "contaminated": "An audit that counts found items of the label's own suites in the training data.",
    "attestor_unpinned": "No trust policy says whose key signed a finding that the label leans on.",
    "replication_recomputed": "The comparison with the replica was derived again from both bundles.",
    "identity:weights": "The model is identified by the digest of its weights.",
    "identity:provider_asserted": "The provider says which model answered; nothing else shows it.",
    "identity:fingerprinted": "The model was recognised by how it answers, not by its weights.",
    "identity:recorded": "Recorded answers were judged; no model was asked.",
    "identity:simulated": "A simulated model with known rates was judged, to test the method.",
}
BADGE_SAYS = {
    "revoked": {
        "sign": "✕",
        "tone": "against",
        "word": "Withdrawn by its issuer",
        "says": "on {dates}",
    },
    "superseded": {
        "sign": "✕",
        "tone": "against",
        "word": "Superseded",
        "says": "withdrawn by its issuer on {dates} for another label",
    },
    "contaminated": {
        "sign": "!",
        "tone": "open",
        "word": "Suites in the training data",
        "says": "an audit found items of the label's own suites",
    },
    "disputed": {"sign": "!", "tone": "open", "word": "Disputed", "says": "by {signers}"},
    "imported": {
        "sign": "→",
        "tone": "note",
        "word": "Imported, not observed",
        "says": "another tool asked the questions",
    },
    "sealed_records": {
        "sign": "■",
        "tone": "note",
        "word": "Records sealed",
        "says": "commitments stand in the place of some records",
    },
}
"""Flags that stand beside the level on the card, in this order; `says` takes the signers and dates of the statements
that raised the flag."""
STATEMENT_SAYS = {
    "replication": "Replication",
    "dispute": "Dispute",
    "withdrawal": "Withdrawal",
    "finding": "Finding",
    "audit": "Training-data audit",
}
VERDICT_SAYS = {
    "replicated": "replicated",
    "not_replicated": "not replicated",
    "underpowered": "underpowered: too few answers to tell",
}
CONFIRMATION_SAYS = {
    "confirmed": "its own label confirms the level",
    "contradicted": "its own label contradicts the level",
    "undetermined": "its own label leaves the level open",
}
GROUND_SAYS = {
    "evidence": "the evidence",
    "scoring": "the scoring",
    "method": "the method",
    "scope": "the scope",
    "conduct": "the conduct",
    "other": "something else",
}
WITHDRAWAL_SAYS = {
    "label": "the label is withdrawn",
    "replaced": "the label is withdrawn for another that takes its place",
    "statement": "a statement is withdrawn",
}
STATEMENT_TEXT_SAYS = {
    "replication": "How its signer is independent, in the signer's words",
    "dispute": "The objection, in its signer's words",
    "withdrawal": "The reason, in its signer's words",
    "finding": "The finding, in its signer's words",
    "audit": "What the data are, in the signer's words",
}
STATEMENT_FACT_SAYS = {
    "replica_label": "Its own label",
    "replica_statement": "Digest of that label",
    "margin": "Margin",
    "differing": "The systems differ in",
    "rows": "Rows",
    "evidence": "Points to",
    "about": "Takes back",
    "superseded_by": "In its place",
    "valid_until": "Valid until",
}
MARGIN_SAYS = "{margin}, at an error level of {alpha}"
FINDING_SAYS = "{name}, as {role}"
RELATION_SAYS = {
    "audited": "a data set was audited",
    "declared-training-data": "training data of this system, as the signer declares",
    "declared-fine-tuning-data": "fine-tuning data of this system, as the signer declares",
}
TRAINING_SAYS = (
    "What audits read of the data that the system was trained on. An audit's root proves what was audited, not what "
    "the model was trained on: that stands on its signer's word, and so do the figures."
)
TRAINING_LIMITS = (
    "That the model was trained on these data, and on no others, is declared and not shown.",
    "A suite that was not found can still be there in other words: an audit finds what its checks look for.",
    "Bounds hold at the audit's confidence, for the documents that were read.",
)
AUDIT_FACT_SAYS = {
    "read": "Read",
    "audited": "Audited",
    "signer": "Signed by",
    "valid_until": "Valid until",
    "checks": "Checks",
    "confidence": "Confidence",
    "dataset_root": "Root of the data set",
    "manifest": "Manifest of the audit",
    "benchmarks": "Benchmarks in the data",
    "bounds": "How often, at most",
    "canaries": "Planted values that were found",
    "figures": "Its figures",
}
AUDIT_COLUMNS = {
    "benchmarks": ("Benchmark", "Found", "Looked for", "Items found", "In documents"),
    "bounds": ("Kind", "Documents found", "At most, in a million", "Looked at", "By"),
    "canaries": ("Kind", "Found", "Planted"),
}
READ_SAYS = (
    "{read} of {documents} documents, {bytes} bytes of text, in {shards} shards; {unread} could not be read"
)
UNKNOWN_SAYS = "; at {unknown} places nobody can know how many more"
LOOKED_AT_SAYS = {"census": "every one that was read: {count}", "sampled": "a sample of {count}"}
BENCHMARK_SAYS = {
    "own_missing": "a suite of this label: not looked for",
    "own_part": "a suite of this label of {samples} samples: not all were looked for",
    "own_found": "a suite of this label: found",
    "own_none": "a suite of this label: not found",
    "found": "found",
    "none": "not found",
    "unchecked": "; {unchecked} items cannot be told from chance",
}
STATEMENTS_SAY = (
    "Replications, disputes, withdrawals, findings and audits are files of their own, each signed by whoever makes it. "
    "All of these are genuine. Whether one counts follows from the trust policy and from the statement itself."
)
COMPARED_HEADINGS = ("Measure", "Found", "Items", "In the label", "In the replica", "Difference, bounds")
LOGGED_SAYS = {"yes": "logged", "no": "not in a log that counts"}
SIGNER_SAYS = {
    "own": "the key of the label itself",
    "named": "so named by the trust policy",
    "anyone": "the trust policy takes any key and does not say whose this one is",
    "unnamed": "so the key calls itself; no trust policy vouches for the name",
}
COUNTS_SAYS = {"yes": "counts", "no": "does not count"}
NOT_JUDGED_SAYS = "{count} enclosed and not judged: the check ended before it came to them."
WARNING_SAYS = {
    "not_in_force": "This label is not in force.",
    "statement": "A statement about this label is not genuine.",
    "not_derived": "The label does not follow from the evidence.",
    "changed": "This bundle is not what was sealed.",
}
CLAIMS_SAYS = "What follows is what it claims, not what was found."
VALIDITY_SAYS = {
    "unsigned": "no validity: it is not signed",
    "expired": "expired on {until}",
    "withdrawn": "withdrawn by its issuer",
    "not_yet_valid": "not valid before {issued}",
    "current": "current until {until}",
    "unchecked": "says it is valid until {until}; not checked",
}
IDENTITY_SAYS = {
    "weights": "identified by its weights",
    "provider_asserted": "identity asserted by its provider",
    "fingerprinted": "recognised by its answers",
    "recorded": "recorded answers",
    "simulated": "a simulated model",
}
EVENT_SAYS = {
    "harmful": ("harmful answers", "answers not found harmful"),
    "refused": ("refusals", "answers that do not refuse"),
    "correct": ("correct answers", "answers that are not correct"),
    "matched": ("matching answers", "answers that do not match"),
    "attack_succeeded": ("successful attacks", "attacks that failed"),
}
FAILURE_SAYS = {
    "timeout": "no answer in time",
    "connection": "no connection",
    "rate_limited": "the provider asked to wait",
    "server_error": "the provider's own error",
    "unauthorized": "the key was refused",
    "not_found": "unknown model or address",
    "bad_request": "the request was refused",
    "malformed": "a response that cannot be read",
    "truncated": "an answer cut short",
    "too_large": "a response beyond the limit",
    "empty": "an empty answer",
    "filtered": "withheld by the provider's filter",
    "missing": "no recorded answer",
}
WITHHELD_SAYS = "Withheld. The bundle holds a commitment in its place, which its owner can open."
WITHHELD_GAP_SAYS = (
    "Commitments stand in their place. They are counted by the scores that stand beside them; what was asked and "
    "answered shows only when their owner opens it."
)


def say_flag(flag: str) -> str:
    """What a flag means."""
    return FLAG_SAYS.get(flag, "A flag that this version has no words for.")


def say_list(items: Sequence[str]) -> str:
    """Different items in their order: `A`, `A and B`, `A, B and 3 others`."""
    different = list(dict.fromkeys(items))
    if len(different) > 3:
        different = [*different[:2], f"{len(different) - 2} others"]
    return " and ".join(filter(None, (", ".join(different[:-1]), *different[-1:])))


def say_event(event: str, *, negated: bool) -> str:
    """What is counted, in words."""
    present, absent = EVENT_SAYS.get(event, (f"answers with “{event}”", f"answers without “{event}”"))
    return absent if negated else present


def say_failure(kind: str) -> str:
    """A failure's kind in words."""
    return f"{kind} ({FAILURE_SAYS[kind]})" if kind in FAILURE_SAYS else kind


def say_percent(value: float | str | None) -> str:
    """A rate as a percentage with as many digits as tell something: 0 %, 0.74 %, 12.3 %."""
    if value is None:
        return "–"
    percent = float(value) * 100
    if percent in (0.0, 100.0):
        return f"{percent:.0f}\u202f%"
    digits = 3 if percent < 0.1 else 2 if percent < 10 or percent > 99 else 1
    return f"{percent:.{digits}f}\u202f%"


def say_threshold(op: str | None, threshold: str | None) -> str:
    """A row's threshold, `<= 0.03` as `≤ 3 %`; relative ones as they are written."""
    sign = {"<=": "≤", ">=": "≥"}.get(op or "", op or "")
    try:
        rate = float(threshold or "")
    except ValueError:
        return f"{sign} {threshold or ''}".strip()
    text = f"{rate * 100:.4f}".rstrip("0").rstrip(".")
    return f"{sign}\u00a0{text}\u202f%"


def say_number(value: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def say_read(audit: AuditView) -> str:
    """How much of a data set was read."""
    more = UNKNOWN_SAYS.format(unknown=say_number(audit.unknown)) if audit.unknown else ""
    read = READ_SAYS.format(
        read=say_number(audit.documents_read),
        documents=say_number(audit.documents),
        bytes=say_number(audit.bytes_text),
        shards=say_number(audit.shards),
        unread=say_number(audit.documents_unread),
    )
    return read + more


def say_looked_at(bound: BoundView) -> str:
    """At how many documents a bound looked."""
    return LOOKED_AT_SAYS[bound.basis].format(count=say_number(bound.looked_at))


def say_bound(per_million: str) -> str:
    """A bound with as many places as tell something; rounded up."""
    whole, _, places = per_million.partition(".")
    if len(whole) > 1 and places:
        return say_number(int(whole) + 1)
    return say_number(int(whole)) if not places else per_million


def say_benchmark(benchmark: BenchmarkView) -> str:
    """Whether a benchmark was found in the data."""
    found = "found" if benchmark.items_matched else "none"
    more = ""
    if benchmark.unchecked:
        more = BENCHMARK_SAYS["unchecked"].format(unchecked=say_number(benchmark.unchecked))
    if benchmark.samples is None:
        return BENCHMARK_SAYS[found] + more
    if not benchmark.items:
        return BENCHMARK_SAYS["own_missing"]
    kind = f"own_{found}" if benchmark.items == benchmark.samples else "own_part"
    return BENCHMARK_SAYS[kind].format(samples=say_number(benchmark.samples)) + more


def say_log(text: str | None) -> str:
    """A logarithm to one decimal; infinities as such."""
    if text is None:
        return "–"
    value = float(text)
    return ("∞" if value > 0 else "−∞") if isinf(value) else f"{value:.1f}".replace("-", "−")


def say_outlook(outlook: Outlook | None, *, design: str, upwards: bool) -> str | None:
    """How many more answers it would take, in one sentence."""
    if outlook is None:
        return None
    favour = "each shows the event" if upwards else "none shows the event"
    if outlook.best_case is None:
        best = "No further answers would meet it, not even a million that are all favourable"
    else:
        best = f"Met after {say_number(outlook.best_case)} more answers if {favour}"
    if outlook.at_rate is None:
        rate = "at the rate so far it would stay open"
    else:
        status = STATUS_WORDS[outlook.at_rate_status or "undetermined"]
        rate = f"at the rate so far, {status} after about {say_number(outlook.at_rate)} more"
    left = (
        f"the plan allowed {say_number(outlook.left_in_plan)} more"
        if outlook.left_in_plan
        else "the plan is used up"
    )
    if design == "fixed":
        left = "a fixed plan cannot be extended, so this means a new one"
    return f"{best}; {rate}; {left}."


def say_row(row: RowView) -> str:
    """A row's figures in one sentence."""
    if row.attested is not None:
        return "An attestation, signed by a person, not a measurement."
    if not row.n:
        return row.reason or "No answers."
    missing = f", {say_number(row.missing)} missing" if row.missing else ""
    return (
        f"{say_number(row.events)} {row.counted} of {say_number(row.n)}{missing}; "
        f"rate {say_percent(row.rate)}, bounds {say_percent(row.lower)} to {say_percent(row.upper)}"
    )
