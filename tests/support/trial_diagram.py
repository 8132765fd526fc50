"""The picture of a trial's life in ``docs/architecture.md``, made from the table in the code.

    python -m tests.support.trial_diagram

writes it into the page, between its two marks.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from zeus_bso.server.services.trial_rules import TRANSITIONS, Event, TrialState

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGIN, END = "<!-- trial: begin -->", "<!-- trial: end -->"


def picture() -> str:
    """A state diagram, and a table of all states and events."""
    return f"```mermaid\n{_diagram()}\n```\n\n{_table()}"


def drawn() -> str:
    """What the page has between its marks."""
    return PAGE.read_text().split(BEGIN)[1].split(END)[0].strip()


def draw() -> None:
    """Write the picture into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{picture()}\n\n{END}{rest.partition(END)[2]}")


def _diagram() -> str:
    names = [f'    state "{state.value}" as {state.name}' for state in TrialState]
    edges = [
        f"    {start.name} --> {to.name}: {', '.join(event.value for event in events)}"
        for (start, to), events in _edges().items()
    ]
    return "\n".join(["stateDiagram-v2", *names, f"    [*] --> {TrialState.OPEN.name}: ask", *edges])


def _edges() -> dict[tuple[TrialState, TrialState], list[Event]]:
    edges: dict[tuple[TrialState, TrialState], list[Event]] = defaultdict(list)
    for transition in TRANSITIONS:
        for start in transition.states:
            # A Failed trial is open again before its report is judged.
            reopened = start is not TrialState.OPEN and TrialState.OPEN in transition.to
            for to in (TrialState.OPEN,) if reopened else transition.to:
                edges[start, to].append(transition.event)
    return edges


def _table() -> str:
    head = ["", *(event.value for event in Event)]
    rows = [[state.value, *(_cell(state, event) for event in Event)] for state in TrialState]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _cell(state: TrialState, event: Event) -> str:
    (found,) = [each for each in TRANSITIONS if each.event is event and state in each.states]
    return found.step.value


if __name__ == "__main__":
    draw()
