"""Sentences of everyday life in many languages, written for tests of the language guard."""

from __future__ import annotations

SENTENCES: tuple[tuple[str, str], ...] = (
    ("en", "Could you please help me write a short letter to my landlord about the broken heating?"),
    ("en", "The meeting was moved to Thursday because most of the team will be travelling that day."),
    ("de", "Kannst du mir bitte helfen, einen kurzen Brief an meinen Vermieter zu schreiben?"),
    ("de", "Die Besprechung wurde auf Donnerstag verschoben, weil viele von uns an dem Tag unterwegs sind."),
    (
        "fr",
        "Pouvez-vous m'aider à écrire une lettre à mon propriétaire au sujet du chauffage qui est en panne ?",
    ),
    ("fr", "La réunion est reportée à jeudi parce que la plupart des collègues sont en voyage ce jour."),
    (
        "es",
        "¿Puedes ayudarme a escribir una carta para el dueño de mi casa sobre la calefacción que no funciona?",
    ),
    ("es", "La reunión se cambió al jueves porque muchos de los compañeros están de viaje ese día."),
    ("pt", "Você pode me ajudar a escrever uma carta para o dono da minha casa sobre o aquecimento?"),
    ("pt", "A reunião foi mudada para quinta-feira porque muitos dos colegas não estão na cidade."),
    (
        "it",
        "Mi puoi aiutare a scrivere una lettera al padrone di casa per il riscaldamento che non funziona?",
    ),
    ("it", "La riunione è stata spostata a giovedì perché molti dei colleghi sono in viaggio."),
    ("nl", "Kun je me helpen om een brief te schrijven aan de eigenaar van het huis over de verwarming?"),
    ("nl", "De vergadering is naar donderdag verplaatst omdat veel collega's dan op reis zijn."),
    ("sv", "Kan du hjälpa mig att skriva ett brev till min hyresvärd om värmen som inte fungerar?"),
    ("sv", "Mötet har flyttats till torsdag för att många av oss är på resa den dagen."),
    ("da", "Kan du hjælpe mig med at skrive et brev til min udlejer om varmen, der ikke virker?"),
    (
        "fi",
        "Voitko auttaa minua kirjoittamaan kirjeen vuokranantajalle, koska lämmitys ei toimi ja meillä on kylmä?",
    ),
    (
        "pl",
        "Czy możesz mi pomóc napisać list do właściciela mieszkania, bo ogrzewanie nie działa i jest zimno?",
    ),
    (
        "cs",
        "Můžete mi pomoci napsat dopis majiteli bytu, protože topení nefunguje a je tu zima, jak se to dělá?",
    ),
    (
        "hu",
        "Tudsz segíteni abban, hogy írjak egy levelet a tulajdonosnak, mert a fűtés nem működik és hideg van?",
    ),
    ("ro", "Poți să mă ajuți să scriu o scrisoare pentru proprietar, pentru că nu este căldură în casă?"),
    (
        "tr",
        "Ev sahibine bir mektup yazmam için bana yardım eder misin, çünkü kalorifer çok soğuk ve çalışmıyor?",
    ),
    (
        "id",
        "Apakah anda bisa membantu saya menulis surat untuk pemilik rumah karena pemanas itu tidak berfungsi?",
    ),
    ("vi", "Bạn có thể giúp tôi viết một lá thư cho chủ nhà về việc máy sưởi không hoạt động được không?"),
    ("ru", "Ты можешь помочь мне написать письмо хозяину квартиры о том, что отопление не работает?"),
    ("uk", "Чи можеш ти допомогти мені написати листа власнику квартири про те, що опалення не працює?"),
    ("bg", "Можеш ли да ми помогнеш да напиша писмо на собственика на апартамента, че парното не работи?"),
    ("el", "Μπορείς να με βοηθήσεις να γράψω ένα γράμμα στον ιδιοκτήτη για τη θέρμανση;"),
    ("ar", "هل يمكن أن تساعدني في كتابة رسالة إلى صاحب البيت عن التدفئة التي لا تعمل؟"),
    ("fa", "آیا می توانی به من کمک کنی که یک نامه برای صاحب خانه بنویسم که گرمایش کار نمی کند؟"),
    ("he", "האם אתה יכול לעזור לי לכתוב מכתב לבעל הבית על החימום שלא עובד?"),
    ("hi", "क्या आप मुझे मकान मालिक के लिए एक पत्र लिखने में मदद कर सकते हैं कि हीटर काम नहीं कर रहा है?"),
    ("ja", "暖房が壊れていることについて、大家さんに手紙を書くのを手伝ってもらえますか。"),
    ("zh", "你能帮我给房东写一封信，说明暖气坏了而且家里很冷吗？"),
    ("ko", "난방이 고장 났다고 집주인에게 편지를 쓰는 것을 도와줄 수 있나요?"),
    ("th", "คุณช่วยฉันเขียนจดหมายถึงเจ้าของบ้านเรื่องเครื่องทำความร้อนเสียได้ไหม"),
)
UNDETERMINED = (
    "OK",
    "12345 67890",
    "def f(x): return x + 1",
    "Toyota Corolla 2019",
    "👍👍👍",
    "https://example.com/a/b?c=d",
    "",
    "Ja!",
)
"""Too short, or not in a language."""
