"""Redacts text while it streams: what may still become part of a match is held back, all else goes out."""

from __future__ import annotations

from verilabel.detectors.spans.interface import Substitute
from verilabel.detectors.spans.json_text import JsonReader, JsonWriter
from verilabel.detectors.spans.programs import LongKind, Programs
from verilabel.detectors.spans.rule import Match
from verilabel.detectors.spans.unicode_text import SurrogateJoiner


class StreamFilter:
    """One stream under a set of rules (`interface.SpanFilter`); `RuleSet` says what a match is.

    Why joined parts equal the whole: text is let out, and a place is decided, only if no pattern begun at it can go
    on at the end of what has come (`Programs.prefix`, the leftmost such place); RE2's answer there depends on no
    later character. A match that reaches the end can go on or lacks its look at the next character, so it waits.
    A long kind is decided with its pattern; its body needs one character at a time. Between two calls at most
    MAX_WIDTH characters are held, and one byte before them for `\\b`.
    """

    __slots__ = (
        "_before",
        "_buffer",
        "_context",
        "_inactive",
        "_is_shown",
        "_joiner",
        "_labels",
        "_long",
        "_long_match",
        "_position",
        "_programs",
        "_reader",
        "_stops",
        "_substitute",
        "_words",
        "_writer",
        "is_finished",
        "matches",
        "stopped_by",
    )

    def __init__(
        self,
        programs: Programs,
        labels: list[str],
        substitute: Substitute | None = None,
        active: int | None = None,
        stops: frozenset[int] = frozenset(),
        *,
        json_source: bool = False,
    ) -> None:
        self.matches: list[Match] = []
        self.stopped_by: Match | None = None
        self.is_finished = False
        self._programs = programs
        self._labels = labels
        self._substitute = substitute
        self._inactive = 0 if active is None else ~active
        self._stops = stops
        self._joiner = SurrogateJoiner()
        self._writer = JsonWriter() if json_source else None
        self._reader = JsonReader() if json_source else None
        self._buffer = b""
        self._context = 0
        self._before = ""
        self._position = 0
        self._long: LongKind | None = None
        self._long_match = 0
        self._is_shown = False
        self._words: _WordPlaces | None = None

    @property
    def fed_chars(self) -> int:
        """Characters looked at so far, those that are held among them."""
        return self._position + self.held_chars

    @property
    def held_chars(self) -> int:
        """Characters held back at the moment."""
        held = len(self._buffer[self._context :].decode()) + len(self._joiner.carry)
        return held if self._reader is None else held + self._reader.held_chars

    def feed(self, text: str) -> str:
        """Take the next part of the stream; give out what is certain."""
        if self.stopped_by is not None:
            return ""
        if self._reader is not None and self._writer is not None:
            text = self._reader.read(text, self._writer.escaped)
        return self._advance(self._buffer + self._encoded(text), is_last=False)

    def finish(self) -> str:
        """The stream has ended: give out the rest."""
        self.is_finished = True
        if self.stopped_by is not None:
            return ""
        rest = "" if self._reader is None else self._reader.finish()
        data = self._encoded(rest) + self._joiner.finish().encode()
        return self._advance(self._buffer + data, is_last=True)

    def redact_whole(self, text: str) -> str:
        """Take a whole text at once; nothing may have come before."""
        if self._reader is not None and self._writer is not None:
            text = self._reader.read(text, self._writer.escaped) + self._reader.finish()
        return self._advance(self._encoded(text) + self._joiner.finish().encode(), is_last=True)

    def _encoded(self, text: str) -> bytes:
        if not self._joiner.carry:
            try:
                return text.encode()
            except UnicodeEncodeError:
                pass
        return self._joiner.join(text).encode()

    def _advance(self, buffer: bytes, is_last: bool) -> str:
        """Decide all that can be decided; keep the rest."""
        place, size = self._context, len(buffer)
        out: list[str] = []
        self._words = None
        while True:
            if self._long is not None:
                place = self._follow(self._long, buffer, place, is_last, out)
                if self._long is not None:
                    break
            hold = size if is_last else self._find_hold(buffer, place)
            if hold > place:
                place = self._scan(buffer, place, hold, out)
            # a match may go on behind the place that was held: then another look is due from its end
            if self.stopped_by is not None or (self._long is None and place == hold):
                break
        if self.stopped_by is not None:
            self._buffer, self._context = b"", 0
        elif place:
            if self._programs.has_words and place > self._context:
                self._before = buffer[max(0, place - 4) : place].decode("utf-8", "ignore")[-1:]
            self._buffer, self._context = buffer[place - 1 :], 1
        else:
            self._buffer = buffer
        return out[0] if len(out) == 1 else "".join(out)

    def _find_hold(self, buffer: bytes, place: int) -> int:
        """The leftmost place from which the text to its end may become a match, or is one that may yet change."""
        programs = self._programs
        size = len(buffer)
        start = place
        if size - place > programs.widest:
            # whatever begins before the widest match from the end on has ended
            near = buffer[-4 * programs.widest :] if programs.widest else b""
            start = max(place, size - programs.widest * (1 if near.isascii() else 4))
        found = programs.prefix(programs.anywhere, buffer, start, size)[0][0]
        hold = size if found < 0 else found
        if programs.has_words:
            start = max(place, size - 4 * programs.words.longest)
            while start > place and buffer[start] & 0xC0 == 0x80:
                start += 1
            text = buffer[start:].decode()
            viable = programs.words.find_viable(text, self._char_before(buffer, start))
            hold = min(hold, start + len(text[:viable].encode()))
        return hold

    def _char_before(self, buffer: bytes, place: int) -> str:
        if place == self._context:
            return self._before
        return buffer[max(0, place - 4) : place].decode("utf-8", "ignore")[-1:]

    def _scan(self, buffer: bytes, place: int, hold: int, out: list[str]) -> int:
        """Decide every place before `hold`. Returns where to go on: behind the last match, or at `hold`."""
        programs = self._programs
        size = len(buffer)
        kept = place
        if programs.has_words and self._words is None:
            self._words = self._find_words(buffer, place)
        words = self._words
        pattern_at = -1
        while place < hold:
            if pattern_at < place:
                pattern_at = programs.union(programs.anywhere, buffer, place, size)[0][0]
                if pattern_at < 0:
                    pattern_at = size
            at = pattern_at if words is None else min(pattern_at, words.first_from(place, size))
            if at >= hold:
                break
            taken = self._take(
                buffer, at, programs.find_rules_at(buffer, at) if at == pattern_at else [], words
            )
            if taken is None:
                place = at + 1
                continue
            rule, start, end = taken
            self._keep(buffer[kept:start], out)
            self._replace(rule, buffer, start, end, out)
            place = kept = end
            if self._long is not None or self.stopped_by is not None:
                return end
        if kept >= hold:
            return kept
        self._keep(buffer[kept:hold], out)
        return hold

    def _find_words(self, buffer: bytes, place: int) -> _WordPlaces:
        text = buffer[place:].decode()
        found = self._programs.words.find(text, self._char_before(buffer, place))
        return _WordPlaces(text, place, found)

    def _take(
        self, buffer: bytes, at: int, candidates: list[int], words: _WordPlaces | None
    ) -> tuple[int, int, int] | None:
        """The first active rule that matches at a place and is real there, with the stretch it found."""
        programs = self._programs
        ends = words.ends_at(at) if words is not None else None
        if ends:
            candidates = sorted({*candidates, *ends})
        for index in candidates:
            if self._inactive >> index & 1:
                continue
            rule = programs.rules[index]
            if rule.run is None:
                start, end = at, ends[index] if ends else at
            else:
                spans = rule.run(programs.here, buffer, at, len(buffer))
                start, end = spans[1] if rule.is_narrowed and spans[1][0] >= 0 else spans[0]
            if end > start >= 0 and (rule.check is None or rule.check(buffer[start:end].decode())):
                return index, start, end
        return None

    def _keep(self, data: bytes, out: list[str]) -> None:
        text = data.decode()
        self._position += len(text)
        out.append(text if self._writer is None else self._writer.keep(text))

    def _replace(self, rule: int, buffer: bytes, start: int, end: int, out: list[str]) -> None:
        long = self._programs.rules[rule].long
        text = buffer[start:end].decode()
        begin = self._position
        self._position += len(text)
        match = Match(rule, begin, self._position, text if long is None else "")
        self.matches.append(match)
        if rule in self._stops:
            self.stopped_by = match
            return
        replacement = f"[{self._labels[rule]}]" if self._substitute is None else self._substitute(match)
        if self._writer is not None:
            is_token = buffer[start - 1 : start] in _BEFORE_TOKEN and buffer[end : end + 1] in _AFTER_TOKEN
            out.append(
                self._writer.keep(text)
                if replacement is None
                else self._writer.replace(text, replacement, is_token)
            )
        else:
            out.append(text if replacement is None else replacement)
        if long is not None:
            self._long, self._long_match, self._is_shown = long, len(self.matches) - 1, replacement is None

    def _follow(self, long: LongKind, buffer: bytes, place: int, is_last: bool, out: list[str]) -> int:
        """Pass over the body of a long kind and its end. The kind is over once `_long` is None."""
        programs = self._programs
        size = len(buffer)
        end = long.body(programs.here, buffer, place, size)[0][1]
        end, is_cut = self._cut(buffer, place, end)
        self._pass(buffer[place:end], out)
        if end == size and not is_last and not is_cut:
            return end
        place = end
        if long.end is not None and long.end_prefix is not None and place < size and not is_cut:
            if not is_last and long.end_prefix(programs.exactly, buffer, place, size)[0][0] >= 0:
                return place
            end = long.end(programs.here, buffer, place, size)[0][1]
            if end > place and not self._cut(buffer, place, end)[1]:
                self._pass(buffer[place:end], out)
                place = end
        self._long = None
        return place

    def _cut(self, buffer: bytes, place: int, end: int) -> tuple[int, bool]:
        """In JSON source a long kind ends before the quote that ends its string."""
        if self._writer is None:
            return end, False
        text = buffer[place:end].decode()
        quote = self._writer.find_bound(text)
        return (end, False) if quote < 0 else (place + len(text[:quote].encode()), True)

    def _pass(self, data: bytes, out: list[str]) -> None:
        if not data:
            return
        text = data.decode()
        self._position += len(text)
        self.matches[self._long_match] = self.matches[self._long_match]._replace(end=self._position)
        if self._writer is not None:
            out.append(self._writer.keep(text) if self._is_shown else self._writer.drop(text))
        elif self._is_shown:
            out.append(text)


_BEFORE_TOKEN = frozenset((b"", b" ", b"\t", b"\n", b"\r", b":", b",", b"["))
_AFTER_TOKEN = frozenset((b"", b" ", b"\t", b"\n", b"\r", b"]", b",", b"}"))


class _WordPlaces:
    """Where words begin in a part of the buffer, in bytes."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, text: str, place: int, found: dict[int, dict[int, int]]) -> None:
        chars = sorted({*found, *(end for ends in found.values() for end in ends.values())})
        if text.isascii():
            at = {char: place + char for char in chars}
        else:
            at, last, reached = {}, 0, place
            for char in chars:
                reached += len(text[last:char].encode())
                at[char], last = reached, char
        self._ends = {at[s]: {rule: at[e] for rule, e in ends.items()} for s, ends in found.items()}
        self._starts = sorted(self._ends, reverse=True)

    def first_from(self, place: int, otherwise: int) -> int:
        starts = self._starts
        while starts and starts[-1] < place:
            starts.pop()
        return starts[-1] if starts else otherwise

    def ends_at(self, at: int) -> dict[int, int] | None:
        return self._ends.get(at)
