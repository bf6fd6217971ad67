"""Languages of documents: what py3langid tells of the same text, whole batches at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verilabel.audit.interface import Batch, Examined
from verilabel.audit.kernels.tokens import cut_words
from verilabel.audit.language.characters import draw_table, expand_flags, read_table
from verilabel.audit.language.check import LanguageCheck, read_languages
from verilabel.audit.language.kernels.languages import (
    FIRST_BYTES,
    LEAST_SURE,
    PREFIX_BYTES,
    SHORTEST_BYTES,
    survey_prefixes,
)
from verilabel.audit.language.model import convert_model, open_model
from verilabel.audit.language.opening import OPENING
from verilabel.audit.settings import AuditSettings
from verilabel.errors import MalformedInput

langid = pytest.importorskip("py3langid.langid")

SENTENCES = {
    "en": "The ferry leaves the harbour at seven in the morning, and nobody is allowed on board without a ticket.",
    "de": "Die Fähre verlässt den Hafen um sieben Uhr morgens, und ohne Fahrschein darf niemand an Bord gehen.",
    "fr": "Le bateau quitte le port à sept heures du matin, et personne ne peut monter à bord sans billet.",
    "es": "El barco sale del puerto a las siete de la mañana, y nadie puede subir a bordo sin un billete.",
    "it": "Il traghetto lascia il porto alle sette del mattino e nessuno può salire a bordo senza un biglietto.",
    "pt": "O barco sai do porto às sete horas da manhã, e ninguém pode entrar a bordo sem um bilhete.",
    "nl": "De veerboot verlaat de haven om zeven uur 's ochtends, en niemand mag zonder kaartje aan boord komen.",
    "sv": "Färjan lämnar hamnen klockan sju på morgonen, och ingen får gå ombord utan biljett.",
    "pl": "Prom odpływa z portu o siódmej rano i nikt nie może wejść na pokład bez biletu.",
    "fi": "Lautta lähtee satamasta kello seitsemän aamulla, eikä kukaan pääse laivaan ilman lippua.",
    "hu": "A komp reggel hét órakor indul a kikötőből, és jegy nélkül senki sem szállhat fel a fedélzetre.",
    "tr": "Feribot sabah saat yedide limandan ayrılıyor ve bilet olmadan kimse gemiye binemez.",
    "vi": "Chuyến phà rời bến cảng lúc bảy giờ sáng, và không ai được lên tàu nếu không có vé.",
    "ru": "Паром отходит от причала в семь часов утра, и без билета никого не пускают на борт.",
    "el": "Το πλοίο φεύγει από το λιμάνι στις επτά το πρωί και κανείς δεν επιβιβάζεται χωρίς εισιτήριο.",
    "hi": "नाव सुबह सात बजे बंदरगाह से निकलती है और बिना टिकट के कोई भी सवार नहीं हो सकता।",
    "bn": "ফেরিটি সকাল সাতটায় বন্দর ছেড়ে যায় এবং টিকিট ছাড়া কেউ উঠতে পারে না।",
    "ta": "படகு காலை ஏழு மணிக்கு துறைமுகத்தை விட்டு புறப்படுகிறது, சீட்டு இல்லாமல் யாரும் ஏற முடியாது.",
    "ar": "تغادر العبارة الميناء في الساعة السابعة صباحا ولا يسمح لأحد بالصعود على متنها دون تذكرة.",
    "he": "המעבורת יוצאת מהנמל בשעה שבע בבוקר, ואיש אינו רשאי לעלות על הסיפון ללא כרטיס.",
    "zh": "渡轮早上七点离开港口，没有船票的人不得上船。请大家提前半个小时到达码头。",
    "ja": "フェリーは朝七時に港を出ます。切符がなければ誰も乗船できません。",
    "ko": "여객선은 아침 일곱 시에 항구를 떠나며, 표가 없으면 아무도 배에 탈 수 없습니다.",
    "th": "เรือข้ามฟากออกจากท่าเรือเวลาเจ็ดโมงเช้า และไม่มีใครขึ้นเรือได้โดยไม่มีตั๋ว",
}
FLAGS = expand_flags(read_table())
ODD = {
    "digits": "7" * 3_000,
    "signs": "@ #" * 1_000,
    "newlines": "\n" * 5_000,
    "one letter": "a" * 200_000,
    "marks": "e\u0301" * 3_000,
    "letters that normal forms take apart": "\u0958\ufb2c\U0001d15e" * 900,
    "capitals that grow": "\u0130" * 3_000,
    "emoji": "\U0001f600" * 3_000,
    "ideographs beyond": "\U00020000\U0002f800" * 800,
    "replaced": "\ufffd" * 3_000,
    "zero": "\x00" * 3_000,
}


def batch_of(texts: Sequence[str]) -> Batch:
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return Batch(np.frombuffer(b"".join(encoded), np.uint8).copy(), offsets, np.arange(len(encoded)))


def examine(check: LanguageCheck, texts: Sequence[str]) -> Examined:
    batch = batch_of(texts)
    return check.examine(batch, cut_words(batch))


def tell(check: LanguageCheck, texts: Sequence[str]) -> list[str]:
    return [check.languages[code] for code in examine(check, texts).columns["language_code"]]


def prefix_of(text: str, size: int) -> bytes:
    return text.encode()[:size].decode("utf-8", "ignore").encode()


def looked_at(text: str, sure: float) -> bytes:
    """The bytes that decide, where the first of them make py3langid so sure."""
    return prefix_of(text, FIRST_BYTES if sure >= LEAST_SURE / 100 else PREFIX_BYTES)


def look(text: str, normalising_peer) -> bytes:  # type: ignore[no-untyped-def]
    """The bytes that decide."""
    return looked_at(text, normalising_peer.classify(prefix_of(text, FIRST_BYTES))[1])


def survey(texts: Sequence[str], size: int = PREFIX_BYTES) -> tuple[Batch, list[int], list[bool]]:
    batch = batch_of(texts)
    ends, doubtful = np.empty(len(texts), np.int64), np.empty(len(texts), np.bool_)
    survey_prefixes(
        batch.data, batch.offsets[:-1].copy(), batch.offsets[1:].copy(), size, FLAGS, ends, doubtful
    )
    return batch, ends.tolist(), doubtful.tolist()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    OPENING.prepare(AuditSettings(), folder)
    return folder


@pytest.fixture(scope="session")
def check(prepared: Path) -> LanguageCheck:
    return OPENING.open(AuditSettings(), prepared)


@pytest.fixture(scope="session")
def peer():  # type: ignore[no-untyped-def]
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)


@pytest.fixture(scope="session")
def normalising_peer():  # type: ignore[no-untyped-def]
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def test_sentences_are_told_the_language_they_are_in(check: LanguageCheck) -> None:
    assert list(SENTENCES) == tell(check, list(SENTENCES.values()))


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_capitals_and_normal_forms_tell_what_py3langid_tells(
    check: LanguageCheck, peer, normalising_peer, form: str
) -> None:  # type: ignore[no-untyped-def]
    texts = [unicodedata.normalize(form, text) for text in SENTENCES.values()]
    texts += (
        [text.upper() for text in texts] + [text.title() for text in texts] + [text * 30 for text in texts]
    )
    expected = [peer.classify(look(text, normalising_peer))[0] for text in texts]
    assert expected == tell(check, texts)


def test_sureness_is_the_percent_that_py3langid_gives(check: LanguageCheck, normalising_peer) -> None:  # type: ignore[no-untyped-def]
    texts = [text[:length] for text in SENTENCES.values() for length in (25, 40, 80)]
    texts = [text for text in texts if len(text.encode()) >= SHORTEST_BYTES]
    columns = examine(check, texts).columns
    for text, code, sure in zip(
        texts, columns["language_code"].tolist(), columns["language_sure"].tolist(), strict=True
    ):
        language, probability = normalising_peer.classify(prefix_of(text, FIRST_BYTES))
        if (
            language == check.languages[code]
        ):  # it decides by normalised scores, which differ for languages of two classes
            assert abs(sure - 100 * probability) < 1.05


@given(st.lists(st.text(min_size=8, max_size=60), min_size=1, max_size=12))
@settings(max_examples=60)
def test_any_text_is_told_what_py3langid_tells_or_it_is_a_tie(
    check: LanguageCheck, peer, texts: list[str]
) -> None:  # type: ignore[no-untyped-def]
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    for text, told in zip(texts, tell(check, texts), strict=True):
        if len(text.encode()) < SHORTEST_BYTES or told == "none":
            continue
        ranked = dict(peer.rank(text.encode()))
        assert max(ranked.values()) - ranked[told] < 0.02


@given(
    st.lists(st.sampled_from([*SENTENCES.values(), "", "x", "ÉTÉ", "e\u0301" * 30]), max_size=20),
    st.integers(0, 20),
)
@settings(max_examples=25)
def test_how_documents_are_cut_into_batches_changes_no_language(
    check: LanguageCheck, texts: list[str], cut: int
) -> None:
    whole = examine(check, texts).columns
    pieces = [examine(check, piece).columns for piece in (texts[:cut], texts[cut:])]
    for name, values in whole.items():
        assert values.tolist() == [value for piece in pieces for value in piece[name].tolist()]


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_a_text_that_needs_no_second_look_is_in_its_form(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    _, _, doubtful = survey([text])
    assert doubtful[0] or (not text.isupper() and unicodedata.is_normalized("NFC", text))


def test_the_table_of_characters_is_what_its_unicode_version_says() -> None:
    drawn = draw_table()
    if drawn.unicode != read_table().unicode:
        pytest.skip(f"this Python has Unicode {drawn.unicode}")
    assert drawn == read_table()


@pytest.mark.parametrize("kind", ODD)
def test_odd_texts_are_told_what_py3langid_tells(
    check: LanguageCheck, peer, normalising_peer, kind: str
) -> None:  # type: ignore[no-untyped-def]
    told = tell(check, [ODD[kind]])[0]
    language, score = peer.classify(look(ODD[kind], normalising_peer))
    assert told == (language if score > -1e30 else "none")


def test_a_first_look_that_is_sure_decides(check: LanguageCheck) -> None:
    text = SENTENCES["fi"] * 3 + SENTENCES["en"] * 20
    assert len((SENTENCES["fi"] * 3).encode()) > FIRST_BYTES
    assert ["fi"] == tell(check, [text])


def test_a_text_whose_beginning_says_little_is_told_by_what_follows(
    check: LanguageCheck, normalising_peer
) -> None:  # type: ignore[no-untyped-def]
    begun = "x = [0, 1]; " * 30
    assert normalising_peer.classify(prefix_of(begun, FIRST_BYTES))[1] < LEAST_SURE / 100
    assert ["pl"] == tell(check, [begun + SENTENCES["pl"] * 20])


def test_what_follows_the_bytes_looked_at_changes_nothing(check: LanguageCheck) -> None:
    begun = SENTENCES["nl"] * 3
    texts = [begun, *(begun + text * 30 for text in SENTENCES.values())]
    columns = examine(check, texts).columns
    assert {columns["language_code"][0]} == set(columns["language_code"])
    assert 1 == len(set(columns["language_sure"].tolist()[1:]))


def test_a_prefix_ends_at_a_character() -> None:
    for shift in range(4):
        batch, ends, _ = survey(["x" * shift + "\U0001f600" * 1_000, "字" * 1_000])
        first = batch.data[: ends[0]].tobytes()
        assert 0 <= PREFIX_BYTES - len(first) < 4
        assert len(first.decode()) == shift + (PREFIX_BYTES - shift) // 4


def test_short_and_empty_texts_are_told_none(check: LanguageCheck) -> None:
    columns = examine(check, ["", "Yes.", "the ferry leaves at", SENTENCES["en"]]).columns
    assert ([0, 0, 0], [0, 0, 0]) == (
        columns["language_code"].tolist()[:3],
        columns["language_sure"].tolist()[:3],
    )
    assert columns["language_code"][3] > 0


def test_a_batch_without_documents_has_columns_without_values(check: LanguageCheck) -> None:
    columns = examine(check, []).columns
    assert [column.name for column in check.card.columns] == list(columns)
    assert {0} == {len(values) for values in columns.values()}


def test_values_have_the_types_that_the_card_says(check: LanguageCheck) -> None:
    columns = examine(check, list(SENTENCES.values())).columns
    assert {column.name: column.type for column in check.card.columns} == {
        name: f"{values.dtype.kind}{values.dtype.itemsize}" for name, values in columns.items()
    }


def test_the_card_says_what_each_code_stands_for(check: LanguageCheck) -> None:
    codes = read_languages(check.card.columns[0])
    assert ("none", *check.languages[1:]) == codes
    assert 140 == len(codes) - 1


@given(st.lists(st.sampled_from(list(SENTENCES.values())), min_size=1, max_size=12))
@settings(max_examples=30)
def test_mixed_texts_of_a_kilobyte_are_told_what_py3langid_tells(
    check: LanguageCheck, peer, normalising_peer, parts: list[str]
) -> None:  # type: ignore[no-untyped-def]
    text = " ".join(parts)
    sure = normalising_peer.classify(prefix_of(text, FIRST_BYTES))[1]
    expected = {
        peer.classify(looked_at(text, sure + rounded))[0] for rounded in (-0.01, 0.01)
    }  # at the limit, either
    assert tell(check, [text])[0] in expected


def test_preparing_twice_changes_nothing(prepared: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    OPENING.prepare(AuditSettings(), prepared)
    assert before == {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="cannot be read"):
        open_model(tmp_path)


def test_a_model_whose_numbers_are_not_whole_is_refused() -> None:
    rows = np.zeros(2, np.int64)
    with pytest.raises(MalformedInput, match="not known"):
        convert_model(
            np.array([[-0.1, -2.0]]),
            np.zeros(2),
            ["en", "de"],
            np.zeros(256, np.int64),
            rows,
            np.array([0, -1]),
        )


def test_two_audits_are_given_the_same_model(tmp_path: Path, prepared: Path) -> None:
    OPENING.prepare(AuditSettings(), tmp_path / "other")
    written = sorted(path.relative_to(prepared) for path in prepared.rglob("*.npy"))
    assert [(prepared / name).read_bytes() for name in written] == [
        (tmp_path / "other" / name).read_bytes() for name in written
    ]
