"""Tags, fields, addresses and sentences that name a licence; notices, reservations, opt-outs and paywalls."""

from __future__ import annotations

import pytest

from licence_documents import examine, examine_one
from verilabel.audit.interface import Check

GNU = (
    "This program is free software: you can redistribute it and/or modify\n# it under the terms of the GNU General "
    "Public License as published by\n# the Free Software Foundation, either version {} of the License, or\n"
    "# (at your option) any later version.\n"
)


@pytest.mark.parametrize(
    ("text", "expected", "terms"),
    [
        ('Licensed under the Apache License, Version 2.0 (the "License");', "Apache-2.0", "permissive"),
        (GNU.format(3), "GPL-3.0-or-later", "copyleft"),
        (GNU.format(2), "GPL-2.0-or-later", "copyleft"),
        (GNU.replace("General", "Affero General").format(3), "AGPL-3.0-or-later", "network copyleft"),
        (GNU.replace("GNU General", "GNU Lesser General").format("2.1"), "LGPL-2.1-or-later", "weak copyleft"),
        (
            "This library is free software; you can redistribute it and/or modify it under the terms of version 2 of "
            "the GNU General Public License as published by the Free Software Foundation.",
            "GPL-2.0-only",
            "copyleft",
        ),
        (
            "This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.",
            "MPL-2.0",
            "weak copyleft",
        ),
        ("This work is licensed under a Creative Commons Attribution-NonCommercial 4.0 International License.",
         "CC-BY-NC-4.0", "non-commercial"),
        ("This page is licensed under CC BY-SA.", "LicenseRef-verilabel-CC-BY-SA", "weak copyleft"),
        ("This module is free software. You may distribute it under the same\nterms as Perl itself.",
         "Artistic-1.0-Perl", "weak copyleft"),
        ("Use of this source code is governed by a BSD-style license.", "LicenseRef-verilabel-BSD", "permissive"),
        ("This file has been put into the public domain.", "LicenseRef-verilabel-public-domain", "public domain"),
        ("Released under the MIT License.", "MIT", "permissive"),
        ("# SPDX-License-Identifier: MPL-2.0\nimport os", "MPL-2.0", "weak copyleft"),
        ("/* SPDX-License-Identifier: (GPL-2.0+ OR MIT) */", "GPL-2.0-or-later", "copyleft"),
        ("<!-- SPDX-License-Identifier: MIT AND AGPL-3.0-only -->", "AGPL-3.0-only", "network copyleft"),
        ("license: apache-2.0\ntitle: x", "Apache-2.0", "permissive"),
        ('  "license": "ISC",\n', "ISC", "permissive"),
        ('__license__ = "BSD-3-Clause"\n', "BSD-3-Clause", "permissive"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT", "permissive"),
        ("License: GPL-2+\n", "GPL-2.0-or-later", "copyleft"),
        ("<a href='https://creativecommons.org/licenses/by-nc-nd/4.0/'>", "CC-BY-NC-ND-4.0", "non-commercial"),
        ("http://creativecommons.org/licenses/by-sa/3.0/de/deed.de", "CC-BY-SA-3.0-DE", "weak copyleft"),
        ("see https://www.gnu.org/licenses/agpl-3.0.html.", "AGPL-3.0-only", "network copyleft"),
        ("https://opensource.org/licenses/MIT", "MIT", "permissive"),
    ],
)  # fmt: skip
def test_a_licence_that_is_named_is_the_first_of_its_document(
    licence_check: Check, text: str, expected: str, terms: str
) -> None:
    told = examine_one(licence_check, f"Some words before.\n\n{text}\n\nSome words after.\n")
    assert (expected, terms) == (told.first, told.terms)


@pytest.mark.parametrize(
    "text",
    [
        "The libintl library is now covered by the GNU LGPL.",
        "README: Git is released under the GPLv2, as everybody knows",
        "Mozilla published its browser, and Netscape was distributed under the Mozilla Public License 1.1 then",
    ],
)
def test_a_sentence_about_something_else_is_a_statement_and_names_no_first_licence(
    licence_check: Check, text: str
) -> None:
    told = examine_one(licence_check, f"News of the year.\n\n{text}")
    assert ({"licence.statement"}, "") == (told.kinds, told.first)


@pytest.mark.parametrize(
    "text",
    [
        "They are also available under *BSD.",
        "covered by Perl's test suite",
        "It is subject to the PSF code of conduct.",
        "under the terms of the treaty",
        "SPDX-License-Identifier is a tag",
        "SPDX-License-Identifier: ",
    ],
)
def test_words_like_those_of_a_notice_are_none(licence_check: Check, text: str) -> None:
    assert set() == examine_one(licence_check, text).kinds


def test_the_notice_inside_a_licence_text_is_not_told_again(licence_check: Check) -> None:
    from verilabel.audit.licences.texts import load_licences

    text = next(one.text for one in load_licences().licences if one.id == "GPL-3.0-only")
    told = examine_one(licence_check, text)
    assert "GPL-3.0-only" == told.first
    assert {("GPL-3.0-only", "text")} == {(name, how) for name, how, _ in told.rows}


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("x\nCopyright (c) 2019 Example Publishing Inc.\ny", "Copyright (c) 2019 Example Publishing Inc."),
        ("# Copyright 2001-2004, Jane Example", "Copyright 2001-2004, Jane Example"),
        ("© 2020–2023 Example", "© 2020–2023 Example"),
        ("©2020 Example", "©2020 Example"),
        ("&copy; 2024 Example", "&copy; 2024 Example"),
        ("(C) Copyright Example Corp", "(C) Copyright Example Corp"),
        ("Copyright © Example Ltd", "Copyright © Example Ltd"),
        ("COPYRIGHT 1999 EXAMPLE", "COPYRIGHT 1999 EXAMPLE"),
    ],
)
def test_copyright_notices_reach_to_the_end_of_their_line(
    licence_check: Check, text: str, notice: str
) -> None:
    assert [("copyright.notice", notice)] == examine_one(licence_check, text).findings


@pytest.mark.parametrize(
    "text",
    [
        "Copyright law of 2019 is long.",
        "copyright\n\nnotice",
        "f(c) 2019",
        "(c) The third point",
        "print (c)\n  Condition",
    ],
)
def test_talk_of_copyright_is_no_notice(licence_check: Check, text: str) -> None:
    assert "copyright.notice" not in examine_one(licence_check, text).kinds


@pytest.mark.parametrize(
    "text",
    [
        "All rights\n# reserved.",
        "No part of this publication may be reproduced.",
        "TOUS DROITS RÉSERVÉS",
        "Alle Rechte vorbehalten",
        "Все права защищены",
        "ВСЕ ПРАВА ЗАЩИЩЕНЫ",
        "版权所有",
        "無断転載を禁じます",
        "무단전재 및 재배포 금지",
        "Unauthorized copying prohibited.",
    ],
)
def test_reservations_are_found_in_many_languages(licence_check: Check, text: str) -> None:
    told = examine_one(licence_check, text)
    assert ({"copyright.reserved"}, "other terms") == (told.kinds, told.terms)


@pytest.mark.parametrize(
    "text",
    [
        '<meta name="robots" content="index, noai, noimageai">',
        "X-Robots-Tag: noai",
        "tdm-reservation: 1",
        '<meta name="tdm-reservation" content="1">',
        "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n",
        "No part of this book may be used for the purpose of training artificial intelligence systems.",
        "You may not use this content to train machine learning models.",
        "The publisher reserves all rights for text and data mining under Article 4(3).",
        "Using these pages for AI training is strictly prohibited.",
    ],
)
def test_opt_outs_from_training_are_found(licence_check: Check, text: str) -> None:
    assert "use.opt_out" in examine_one(licence_check, text).kinds


@pytest.mark.parametrize(
    "text",
    [
        "User-agent: GPTBot\nAllow: /\n",
        "tdm-reservation: 0",
        "Training AI models takes weeks; text and data mining is a field.",
        "We used noai as a variable name.",
        "Large language model training needs memory.",
    ],
)
def test_talk_of_training_is_no_opt_out(licence_check: Check, text: str) -> None:
    assert "use.opt_out" not in examine_one(licence_check, text).kinds


def test_paywalls_are_found_by_their_words(licence_check: Check) -> None:
    texts = (
        "Subscribe to continue reading.",
        "Already a subscriber? Log in",
        "Cet article est réservé aux abonnés",
        "You have two free articles remaining",
    )
    assert [{"use.paywall"}] * 4 == [told.kinds for told in examine(licence_check, *texts)]


def test_a_tag_counts_before_a_text_and_a_text_before_a_notice(licence_check: Check) -> None:
    tag, notice = "SPDX-License-Identifier: EUPL-1.2", "Licensed under the Zlib license."
    isc = (
        "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is "
        "hereby granted, provided that the above copyright notice and this permission notice appear in all copies.\n\n"
        'THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE '
        "INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR "
        "ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, "
        "DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN "
        "CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE."
    )
    told = examine(
        licence_check, f"{notice}\n{isc}\n{tag}", f"{notice}\n{isc}", f"{notice}\nAll rights reserved."
    )
    assert ["EUPL-1.2", "ISC", "Zlib"] == [one.first for one in told]
