"""The `episode:EVENT` detector: what is true of an agent's episode, by playing it again in the suite's own world.

The answer of an agentic sample is the canonical summary of its episode. The environment is found by the suite's name,
so that no plan or rubric can choose another judge; it makes every call again in a fresh world and says which events are
true. An answer that is no summary, an episode that cannot have happened, and a model that failed are unscored.
"""

from __future__ import annotations

import msgspec

from verilabel.detectors.interface import Finding, leave_unscored, score
from verilabel.errors import MalformedInput, UsageError
from verilabel.records.canonical import digest, parse_json
from verilabel.records.episode import EpisodeSummary
from verilabel.records.sample import Sample
from verilabel.records.score import DetectorCard
from verilabel.suites.worlds.catalogue import environments, environments_with, find_environment

RULES = "episode/1: the environment of the suite's name plays the calls again and says which events are true"
MAX_SUMMARY_BYTES = 16 * 2**20
_ENDINGS = {
    "answered": "the agent answered",
    "finished": "the world was over",
    "steps": "the agent's steps were used up",
    "calls": "the agent's calls were used up",
    "tokens": "the agent's tokens were used up",
}


class EpisodeDetector:
    """One event of agentic suites. Exact: it is computed from the calls, without a judge.

    The card's digest covers the rules, the event, and every environment (`id@version`) that tells of it. Raises
    UsageError for an event that no environment has.
    """

    def __init__(self, event: str) -> None:
        tellers = sorted(environment.name for environment in environments_with(event))
        if not tellers:
            known = sorted({name for environment in environments().values() for name in environment.events})
            raise UsageError(
                f"no environment has an event {event[:80]!r}", hint=f"they have {', '.join(known)}"
            )
        sha256 = digest("\n".join((RULES, event, *tellers)).encode())
        self.card = DetectorCard(
            id="episode",
            version=f"1.0.0+{sha256[7:15]}",
            event=event,
            sha256=sha256,
            exact=True,
            setting=event,
        )

    def detect(self, suite: str, sample: Sample, epoch: int, output: str) -> Finding:
        """Play the episode again and say whether the event is true of it."""
        event = self.card.event
        environment = find_environment(suite)
        if environment is None or event not in environment.events:
            return leave_unscored(self.card, suite, sample, epoch, f"{suite[:80]} does not tell of {event}")
        try:
            episode = read_summary(output)
        except MalformedInput:
            return leave_unscored(self.card, suite, sample, epoch, "the answer is no summary of an episode")
        if episode.ending == "failed":
            return leave_unscored(self.card, suite, sample, epoch, "the model failed within the episode")
        try:
            value = environment.judge(sample, episode)[event]
        except MalformedInput as error:
            reason = f"the episode cannot be judged: {error.message}"
            return leave_unscored(self.card, suite, sample, epoch, reason)
        calls = len(episode.calls)
        detail = f"{_ENDINGS[episode.ending]} after {calls} call{'' if calls == 1 else 's'}"
        return score(self.card, suite, sample, epoch, value=value, detail=detail)


def read_summary(output: str) -> EpisodeSummary:
    """The summary that an answer is. Raises MalformedInput where it is none."""
    try:
        document = parse_json(output.encode("utf-8"), where="$", max_bytes=MAX_SUMMARY_BYTES)
        return msgspec.convert(document, EpisodeSummary, strict=True)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise MalformedInput(str(error), where="$") from error
