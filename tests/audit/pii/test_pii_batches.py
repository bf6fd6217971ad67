"""Findings depend on a document's bytes alone: not on its batch, its neighbours or what hostile text surrounds them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.interface import Batch, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.pii.check import PiiCheck
from verilabel.audit.pii.wording import EXAMPLE_ADDRESSES, EXAMPLE_CARDS, EXAMPLE_SSNS
from verilabel.audit.settings import PiiSettings
from verilabel.detectors.spans import checks

CHECK = PiiCheck(PiiSettings())
NAMES = [kind.id for kind in CHECK.card.kinds]
VALUES = [
    ("pii.email", "kim.lee@mail.zzqx.dev"),
    ("pii.phone", "+1 202-555-0143"),
    ("pii.phone", "(202) 555-0143"),
    ("pii.card", "4539214466271755"),
    ("pii.card", "5425-8850-0303-8437"),
    ("pii.iban", "DE51374691171976474613"),
    ("pii.ssn", "308-63-0237"),
    ("pii.nino", "AB204816C"),
    ("pii.ipv4", "84.23.30.17"),
    ("pii.ipv6", "2600:2a5c:13cc:5900:1d62:ccbc:c4cc:24a7"),
    ("pii.mac", "3c:22:fb:0a:11:9d"),
    ("pii.crypto_wallet", "bc1qqqqsyqcyq5rqwzqfpg9scrgwpugpzysn4v0345"),
    ("pii.br_cpf", "153.072.748-07"),
    ("pii.ch_ahv", "756.7303.3561.19"),
    ("pii.it_codice_fiscale", "RSSMRA80A01H563H"),
    ("secret.aws_key", "AK" + "IAQYLPMN5HHHFPZAM2"),
    ("secret.github_token", "gh" + "p_R4nD0mT0k3nVaLu3F0rT3st1nGpUrP0s3sX7"),
    ("secret.stripe_key", "sk" + "_live_q8Zr4TnW1yKs6VbE3mXuJ5Ha"),
]
PLAIN = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="0123456789@:=+(-_./"), max_size=60)
"""Text in which nothing stands that could join a value."""
PIECES = st.sampled_from(
    [
        "a",
        "@",
        ".",
        ":",
        "-",
        " ",
        "\n",
        "1",
        "42",
        "kim@zzqx.com",
        "84.23.30.17",
        "308-63-0237",
        "x.org",
        "+1",
        "(202)",
        "4539214466271755",
        "3c:22:fb:0a:11:9d",
        "é",
        "漢",
        "555-0143",
        "key='",
        "//",
        "_",
        "=",
        "AB",
        "\\n",
        "\xa0",
    ]
)


def make_batch(texts: Sequence[str]) -> Batch:
    raw = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, raw)]).astype(np.int64)
    return Batch(np.frombuffer(b"".join(raw), np.uint8), offsets, np.arange(len(raw)))


def examine(texts: Sequence[str]) -> tuple[list[list[tuple[str, int, int]]], Examined]:
    batch = make_batch(texts)
    examined = CHECK.examine(batch, cut_words(batch))
    findings = examined.findings
    assert findings is not None
    found: list[list[tuple[str, int, int]]] = [[] for _ in texts]
    for document, kind, start, end in zip(
        findings.document, findings.kind, findings.start, findings.end, strict=True
    ):
        low = int(batch.offsets[document])
        found[document].append((NAMES[kind], int(start) - low, int(end) - low))
    return found, examined


@given(st.sampled_from(VALUES), PLAIN, PLAIN)
def test_a_value_is_found_wherever_it_stands_in_a_text(
    planted: tuple[str, str], before: str, after: str
) -> None:
    kind, value = planted
    start = len(f"{before} ".encode())
    found = examine([f"{before} {value} {after}"])[0][0]
    assert (kind, start, start + len(value)) in found


@given(st.lists(st.lists(PIECES, max_size=25).map("".join), min_size=1, max_size=6), st.data())
def test_findings_are_the_same_however_documents_are_put_into_batches(
    texts: list[str], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    together = examine(texts)[0]
    apart = examine(texts[:cut])[0] + examine(texts[cut:])[0]
    alone = [examine([text])[0][0] for text in texts]
    assert alone == together == apart


@given(st.lists(PIECES, max_size=40).map("".join))
def test_findings_lie_inside_their_document_sorted_and_apart(text: str) -> None:
    found = examine(["x@", text, "y.com"])[0]
    assert [] == found[0] == found[2]
    ends = [0, *(end for _, _, end in found[1])]
    assert all(before <= start for before, (_, start, _) in zip(ends, found[1], strict=False))
    assert all(start < end <= len(text.encode()) for _, start, end in found[1])


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert len(examine([text, text])[0]) == 2


EXAMPLES = frozenset(f"{EXAMPLE_ADDRESSES} {EXAMPLE_CARDS} {EXAMPLE_SSNS}".split())
"""Values that everybody writes as examples, which no pattern could know."""


def find_by_patterns(text: str) -> set[tuple[str, int, int]]:
    """A slow second opinion on addresses of machines, cards and social security numbers, for texts of few signs."""
    found = set()
    for match in re.finditer(r"(?<![\w.\-/])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|[./-]\w)", text, re.ASCII):
        try:
            address = ipaddress.IPv4Address(match[0])
        except ValueError:
            continue
        if address.is_global and not address.is_multicast and max(address.packed) > 31:
            found.add(("pii.ipv4", *match.span()))
    for match in re.finditer(r"(?<![\w.\-/])\d{16}(?![\w]|[./-]\d)", text, re.ASCII):
        if re.match("4|5[1-5]", match[0]) and checks.holds_luhn(match[0]):
            found.add(("pii.card", *match.span()))
    for match in re.finditer(r"(?<![\w.\-/])\d{3}-\d{2}-\d{4}(?![\w]|[./-]\d)", text, re.ASCII):
        if checks.holds_ssn(match[0]):
            found.add(("pii.ssn", *match.span()))
    return found


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["4539214466271755", "5425401021302324", "308-63-0237", "84.23.30.17", "word", "0"]
            ),
            st.from_regex(r"\A[1-9][0-9]{1,2}(\.[1-9][0-9]{1,2}){3}\Z"),
            st.from_regex(r"\A[0-9]{3}-[0-9]{2}-[0-9]{4}\Z"),
            st.from_regex(r"\A4[0-9]{15}\Z"),
        ),
        max_size=12,
    ),
    st.sampled_from([", ", " a ", "; ", "\n", ")("]),
)
def test_the_pass_agrees_with_patterns_on_random_mixes(parts: list[str], joint: str) -> None:
    text = joint.join(part for part in parts if part.replace("-", "") not in EXAMPLES)
    wanted = find_by_patterns(text)
    kinds = {"pii.ipv4", "pii.card", "pii.ssn"}
    assert wanted == {place for place in examine([text])[0][0] if place[0] in kinds}


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "1",
        "@",
        "\n",
        "漢",
        ":",
        "a@",
        "1 ",
        "1-",
        "eyJ_",
        "ab:",
        "x=",
        "://",
        "GB12",
        "+1 ",
        "(",
        "-----BEGIN ",
        "key='",
    ],
)
def test_a_long_document_of_one_thing_gives_nothing_and_ends(text: str) -> None:
    found, examined = examine([text * (400_000 // len(text))])
    assert [] == found[0]
    assert examined.columns["pii_beyond"].tolist() == [0]


def test_what_is_beyond_the_bound_of_a_document_is_counted() -> None:
    found, examined = examine(["84.23.30.17\n" * 70_000, "84.23.30.17"])
    assert [65_535, 1] == [len(places) for places in found]
    assert [70_000 - 65_535, 0] == examined.columns["pii_beyond"].tolist()


def test_a_key_is_found_with_its_lines_and_only_once() -> None:
    body = "\n".join("q8Zr4TnW1yKs6VbE3mXuJ5HaP0dC7fGi" * 2 for _ in range(6))
    key = f"-----BEGIN RSA PRIVATE{' '}KEY-----\n{body}\n-----END RSA PRIVATE{' '}KEY-----"
    assert [("secret.private_key", 4, 4 + len(key))] == examine([f"key\n{key}\nend"])[0][0]


def test_a_key_in_one_line_of_json_is_found() -> None:
    key = (
        f"-----BEGIN PRIVATE{' '}KEY-----\\n{'q8Zr4TnW1yKs6VbE3mXuJ5Ha' * 6}\\n-----END PRIVATE{' '}KEY-----"
    )
    assert [("secret.private_key", 7, 7 + len(key))] == examine([f'{{"k": "{key}\\n"}}'])[0][0]


def test_the_longer_of_two_that_overlap_stays() -> None:
    assert [("pii.iban", 0, 22)] == examine(["DE51374691171976474613"])[0][0]
    assert [("pii.phone", 0, 15)] == examine(["+1 202-555-0143"])[0][0]


def test_an_empty_batch_has_no_findings() -> None:
    found, examined = examine([])
    assert [] == found
    assert examined.columns["pii_beyond"].tolist() == []
