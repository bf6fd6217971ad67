"""The words of an audit's page. Nothing that was not found is called absent, and no bound is called a count."""

from __future__ import annotations

from decimal import Decimal

from verilabel.audit.bounds.statements import Statement
from verilabel.audit.exporting.found import Rate, is_bounded, say_share
from verilabel.audit.proof.manifest import Coverage
from verilabel.report.wording import say_number, say_percent

THIN = "\u202f"
FAMILY_SAYS = {
    "pii": "Personal data",
    "secret": "Secrets",
    "licence": "Licences",
    "copyright": "Copyright notices",
    "use": "Terms on use",
    "contamination": "Benchmark items",
    "toxic": "Words that insult",
}
FAMILY_LEADS = {
    "pii": "Addresses and numbers of people and of their machines, by their written forms.",
    "secret": "Keys, tokens and passwords. Whether one still opens anything was not tried.",
    "licence": "Texts, notices and names of licences. That a document names a licence does not put it under it.",
    "copyright": "Notices and reservations of rights.",
    "use": "Statements against use for training, and pages shown in part to those who have not paid.",
    "contamination": "Stretches of text that are a benchmark item's words; each benchmark is below.",
    "toxic": "Words and phrases of a list. A list knows words, not meaning.",
}
RULE_SAYS = {
    "whole": "the whole question",
    "ngram13": "13 words in a row",
    "ngram8": "runs of 8 words in order",
    "short": "a short question, whole: maybe a common phrase",
    "content": "runs of content words in order",
}
CLASS_NONE = "no licence found"
LANGUAGE_NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "ca": "Catalan", "cs": "Czech",
    "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "eo": "Esperanto",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian",
    "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean",
    "la": "Latin", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi",
    "ms": "Malay", "mt": "Maltese", "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian",
    "pa": "Punjabi", "pcm": "Nigerian Pidgin", "pl": "Polish", "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sk": "Slovak", "sl": "Slovene", "so": "Somali", "sq": "Albanian", "sr": "Serbian",
    "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese", "xh": "Xhosa", "yo": "Yoruba",
    "yue": "Cantonese", "zh": "Chinese", "zu": "Zulu", "zxx": "no language: numbers, tables, code",
    "none": "too short to tell",
}  # fmt: skip
FOUND_LEAD = (
    "Every document that was read was searched. A count is what was found; the mark beside it reaches to the most "
    "that may be there, {sure} sure for each kind by itself, given how many planted values the audit missed. Recall "
    "and precision were measured before, on sets with known answers: the worst and the best of them. {clean}"
)
SOURCES_LEAD = (
    "In how many documents of each shard and host something was found. One document may count in several "
    "columns."
)
EXAMPLES_LEAD = (
    "A few findings of each kind, chosen by their place and by nobody, and masked. They are text of the corpus: "
    "whoever wrote it could write anything."
)
CANARIES_LEAD = (
    "Before the audit, values of each form were planted in copies of this corpus' own documents, and searched for "
    "with the same checks. The worst form of a kind is what its bound rests on. It says nothing of forms that were "
    "not planted."
)
CONTAMINATION_LEAD = (
    "Items of benchmarks that stand in documents, by the strongest match of each. An item that was not found may be "
    "there in other words."
)
DUPLICATES_LEAD = (
    "Clusters name documents that repeat one another. That is no judgement: which should go is the reader's to "
    "say."
)
LICENCES_LEAD = (
    "What documents say of themselves, by the first licence found in each. A document without one is not free to "
    "use: its terms are unknown."
)
LANGUAGES_LEAD = (
    "By a model over the first thousand bytes of each document; of several languages one is named."
)
ORIGIN_LEAD = "As the sources say, by their columns of addresses and dates. Nothing of it was checked."
SAMPLE_LEAD = (
    "What is too costly for every document was asked of {drawn} of {population}, chosen by their content, so that "
    "nobody could choose them. {looked_at} of their {characters} characters were looked at."
)
LIMITS_LEAD = (
    "What each check does not find, in its own words, and the digest of everything that decides its findings."
)
PROOF_LEAD = (
    "Whoever has the folder can check that counts follow from records, records from their root, and bounds from "
    "counts. Whoever has documents as well can check that the records are true of them."
)


def say_bytes(size: int) -> str:
    """A size in the unit that gives it one to three digits before the point."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f}{THIN}{unit}"
    return f"{size}{THIN}bytes"


def say_count(count: int, singular: str, plural: str) -> str:
    """A number and the word for it."""
    return f"{say_number(count)} {singular if count == 1 else plural}"


def say_most(statement: Statement) -> str:
    """The bound per million, or that there is none."""
    return say_number(statement.upper_per_million) if is_bounded(statement) else "no bound"


def say_range(rate: Rate | None) -> str:
    """A measured rate as the page writes it."""
    if rate is None:
        return "–"
    lowest, highest = (say_share(share).replace(" ", THIN) for share in (rate.lowest, rate.highest))
    return lowest if lowest == highest else f"{lowest.removesuffix(THIN + '%')}–{highest}"


def say_part(count: int, whole: int) -> str:
    """A count's share; a dash where there is nothing to share."""
    return say_percent(count / whole) if whole else "–"


def say_read_share(coverage: Coverage) -> str:
    """The share of documents that was read; all of them alone is 100 %."""
    if coverage.unknown:
        return "unknown share"
    if not coverage.rows:
        return "nothing to read"
    return say_share(Decimal(coverage.read) / Decimal(coverage.rows)).replace(" ", THIN)
