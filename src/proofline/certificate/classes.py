"""The class of every out: what comparison alone says, and what may be excused by a training upstream.

A stage is a function of what it reads, up to rounding. So its outs must decide the same, unless something that it reads
does not, or it is a training, whose weights rounding changes in every bit. From there on:

- weights that differ are judged by what they do: the worst class among the outs of the evaluation that reads them;
- rows and numbers that differ are equivalent where the headline metrics are that depend on them; an evaluation's
  numbers only where its rows differ too;
- a text or picture takes the worst class of what it was made of;
- rows that a server wrote are a training's equal: the stage that asked it may get others the next time. They are
  equivalent at best, though not one byte differs: that they came out again was luck, or the server's own affair.

A training is a stage that writes weights and reads what another stage wrote: the base, which reads nothing, is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from proofline.certificate.compare import Class, Comparison
from proofline.certificate.equivalence import MetricTest
from proofline.certificate.lock import Lock, Stage, read_outs
from proofline.certificate.manifest import WEIGHTS, Entry

SERVED = "the same, but a server wrote it: nothing promises that it does so again"
Outs = Mapping[str, Comparison]


@dataclass(frozen=True)
class Verdict:
    """An out's class and why."""

    stage: str
    rank: Class
    reason: str


def trainings(lock: Lock, files: Mapping[str, Mapping[str, Entry]]) -> set[str]:
    """Stages that train. `files`: those of each out."""
    return {
        stage.name
        for stage in lock.stages.values()
        if lock.needs(stage) and any(path.endswith(WEIGHTS) for out in stage.outs for path in files.get(out, ()))
    }


@dataclass
class Classifier:
    """Goes through the stages in order; `comparisons` holds the outs of those that ran."""

    lock: Lock
    comparisons: Outs
    trainings: set[str]
    evaluations: Mapping[str, Sequence[MetricTest]]
    """The headline tests of each stage that has some."""
    served: set[str] = field(default_factory=set)
    """Outs with rows that a server wrote, in the commit or now."""
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def classify(self) -> dict[str, Verdict]:
        """Every out's verdict, in the order of the stages; trained weights after what was evaluated."""
        later: list[tuple[Stage, str]] = []
        for stage in self._stages():
            for out in stage.outs:
                comparison = self.comparisons[out]
                if comparison.known is not None:
                    judged = self._known(stage, comparison)
                    if out in self.served and judged[0] < Class.EQUIVALENT:
                        judged = Class.EQUIVALENT, SERVED
                elif stage.name in self.trainings:
                    later.append((stage, out))
                    continue
                else:
                    judged = self._made_of(stage, comparison)
                self.verdicts[out] = Verdict(stage.name, *judged)
        # Seen from the last training back: a model that is only trained further is judged by what comes of it.
        for stage, out in reversed(later):
            self.verdicts[out] = Verdict(stage.name, *self._by_use(out))
        return {out: self.verdicts[out] for stage in self._stages() for out in stage.outs}

    def _stages(self) -> Iterator[Stage]:
        return (stage for stage in self.lock.stages.values() if all(out in self.comparisons for out in stage.outs))

    def _inputs(self, stage: Stage) -> list[str]:
        return [out for other in self.lock.needs(stage) for out in read_outs(stage, other) if out in self.comparisons]

    def _moved(self, out: str) -> bool:
        """Does an input decide otherwise, or may it?"""
        known = self.comparisons[out].known
        return out not in self.verdicts if known is None else known > Class.SAME

    def _excused(self, stage: Stage) -> bool:
        return (
            stage.name in self.trainings
            or not self.served.isdisjoint(stage.outs)
            or any(
                self._moved(out) or (self.verdicts[out].rank > Class.SAME and out not in self.served)
                for out in self._inputs(stage)
            )
        )

    def _known(self, stage: Stage, comparison: Comparison) -> tuple[Class, str]:
        assert comparison.known is not None
        if comparison.known < Class.DIFFERENT:
            return comparison.known, comparison.reason
        if not comparison.excusable:
            return Class.DIFFERENT, comparison.reason
        if not self._excused(stage):
            return Class.DIFFERENT, f"{comparison.reason}; nothing that {stage.name} reads differs"
        if stage.name in self.evaluations and not self._rows_differ(stage):
            return Class.DIFFERENT, f"{comparison.reason}; the rows that it sums up decide the same"
        return self._by_headline(stage, comparison.reason)

    def _rows_differ(self, stage: Stage) -> bool:
        rows = [self.comparisons[out] for out in stage.outs if out.endswith(".jsonl")]
        return not rows or any(one.known == Class.DIFFERENT for one in rows)

    def _made_of(self, stage: Stage, comparison: Comparison) -> tuple[Class, str]:
        """A file that only its bytes describe."""
        inputs = self._inputs(stage)
        if self._excused(stage):
            return self._by_headline(stage, comparison.reason)
        if any(self.verdicts[out].rank == Class.SAME for out in inputs):
            return Class.SAME, f"{comparison.reason}, made of the same decisions"
        return Class.DIFFERENT, f"{comparison.reason}; all that {stage.name} reads is identical"

    def _by_headline(self, stage: Stage, reason: str) -> tuple[Class, str]:
        """By the metrics of this stage and those after it; of a summary at the end, by those it sums up."""
        after = {stage.name, *self.lock.downstream(stage.name)}
        tests = self._tests(after) or self._tests(self.lock.upstream(stage.name))
        if not tests:
            return Class.DIFFERENT, f"{reason}; no stage that ran measures a headline metric of it"
        if failed := [test.metric for test in tests if not test.passed]:
            return Class.DIFFERENT, f"{reason}; beyond two trainings of one recipe: {', '.join(failed)}"
        return Class.EQUIVALENT, f"{reason}; {len(tests)} headline metrics within those of two trainings"

    def _tests(self, stages: set[str]) -> list[MetricTest]:
        return [test for name, tests in self.evaluations.items() if name in stages for test in tests]

    def _by_use(self, out: str) -> tuple[Class, str]:
        """Trained weights: the worst that the stages show which read them, evaluations before all others."""
        readers = [stage for stage in self._stages() if out in self._inputs(stage)]
        evaluating = [stage for stage in readers if stage.name in self.evaluations] or readers
        judged = [(self.verdicts[one].rank, one) for stage in evaluating for one in stage.outs if one in self.verdicts]
        if not judged:
            return Class.DIFFERENT, "other weights, and no stage that ran uses them"
        rank, worst = max(judged)
        return rank, f"other weights; by what they do: {worst}"
