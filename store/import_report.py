"""What an import found: counts for the user, and the report of what cannot be read."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.benchmark_formats import BadFile
from store.importers.records import Fault, ImportedGroup, Skipped

#: Faults that are shown; the others are counted.
SHOWN_FAULTS = 20


@dataclass
class ImportReport:
    """Counts over a file; verdicts by verifier and outcome, skipped records by reason."""

    records: int = 0
    samples: int = 0
    with_tokens: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    per_problem: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0

    def take(self, group: ImportedGroup, problem_id: int, verifier_of: Any) -> None:
        """Count a group."""
        self.records += 1
        if group.samples and not group.again:
            self.samples += len(group.samples)
            self.per_problem[problem_id] += len(group.samples)
            self.with_tokens += sum(sample.completion_tokens is not None for sample in group.samples)
        for sample in group.samples:
            for verdict in sample.verdicts:
                self.verdicts[verifier_of(verdict.part)][verdict.outcome] += 1

    def skip(self, skipped: Skipped) -> None:
        self.records += 1
        self.skipped[skipped.why] += 1

    def fault(self, fault: Fault) -> None:
        self.fault_count += 1
        if len(self.faults) < SHOWN_FAULTS:
            self.faults.append(fault.message)

    def refuse_faults(self, path: Path) -> None:
        """Raise BadFile with every fault, each with its file, line or record, and field."""
        if not self.fault_count:
            return
        if self.fault_count == 1:
            raise BadFile(self.faults[0])
        more = self.fault_count - len(self.faults)
        lines = [f"{path}: {self.fault_count:,} records cannot be taken, so nothing was stored:", *self.faults]
        raise BadFile("\n  ".join([*lines, *([f"... and {more:,} more."] if more else [])]))

    @property
    def fewest(self) -> int:
        return min(self.per_problem.values(), default=0)

    @property
    def most(self) -> int:
        return max(self.per_problem.values(), default=0)

    def values(self) -> dict[str, Any]:
        """The counts as plain values."""
        return {
            "records": self.records,
            "problems": len(self.per_problem),
            "samples": self.samples,
            "samples_per_problem": {"fewest": self.fewest, "most": self.most},
            "samples_with_known_tokens": self.with_tokens,
            "verdicts": {name: dict(counts) for name, counts in sorted(self.verdicts.items())},
            "skipped": dict(self.skipped),
        }

    def lines(self) -> list[str]:
        """The counts for reading."""
        each = f"{self.fewest:,}" if self.fewest == self.most else f"{self.fewest:,} to {self.most:,}"
        found = [
            f"problems    {len(self.per_problem):,}, {each} samples each",
            f"samples     {self.samples:,}; completion tokens known for {self.with_tokens:,}",
        ]
        for name, counts in sorted(self.verdicts.items()):
            outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items()))
            found.append(f"verdicts    {sum(counts.values()):,} by {name}: {outcomes}")
        found += [f"skipped     {count:,}: {why}" for why, count in sorted(self.skipped.items())]
        return found
