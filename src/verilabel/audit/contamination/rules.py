"""The numbers that decide when an item of a benchmark counts as found in a document."""

from __future__ import annotations

from typing import Literal

TABLE = "contamination"
SKETCH_TABLE = "contamination_sketch"
"""Names of the tables of matches and of winnowed n-grams."""
Part = Literal["question", "answer"]
Rule = Literal["whole", "ngram13", "ngram8", "short", "content"]
PARTS: tuple[Part, ...] = ("question", "answer")
RULES: tuple[Rule, ...] = ("whole", "ngram13", "ngram8", "short", "content")
"""Strongest first: the whole question, a long n-gram, several short ones in order, a whole question of few words,
several n-grams of the words that are left without function words."""

WORD_WEIGHT = 3
CHARACTER_WEIGHT = 2
"""Of a character of Chinese, Japanese or Korean, which says less than a word: 20 of them are as long as 13 words."""
LONG_WORDS = 13
ANCHOR_WORDS = 8
FEWEST_WORDS = 5
LONG_WEIGHT = LONG_WORDS * WORD_WEIGHT
MIDDLE_WEIGHT = ANCHOR_WORDS * WORD_WEIGHT
SHORT_WEIGHT = FEWEST_WORDS * WORD_WEIGHT
"""From this weight up to `LONG_WEIGHT` a question is short, and must stand in a document whole."""
LONGEST_SHORT = (LONG_WEIGHT - 1) // CHARACTER_WEIGHT
"""Words of a short question at most."""

DISTINCT_WORDS = 5
"""Different words of letters that an n-gram has at least; numbers are kept, but say nothing alone."""
ANCHOR_DISTINCT = 2
"""Every long n-gram with five different words has eight words in a row with two of them, so that anchors miss none."""
FEWEST_MIDDLE = 3
"""Different n-grams of eight words, in order, that are as good as one of 13."""
CONTENT_WORDS = 5
CONTENT_WEIGHT = CONTENT_WORDS * WORD_WEIGHT
CONTENT_DISTINCT = 3
FEWEST_CONTENT = 4
"""Different n-grams of five words that carry content, in order, that are as good: paraphrases leave such."""
GAP_FACTOR = 2
GAP_WORDS = 50
"""Two n-grams belong together where no more words lie between them than twice those of the item, and 50."""

TEMPLATE_ITEMS = 3
TEMPLATE_SHARE = 100
MOST_TEMPLATE_ITEMS = 10
"""An n-gram in more than 3 items, or 1 in 100 of them, or 10, tells of a benchmark's form and of no item."""
MAX_POSTINGS = 40
"""Places of one benchmark at which an anchor is followed."""
TEMPLATE_FRAME_ITEMS = 10
"""Words at the begin or end of all questions are the frame of a prompt where there are at least so many."""

MAX_PER_DOCUMENT = 65_535
"""Findings, and rows of the table, of one document."""


def template_limit(items: int) -> int:
    """In how many items of a benchmark an n-gram may stand that still tells of one."""
    return min(max(TEMPLATE_ITEMS, items // TEMPLATE_SHARE), MOST_TEMPLATE_ITEMS)
