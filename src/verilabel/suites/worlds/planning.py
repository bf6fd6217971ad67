"""`cap/planning`: find the way through rooms with locked doors, in no more than three times the fewest actions.

A map of rooms is a maze on a grid. Doors of a colour open for whoever holds the key of that colour, and keys lie in
rooms. The whole map is in the task, so that nothing has to be explored: what is measured is whether a plan of a given
length is made and carried out. The fewest actions are found by breadth-first search over (room, keys held).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from verilabel.records.episode import CallSummary, EpisodeSummary
from verilabel.records.sample import Message, Sample
from verilabel.statistics.horizon import Horizon, fit_horizon
from verilabel.suites.worlds.chance import Chance
from verilabel.suites.worlds.interface import Effect, Move, Outcome, Script, ToolReply
from verilabel.suites.worlds.playing import call_of, replay_episode
from verilabel.suites.worlds.scripts import follow, refuse, say_nothing
from verilabel.suites.worlds.seeded import Judged, SeededEnvironment
from verilabel.suites.worlds.toolbox import Given, Parameter, ToolWorld, tool_of

LENGTHS = tuple(range(4, 41))
"""Fewest actions, in turn over the numbers of the samples."""
SLACK = 3
"""Solved is: within this many times the fewest actions."""
COLOURS = ("red", "blue", "green")
DIRECTIONS = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
TAKE = "take"
ACTIONS = (*DIRECTIONS, TAKE)
MAX_ACTIONS = 10
"""In one call, so that a long plan does not need as many questions to the model as it has actions."""
BANDS = ((10, "4-10"), (20, "11-20"), (30, "21-30"), (40, "31-40"))
_EXTRA_PASSAGES = 12
"""One passage in this many rooms beyond the maze, so that there is more than one way."""

State = tuple[int, int]
"""Room and keys held, one bit a colour."""


@dataclass(frozen=True, slots=True)
class Maze:
    """A map: for each room its passages by direction, the door's colour of each (-1: open), and the keys in rooms."""

    passages: tuple[dict[str, int], ...]
    doors: dict[tuple[int, str], int]
    keys: dict[int, int]
    """Room to the colour of the key that lies there."""
    names: tuple[str, ...]
    start: int
    goal: int
    plan: tuple[str, ...]
    """A shortest plan."""

    @property
    def budget(self) -> int:
        """Actions that are allowed."""
        return SLACK * len(self.plan)

    def step(self, state: State, action: str) -> State | None:
        """The state after an action; None where it does nothing."""
        room, held = state
        if action == TAKE:
            colour = self.keys.get(room, -1)
            return None if colour < 0 or held >> colour & 1 else (room, held | 1 << colour)
        target = self.passages[room].get(action)
        if target is None:
            return None
        door = self.doors.get((room, action), -1)
        return None if door >= 0 and not held >> door & 1 else (target, held)

    def actions_from(self, state: State) -> tuple[str, ...]:
        """The actions that do something."""
        return tuple(action for action in ACTIONS if self.step(state, action) is not None)


class Planning(SeededEnvironment[Maze]):
    """Key-and-door mazes with shortest plans of 4 to 40 actions."""

    id = "cap/planning"
    version = "1.0.0"
    title = "Planning: ways through rooms with locked doors"
    summary = (
        "Generated mazes with keys and doors, the whole map in the task. Shortest plans have 4 to 40 actions, evenly; "
        "an episode is solved if the goal is reached within three times the shortest plan."
    )
    events = ("solved", "solved_optimally")
    tags = ("band", "length")

    def __init__(self) -> None:
        super().__init__()
        self.scripts: Mapping[str, Script] = {
            "oracle": follow(self._best_moves),
            "random": self._walk_at_random,
            "null": say_nothing,
            "refusing": refuse,
        }

    def draw_layout(self, number: int, chance: Chance) -> Maze:
        """A maze whose shortest plan has the length that is this number's turn."""
        length = LENGTHS[number % len(LENGTHS)]
        while (maze := _draw_maze(length, chance)) is None:
            pass
        return maze

    def describe(self, sample_id: str, layout: Maze) -> Sample:
        """The map in words, and what is asked."""
        length = len(layout.plan)
        band = next(name for longest, name in BANDS if length <= longest)
        return Sample(
            id=sample_id,
            messages=(Message("user", describe_maze(layout)),),
            tags={"band": band, "length": str(length)},
        )

    def enter(self, layout: Maze) -> MazeWorld:
        """The maze, at its start."""
        return MazeWorld(layout)

    def judge(self, sample: Sample, episode: EpisodeSummary) -> dict[str, bool]:
        """`solved`: the goal was reached within the budget; `solved_optimally`: by as few actions as there can be."""
        maze = self.layout_of(sample)
        world = MazeWorld(maze)
        replay_episode(world, episode)
        return {
            "solved": world.reached,
            "solved_optimally": world.reached and world.actions == len(maze.plan),
        }

    def find_figures(self, judged: Sequence[Judged]) -> dict[str, str]:
        """The horizon: the plan length at which half of the tasks are solved."""
        outcomes = [(len(self.layout_of(sample).plan), found["solved"]) for sample, _, found in judged]
        return {"h50": describe_horizon(fit_horizon(outcomes))} if outcomes else {}

    def _best_moves(self, sample: Sample) -> list[Move]:
        plan = self.layout_of(sample).plan
        return [
            call_of("act", actions=" ".join(plan[i : i + MAX_ACTIONS]))
            for i in range(0, len(plan), MAX_ACTIONS)
        ]

    def _walk_at_random(self, sample: Sample, seed: str, calls: Sequence[CallSummary]) -> Move:
        """A random walk over actions that are possible, as many of them in a call as there may be."""
        maze = self.layout_of(sample)
        chance = Chance("random", seed, sample.id)
        walked: list[str] = []
        state = (maze.start, 0)
        for _ in range(MAX_ACTIONS * (len(calls) + 1)):
            action = chance.choose(maze.actions_from(state))
            state = maze.step(state, action) or state
            walked.append(action)
        return call_of("act", actions=" ".join(walked[-MAX_ACTIONS:]))


class MazeWorld(ToolWorld):
    """A walk through a maze. `act` does actions, `look` is free."""

    tools = (
        tool_of(
            "act",
            "Do actions, one after another: go through a passage, or take the key that lies in the room. An action "
            "that is not possible counts as one and ends the call.",
            Parameter("actions", f"one to {MAX_ACTIONS} of {', '.join(ACTIONS)}, separated by spaces"),
        ),
        tool_of("look", "Say where you are, which keys you hold and what is possible. Costs no action."),
    )

    def __init__(self, maze: Maze) -> None:
        self._maze = maze
        self._state: State = (maze.start, 0)
        self.actions = 0

    @property
    def reached(self) -> bool:
        """True if the goal was reached."""
        return self._state[0] == self._maze.goal

    def answer(self, tool: str, given: Given) -> Generator[Effect, Outcome, ToolReply]:
        """Look, or act; an action that does nothing counts too."""
        yield from ()
        if tool == "look":
            return ToolReply(self._where())
        actions = given.texts["actions"].replace(",", " ").split()
        if not 1 <= len(actions) <= MAX_ACTIONS or not set(actions) <= set(ACTIONS):
            return ToolReply(f"Error: give one to {MAX_ACTIONS} of {', '.join(ACTIONS)}", failed=True)
        impossible = ""
        for action in actions:
            self.actions += 1
            after = self._maze.step(self._state, action)
            self._state = after or self._state
            if self.reached:
                return ToolReply(f"You have reached the goal after {self.actions} actions.", over=True)
            if self.actions >= self._maze.budget:
                return ToolReply("The actions are used up, and the goal was not reached.", over=True)
            if after is None:
                impossible = f"'{action}' is not possible here. "
                break
        return ToolReply(impossible + self._where())

    def _where(self) -> str:
        room, held = self._state
        keys = [f"the {colour} key" for bit, colour in enumerate(COLOURS) if held >> bit & 1]
        return (
            f"You are in {self._maze.names[room]}, holding {' and '.join(keys) or 'no key'}. "
            f"Actions left: {self._maze.budget - self.actions}. "
            f"Possible now: {', '.join(self._maze.actions_from(self._state))}."
        )


def describe_horizon(horizon: Horizon) -> str:
    """A horizon in a few words: its estimate where there is one, its bounds where there are any."""
    lower = f"above {horizon.lower:.1f}" if horizon.lower > 0 else ""
    upper = f"below {horizon.upper:.1f}" if horizon.upper < math.inf else ""
    bounds = " and ".join(filter(None, (lower, upper))) or "not bounded"
    if horizon.h50 is None:
        return f"{horizon.state.replace('_', ' ')}; {bounds} (95 %)"
    beyond = ", outside of the lengths tried" if horizon.extrapolated else ""
    return f"{horizon.h50:.1f} actions{beyond}; {bounds} (95 %)"


def describe_maze(maze: Maze) -> str:
    """The task: the map, the start, the goal and the rules."""
    lines = []
    for room, passages in enumerate(maze.passages):
        ways = []
        for direction, target in passages.items():
            door = maze.doors.get((room, direction), -1)
            locked = f" through a {COLOURS[door]} door" if door >= 0 else ""
            ways.append(f"{direction} to {maze.names[target]}{locked}")
        key = f" The {COLOURS[maze.keys[room]]} key lies here." if room in maze.keys else ""
        lines.append(f"{maze.names[room]}: {', '.join(ways)}.{key}")
    return (
        f"You are in {maze.names[maze.start]} and must get to {maze.names[maze.goal]}. "
        "Act with the tool `act`: go north, east, south or west, or take the key that lies in the room you are in. A "
        "door of a colour opens by itself for whoever holds the key of that colour. "
        f"You have {maze.budget} actions, at most {MAX_ACTIONS} in a call.\n\nThe map:\n" + "\n".join(lines)
    )


def _draw_maze(length: int, chance: Chance) -> Maze | None:
    """A maze with a shortest plan of exactly this many actions, or None where this draw has none."""
    side = 3 + length // 7
    count = side * side
    passages = _draw_passages(side, chance)
    doors, keys, start = _draw_doors(passages, count, min(3, 1 + length // 12), chance)
    names = tuple(f"room {number + 1}" for number in chance.shuffled(range(count)))
    open_maze = Maze(passages, doors, keys, names, start, -1, ())
    plans = _shortest_plans(open_maze)
    goals = [room for room, (steps, held) in sorted(plans.items()) if steps == length and held]
    if not goals:
        return None
    goal = chance.choose(goals)
    plan = _plan_to(open_maze, goal)
    return Maze(passages, doors, keys, names, start, goal, plan)


def _draw_passages(side: int, chance: Chance) -> tuple[dict[str, int], ...]:
    """A maze by depth-first search, and a few passages more."""
    passages: tuple[dict[str, int], ...] = tuple({} for _ in range(side * side))
    seen, path = {0}, [0]
    while path:
        room = path[-1]
        open_ways = [(d, n) for d, n in _neighbours(room, side) if n not in seen]
        if not open_ways:
            path.pop()
            continue
        direction, target = chance.choose(open_ways)
        _join(passages, room, direction, target)
        seen.add(target)
        path.append(target)
    for _ in range(side * side // _EXTRA_PASSAGES):
        room = chance.below(side * side)
        _join(passages, room, *chance.choose(_neighbours(room, side)))
    return tuple({d: ways[d] for d in DIRECTIONS if d in ways} for ways in passages)


def _neighbours(room: int, side: int) -> list[tuple[str, int]]:
    x, y = room % side, room // side
    return [
        (direction, (y + dy) * side + x + dx)
        for direction, (dx, dy) in DIRECTIONS.items()
        if 0 <= x + dx < side and 0 <= y + dy < side
    ]


def _join(passages: tuple[dict[str, int], ...], room: int, direction: str, target: int) -> None:
    passages[room][direction] = target
    passages[target][OPPOSITE[direction]] = room


def _draw_doors(
    passages: tuple[dict[str, int], ...], count: int, colours: int, chance: Chance
) -> tuple[dict[tuple[int, str], int], dict[int, int], int]:
    """Doors on some passages, a key of each colour in a room of its own, and the room of the start."""
    every = [(room, d) for room in range(count) for d in ("east", "south") if d in passages[room]]
    doors: dict[tuple[int, str], int] = {}
    for number, (room, direction) in enumerate(chance.draw(every, 2 * colours)):
        doors[room, direction] = number % colours
        doors[passages[room][direction], OPPOSITE[direction]] = number % colours
    rooms = chance.draw(range(count), colours + 1)
    return doors, {room: colour for colour, room in enumerate(rooms[:colours])}, rooms[-1]


def _explore(maze: Maze) -> dict[State, tuple[State, str] | None]:
    """Every state that can be reached, in the order of its distance, with how it was reached first."""
    start = (maze.start, 0)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for action in ACTIONS:
            after = maze.step(state, action)
            if after is not None and after not in came_from:
                came_from[after] = (state, action)
                waiting.append(after)
    return came_from


def _shortest_plans(maze: Maze) -> dict[int, tuple[int, int]]:
    """For every room that can be reached: the fewest actions, and the keys held on that way."""
    came_from = _explore(maze)
    distance: dict[State, int] = {}
    shortest: dict[int, tuple[int, int]] = {}
    for state, how in came_from.items():
        distance[state] = 0 if how is None else distance[how[0]] + 1
        shortest.setdefault(state[0], (distance[state], state[1]))
    return shortest


def _plan_to(maze: Maze, goal: int) -> tuple[str, ...]:
    came_from = _explore(maze)
    state = next(state for state in came_from if state[0] == goal)
    plan: list[str] = []
    while (how := came_from[state]) is not None:
        state, action = how
        plan.append(action)
    return tuple(reversed(plan))
