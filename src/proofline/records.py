"""The records that cross a stage's border, and how they are written to disk.

Every record is a frozen, typed row of a JSON Lines file. Its id is a hash of what made it, so the same
row has the same id on every machine, and every row names the rows it came from:

    Problem -> Solution -> Grade -> PreferencePair | VerificationTrace -> Verification

Walking those ids backwards leads from a preference pair or a trace to the sampled solutions, the weights
that sampled them (by hash), the decoding settings and seed, and the grader's verdict.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
Verdict = Literal["correct", "wrong", "unparsed"]
Undecided = Literal["unread", "incomparable", "timed out", "worker died"]
"""Why an answer is unparsed: none was read, it cannot be compared, or the comparison was cut short."""


def stable_id(*parts: object) -> str:
    """16 hex digits of the SHA-256 of the parts' canonical JSON; equal on every machine and Python version."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Record(BaseModel):
    """Base of all rows: frozen, and an unknown field is an error rather than silently dropped.

    NaN ("undefined") is written as the string "NaN", which JSON can hold and a float field reads back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Problem(Record):
    """One math word problem with its reference answer."""

    id: str
    """`<source>-<hash of the question>`, or the id that the user's row has."""
    source: str
    """`synthetic`, `gsm8k`, `math`, or the recipe's name of the user's own problems."""
    family: str
    """Benchmark the problem is reported under: `word` (GSM8K style), `math` (MATH style), or as the user's row says."""
    split: Split
    """Which part of the experiment may see it."""
    question: str
    """The problem as it is put to a policy."""
    solution: str
    """Reference solution; ends in `#### answer` or holds `\\boxed{answer}`; nothing else where no steps are known."""
    answer: str
    """Reference answer alone, as text that the grader can parse."""
    level: int = 0
    """Difficulty: number of steps (synthetic), 1-5 (MATH), the user's own, 0 where the source gives none."""
    subject: str = ""
    """Topic as the source names it (MATH: `Algebra`, …); empty where it names none."""
    skeleton: str
    """Hash of the question with its numbers and names taken out; splits never share one."""
    cluster: str = Field(default_factory=lambda known: known["skeleton"])
    """Problems of one cluster are not independent, and statistics resample them together: the skeleton, or the least
    skeleton among a published problem's near-duplicates."""

    @staticmethod
    def make_id(source: str, question: str) -> str:
        return f"{source}-{stable_id(source, question)}"


class Demonstration(Record):
    """One curated prompt/completion row for supervised fine-tuning."""

    id: str
    """Hash of what made it."""
    problem_id: str
    """The problem it solves."""
    question: str
    """The prompt."""
    solution: str
    """The completion."""
    style: str
    """Who wrote it: `worked` or `compact` (the generator's writers), `reference` (the problem's source), `template`
    (the recipe, for a problem that came without steps), or the policy's name."""


class Decoding(Record):
    """How tokens are drawn."""

    temperature: float
    """0 is greedy."""
    top_p: float
    """Share of the probability that is drawn from."""
    max_new_tokens: int
    """Where a solution is cut off."""


class Solution(Record):
    """One sampled candidate for a problem."""

    id: str
    """Hash of (weights, problem, decoding, seed, and server and examples if there are any): what decides the text."""
    problem_id: str
    """The problem it is a candidate for."""
    policy: str
    """Name of the policy: `base`, `sft`, `dpo`, `genrm`, or the name of a published data set."""
    weights: str
    """SHA-256 prefix of the sampler's weights; empty for published solutions of unknown weights."""
    decoding: Decoding
    """How it was drawn; see below."""
    sample_index: int
    """Which of a problem's samples, from 0."""
    seed: int
    """64-bit seed of this sample, derived from (run seed, problem id, sample index)."""
    text: str
    """What the policy wrote."""
    num_tokens: int
    """Its length."""
    logprob: float
    """Sum of the tokens' log-probabilities (nats) at temperature 1."""
    finished: bool
    """False where the solution was cut off at `max_new_tokens`."""
    server: str = ""
    """Name and version of the server that drew it; empty: the project's own decoding loop, which would do so again."""
    examples: tuple[str, ...] = ()
    """Ids of the demonstrations that were shown before the problem, in order."""


class Grade(Record):
    """The graders' verdicts on one solution. `unparsed` is not `wrong`: no answer could be read or compared."""

    solution_id: str
    """The solution that is judged."""
    problem_id: str
    """Its problem."""
    verdict: Verdict
    """Is the answer right?"""
    extracted: str | None
    """The answer as it was read, or None."""
    reason: str
    """Why: one short sentence a person can check."""
    grader: str
    """Name and version of the grader, e.g. `math-verify 0.9.0`."""
    undecided: Undecided | None = None
    """Why the verdict is `unparsed`; None where it is another."""
    second_verdict: Verdict | None = None
    """The verdict of an independent grader on the same answer; None where none was asked."""
    second_reason: str = ""
    """Why, in its words."""
    second_grader: str = ""
    """Its name and version."""

    @property
    def agreed(self) -> bool:
        """Do all graders who were asked call it right, or all wrong? Only then it may become training data."""
        return self.verdict != "unparsed" and self.second_verdict in (None, self.verdict)

    @property
    def disputed(self) -> bool:
        """Does one grader call it right and the other wrong?"""
        return {self.verdict, self.second_verdict} == {"correct", "wrong"}


class Readings(Record):
    """What three readers make of one greedy solution: see `evaluation.readings`."""

    solution_id: str
    """The solution."""
    problem_id: str
    """Its problem."""
    shots: int
    """How many worked examples its prompt showed."""
    finished: bool
    """False where the token limit cut it off, or left no room for it."""
    strict_answer: str | None
    """The answer in the form that was asked for; None: in another, or none."""
    strict: bool
    """Is that the reference, spelled alike?"""
    flexible_answer: str | None
    """The last number."""
    flexible: bool
    """Is that the reference, spelled alike?"""
    equivalence: bool
    """The first grader's verdict."""


class Origin(Record):
    """Where one side of a pair, or a candidate, comes from: what its sampler needs to draw it again, and its grade."""

    policy: str
    """As in Solution; `demonstration` and `corrupted` (a copy spoilt on purpose) were sampled by nobody."""
    weights: str
    """SHA-256 prefix of the sampler's weights; empty where nobody knows them."""
    decoding: Decoding
    """How it was drawn."""
    sample_index: int
    """Which of the problem's samples."""
    seed: int
    """64-bit seed of this sample."""
    num_tokens: int
    """Its length in the sampler's tokens; 0 where nobody knows it."""
    server: str = ""
    """As in Solution."""
    grade: Grade
    """What the grader said of it, and which solution it is."""

    @classmethod
    def of(cls, solution: Solution, grade: Grade) -> Origin:
        return cls(
            policy=solution.policy,
            weights=solution.weights,
            decoding=solution.decoding,
            sample_index=solution.sample_index,
            seed=solution.seed,
            num_tokens=solution.num_tokens,
            server=solution.server,
            grade=grade,
        )


class PreferencePair(Record):
    """A right and a wrong solution of one problem by one sampler."""

    id: str
    """Hash of the two solutions' ids."""
    problem_id: str
    """The problem of both."""
    question: str
    """The prompt."""
    chosen_id: str
    """The right solution."""
    rejected_id: str
    """The wrong one. A solution without a readable answer is never it."""
    chosen: str
    """Text of the right one."""
    rejected: str
    """Text of the other."""
    chosen_from: Origin
    """Where the right one comes from."""
    rejected_from: Origin
    """Where the other comes from."""
    on_policy: bool
    """Both were sampled by the policy that is trained on them."""
    rule: str
    """Name of the selection rule that picked the two."""
    settings: dict[str, int | float | str | bool | None]
    """The rule's settings: the section `pairs` of the recipe, and the run seed."""


class Critique(Record):
    """A published verification of a published candidate, by a model that saw the reference."""

    id: str
    """Hash of what made it."""
    problem_id: str
    """The problem."""
    solution_id: str
    """The candidate it is about."""
    chain: str
    """The critique up to its last verdict, restated as our verdict line."""


class VerificationTrace(Record):
    """A verification chain of thought about one candidate, ending in the verdict line (Zhang et al. 2024)."""

    id: str
    """Hash of what made it."""
    problem_id: str
    """The problem."""
    solution_id: str
    """The solution that is verified."""
    question: str
    """The problem's text."""
    candidate: str
    """The solution's text."""
    candidate_from: Origin
    """Where the candidate comes from, and its grade."""
    chain: str
    """Everything the verifier writes, verdict line included."""
    label: bool
    """True: the grader says the candidate is correct, and the chain ends in Yes."""
    origin: str
    """Who wrote the chain: `program`, `self` (the policy), `endpoint` (a teacher), `published` (critiques)."""
    layout: str
    """What the candidate looks like; of each problem, as many Yes as No have the same."""


class Verification(Record):
    """The GenRM's score of one candidate over K sampled chains."""

    solution_id: str
    """The candidate."""
    problem_id: str
    """Its problem."""
    label: Verdict
    """The grader's verdict on the candidate; never shown to the verifier."""
    p_yes: float
    """Mean of `p_yes_per_chain`, a chain without a verdict counting 0: it did not say Yes. NaN where none has one."""
    p_yes_per_chain: tuple[float, ...]
    """P(Yes) / (P(Yes) + P(No)) at the verdict token; NaN for a chain without a verdict."""
    chains: tuple[str, ...]
    """What the verifier wrote."""
    tokens_per_chain: tuple[int, ...]
    """The chains' lengths in generated tokens."""
    server: str = ""
    """Name and version of the server that wrote the chains; empty: this project's own loop."""


Side = Literal["policy", "opponent", "tie"]


class Judgement(Record):
    """Pairwise verdict on two policies' solutions of one problem."""

    problem_id: str
    """The problem both solved."""
    policy: str
    """One of the two."""
    opponent: str
    """The other."""
    winner: Side | None
    """Whose solution is better; None: without a verdict, which counts for neither and is no tie."""
    reason: str
    """Why, in words."""
    judge: str
    """Who judged: `ground_truth`, or a model by name or by the hash of its weights."""
    by_order: tuple[Side | None, ...] = ()
    """What a judge of texts said with the policy's solution shown first, and with the opponent's first."""
    replies: tuple[str, ...] = ()
    """Its words each time; a verifier's chains on the policy's solution, then on the opponent's."""
    scores: tuple[float, ...] = ()
    """A verifier's P(Yes) of the policy's and of the opponent's solution."""
    tokens: tuple[int, ...] = ()
    """Tokens that were read and written for it, as the server counts them."""
    server: str = ""
    """The model that answered, in its server's words; empty where nothing was asked of a server."""
