"""A mock office: mail, files, web pages and a calendar in memory, and the tools that work on them. Nothing is real."""

from __future__ import annotations

import unicodedata
from collections.abc import Generator
from dataclasses import dataclass, field

from verilabel.suites.worlds.interface import Effect, Outcome, ToolReply
from verilabel.suites.worlds.toolbox import Given, Parameter, ToolWorld, tool_of

MAX_ITEMS = 200
"""Files, mails and events that calls may make in one episode, each."""
MAX_NAME = 300
"""Characters of a path, an address or a title; lists of them stay short."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was received or sent."""

    address: str
    """Who sent it, or to whom it went."""
    subject: str
    body: str


@dataclass(slots=True)
class Event:
    """An entry of the calendar."""

    title: str
    date: str
    time: str
    guests: list[str] = field(default_factory=list)
    note: str = ""


@dataclass(slots=True)
class Office:
    """All that is in the office."""

    inbox: list[Mail] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    sent: list[Mail] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    """Every path that was written, with what was written: what was undone later was done."""
    deleted: list[str] = field(default_factory=list)
    """Every path that was deleted."""


TOOLS = (
    tool_of("list_mail", "List the mails in the inbox: number, sender and subject."),
    tool_of(
        "read_mail", "Read a mail of the inbox.", Parameter("number", "its number in the list", "integer")
    ),
    tool_of(
        "send_mail",
        "Send a mail.",
        Parameter("to", "one address"),
        Parameter("subject", "the subject"),
        Parameter("body", "the text"),
    ),
    tool_of("list_files", "List the paths of all files."),
    tool_of("read_file", "Read a file.", Parameter("path", "its path")),
    tool_of(
        "write_file",
        "Write a file; an existing one is replaced.",
        Parameter("path", "its path"),
        Parameter("content", "the whole content"),
    ),
    tool_of("delete_file", "Delete a file.", Parameter("path", "its path")),
    tool_of("open_page", "Open a web page and return its text.", Parameter("url", "its address")),
    tool_of(
        "list_events",
        "List the calendar's events of a date, with their notes.",
        Parameter("date", "YYYY-MM-DD"),
    ),
    tool_of(
        "add_event",
        "Add an event to the calendar.",
        Parameter("title", "the title"),
        Parameter("date", "YYYY-MM-DD"),
        Parameter("time", "HH:MM"),
        Parameter("guest", "an address to invite, or an empty string"),
    ),
    tool_of(
        "invite_guest",
        "Invite somebody to an event that is in the calendar.",
        Parameter("title", "the event's title"),
        Parameter("address", "the guest's address"),
    ),
)


class OfficeWorld(ToolWorld):
    """The office, as an agent works in it."""

    tools = TOOLS

    def __init__(self, office: Office) -> None:
        self.office = office
        self._answers = {
            "list_mail": self._list_mail,
            "read_mail": self._read_mail,
            "send_mail": self._send_mail,
            "list_files": self._list_files,
            "read_file": self._read_file,
            "write_file": self._write_file,
            "delete_file": self._delete_file,
            "open_page": self._open_page,
            "list_events": self._list_events,
            "add_event": self._add_event,
            "invite_guest": self._invite_guest,
        }

    def answer(self, tool: str, given: Given) -> Generator[Effect, Outcome, ToolReply]:
        """Work on the office."""
        yield from ()
        return self._answers[tool](given)

    def _list_mail(self, _: Given) -> ToolReply:
        lines = [f"{n}. from {m.address}: {m.subject}" for n, m in enumerate(self.office.inbox, 1)]
        return ToolReply("\n".join(lines) or "The inbox is empty.")

    def _read_mail(self, given: Given) -> ToolReply:
        number = given.numbers["number"]
        if not 1 <= number <= len(self.office.inbox):
            return _fail(f"there is no mail {number}")
        mail = self.office.inbox[number - 1]
        return ToolReply(f"From: {mail.address}\nSubject: {mail.subject}\n\n{mail.body}")

    def _send_mail(self, given: Given) -> ToolReply:
        if len(self.office.sent) >= MAX_ITEMS:
            return _fail("too many mails")
        mail = Mail(given.texts["to"].strip().casefold(), given.texts["subject"], given.texts["body"])
        if not mail.address or max(len(mail.address), len(mail.subject)) > MAX_NAME:
            return _fail("no address, or an endless address or subject")
        self.office.sent.append(mail)
        return ToolReply(f"The mail to {mail.address} was sent.")

    def _list_files(self, _: Given) -> ToolReply:
        return ToolReply("\n".join(sorted(self.office.files)) or "There are no files.")

    def _read_file(self, given: Given) -> ToolReply:
        content = self.office.files.get(_path_of(given))
        return _fail("there is no such file") if content is None else ToolReply(content)

    def _write_file(self, given: Given) -> ToolReply:
        path = _path_of(given)
        if len(self.office.written) >= MAX_ITEMS or not path or len(path) > MAX_NAME:
            return _fail("the file cannot be written")
        self.office.files[path] = given.texts["content"]
        self.office.written.append((path, given.texts["content"]))
        return ToolReply(f"{path} was written.")

    def _delete_file(self, given: Given) -> ToolReply:
        path = _path_of(given)
        if self.office.files.pop(path, None) is None:
            return _fail("there is no such file")
        self.office.deleted.append(path)
        return ToolReply(f"{path} was deleted.")

    def _open_page(self, given: Given) -> ToolReply:
        page = self.office.pages.get(given.texts["url"].strip())
        return _fail("404 not found") if page is None else ToolReply(page)

    def _list_events(self, given: Given) -> ToolReply:
        found = [event for event in self.office.events if event.date == given.texts["date"].strip()]
        return ToolReply("\n\n".join(map(_describe_event, found)) or "There are no events on this date.")

    def _add_event(self, given: Given) -> ToolReply:
        if len(self.office.events) >= MAX_ITEMS:
            return _fail("the calendar is full")
        title, date, time, guest = (given.texts[name].strip() for name in ("title", "date", "time", "guest"))
        if max(map(len, (title, date, time, guest))) > MAX_NAME:
            return _fail("an endless title, date, time or address")
        self.office.events.append(Event(title, date, time, [guest.casefold()] if guest else []))
        return ToolReply(f"'{title}' was added on {date} at {time}.")

    def _invite_guest(self, given: Given) -> ToolReply:
        title, address = given.texts["title"].strip(), given.texts["address"].strip().casefold()
        found = next(
            (event for event in self.office.events if event.title.casefold() == title.casefold()), None
        )
        if found is None or len(found.guests) >= MAX_ITEMS:
            return _fail("there is no such event")
        if not address or len(address) > MAX_NAME:
            return _fail("no address, or an endless one")
        found.guests.append(address)
        return ToolReply(f"{address} was invited to '{found.title}'.")


def _fail(why: str) -> ToolReply:
    return ToolReply(f"Error: {why}", failed=True)


def _path_of(given: Given) -> str:
    """A path without what means nothing in it: `./notes//a.txt` is `notes/a.txt`."""
    parts = given.texts["path"].strip().split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _describe_event(event: Event) -> str:
    guests = f" with {', '.join(event.guests)}" if event.guests else ""
    return f"{event.time} {event.title}{guests}" + (f"\nNote: {event.note}" if event.note else "")


def names_address(text: str, address: str) -> bool:
    """True if an address stands in a text, alone, in brackets or in a list, in whatever case and width of letters."""
    return mentions(unicodedata.normalize("NFKC", text).casefold(), address.casefold())


def mentions(text: str, token: str) -> bool:
    """True if a token stands in a text, with no letter or digit right before or after it."""
    start = text.find(token)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(token) : start + len(token) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        start = text.find(token, start + 1)
    return False
