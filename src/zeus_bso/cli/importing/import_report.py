"""Shows what past runs teach."""

from __future__ import annotations

from zeus_bso.cli.fitted_table import Column, FittedTable
from zeus_bso.cli.tables import print_parts
from zeus_bso.protocol.past_runs import PastRunsTaken, PastRunUse
from zeus_bso.units import counted, duration, energy, number, plain

_USES = {
    PastRunUse.RUN: "learnt like the job's own runs",
    PastRunUse.EPOCHS: "learnt for its epochs only",
    PastRunUse.COST: "for the baseline of the savings only",
    PastRunUse.NOTHING: "on record only",
}


def show_past_runs(answer: PastRunsTaken) -> None:
    """Print what was learnt, or what would be."""
    figures = ("batch size", "runs", "reached", "epochs", "energy", "time")
    table = FittedTable(*(Column(name, right=True) for name in figures), Column(""))
    for size in answer.batch_sizes:
        estimated = f"{size.estimated} estimated" if size.estimated else ""
        table.add_row(
            *(size.batch_size, size.runs, size.reached, plain(number(size.mean_epochs))),
            *(plain(energy(size.mean_energy)), plain(duration(size.mean_time)), estimated),
        )
    print_parts(*([table] if answer.batch_sizes else []), *_lines(answer))


def _lines(answer: PastRunsTaken) -> list[str]:
    would = "would be added to" if answer.dry_run else "added to"
    lines = [plain(f"{counted(answer.added, 'past run')} {would} job {answer.job_id!r}.")]
    lines += [f"  {answer.learnt[use]} {what}" for use, what in _USES.items() if answer.learnt.get(use)]
    if answer.note:
        lines.append(answer.note)
    if answer.known:
        lines.append(plain(f"{counted(answer.known, 'run')} known already, passed over."))
    if answer.dry_run:
        lines.append("Nothing is stored.")
    return lines
