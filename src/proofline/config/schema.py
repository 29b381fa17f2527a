"""The recipe: one frozen, typed section per part of `params.yaml`.

What decides a result lives here and is hashed by DVC. How many processes, which bucket, which MLflow server
lives in `environment.py`. Sections are passed on their own: a function's signature tells what it depends on.
Bounds are part of the type, so that an impossible value is refused before anything is imported or run. Nothing has
a default but `lora`: `params.yaml` says everything else, and so does each profile.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from proofline.config.own import NAME, Own
from proofline.config.section import Section


def sixteen_digits(value: str) -> str:
    if not re.fullmatch("[0-9a-f]{16}", value):
        raise ValueError(f"found {value!r}; a hash is 16 digits, 0 to 9 and a to f, in quotes if they are a number's")
    return value


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
Hash = Annotated[str, AfterValidator(sixteen_digits)]
ALL_LINEAR = "all-linear"
Policy = Literal["base", "sft", "dpo", "genrm"]
POLICIES: tuple[str, ...] = get_args(Policy)
"""The policies of the study, each trained from the one before."""
TRAINED = POLICIES[1:]
"""Those that are trained, each by the section of its name, and registered."""
ABLATION = "solutions"
"""`genrm` without what its traces teach. It is evaluated, so that the report can say which part does what."""
EVALUATED = (*POLICIES[:-1], ABLATION, *POLICIES[-1:])
"""In the order in which tables show them."""

PROBLEM_SOURCES = ("synthetic", "gsm8k", "math")
"""Those that are known without being described."""


def each_once(sources: tuple[str, ...]) -> tuple[str, ...]:
    if not sources or len(set(sources)) < len(sources):
        raise ValueError(f"found {list(sources)}; name at least one source, and each once")
    return sources


Sources = AfterValidator(each_once)


def plain_and_few(shots: tuple[int, ...]) -> tuple[int, ...]:
    if 0 not in shots or list(shots) != sorted(set(shots)):
        raise ValueError(f"found {list(shots)}; begin with 0, the plain prompt, and go on in rising order: [0, 4]")
    return shots


Shots = AfterValidator(plain_and_few)


class Prompts(Section):
    """User messages; the chat template around them belongs to the tokenizer."""

    solution: str
    """Asks for a solution. `{question}` is replaced."""
    verification: str
    """Asks for a verification of a candidate. `{question}` and `{candidate}` are replaced."""

    @model_validator(mode="after")
    def _placeholders(self) -> Self:
        required = {"solution": ("{question}",), "verification": ("{question}", "{candidate}")}
        for name, placeholders in required.items():
            for placeholder in placeholders:
                if getattr(self, name).count(placeholder) != 1:
                    raise ValueError(f"{name} has to hold {placeholder} once; found {getattr(self, name)!r}")
        return self


class Synthetic(Section):
    """Our own generator of problems, two families."""

    train: Annotated[int, Field(ge=0)]
    """Training problems, both families together."""
    dev: Annotated[int, Field(ge=0)]
    test: Annotated[int, Field(ge=0)]


class Published(Section):
    """A published benchmark."""

    origin: Literal["hub", "folder"]
    """`hub`: the Hugging Face hub at `revision`; `folder`: files under `$PROOFLINE_DATA_ROOT` (a path or `gs://…`)."""
    revision: str
    """Commit of the hub data set. Ignored for a folder."""
    train: Annotated[int, Field(ge=0)] | None
    """At most so many training problems enter the training splits; null: all."""
    test: Annotated[int, Field(ge=0)] | None
    """At most so many test problems are evaluated; null: all. The subset is the lowest hashes, so it is stable."""
    test_list: Literal["math-500"] | None
    """Of the test problems only those of a published list, before `test` limits them; null: all. `math-500` (of MATH):
    the 500 of Lightman et al. 2023. Training problems give way to the whole test split all the same."""


class Prepare(Section):
    """Problem sources, splits, curation."""

    sources: Annotated[tuple[str, ...], Field(strict=False), Sources]
    """`synthetic`, `gsm8k`, `math`, and names of `own`."""
    synthetic: Synthetic
    gsm8k: Published
    math: Published
    own: dict[str, Own]
    """Sources that the user brings, by name."""
    dev_fraction: Fraction
    """Share of a published training split held out for development, by skeleton."""
    ngram: Annotated[int, Field(ge=5, le=50)]
    """Words: a training problem that shares a run of so many with a test problem is dropped (13: Brown et al. 2020)."""
    demonstrations: Count
    """Upper bound of the demonstrations by reference."""
    published_candidates: bool
    """Read the published GSM8K candidate solutions and critiques (Zhang et al. 2024) from `$PROOFLINE_DATA_ROOT`."""

    @model_validator(mode="after")
    def _known_sources(self) -> Self:
        for name in self.own:
            if name in PROBLEM_SOURCES or not NAME.fullmatch(name):
                raise ValueError(
                    f"own: found the name {name!r}; allowed: at most 32 of a-z, 0-9, _ and -, a letter first, "
                    f"and none of {', '.join(PROBLEM_SOURCES)}"
                )
        known = (*PROBLEM_SOURCES, *self.own)
        for name in self.sources:
            if name not in known:
                raise ValueError(
                    f"sources: found {name!r}; known: {', '.join(known)}; others are described under prepare.own "
                    "(docs/your-problems.md)"
                )
        return self

    def benchmark(self, source: str) -> Published | Own:
        """The section of a source that is read, not generated."""
        found: Published | Own = self.own[source] if source in self.own else getattr(self, source)
        return found


class Pretraining(Section):
    """Recipe of the bundled base: next-token prediction on generated text."""

    hidden_size: Count
    num_layers: Count
    num_heads: Count
    num_kv_heads: Count
    intermediate_size: Count
    vocab_size: Annotated[int, Field(ge=300, le=65536)]
    """Byte-level BPE size, digits split singly."""
    sequence_length: Annotated[int, Field(ge=64)]
    """Tokens in a packed row."""
    batch_size: Count
    """Rows in a step."""
    max_steps: Count
    learning_rate: Positive
    warmup_steps: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _heads(self) -> Self:
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(f"hidden_size {self.hidden_size} is not an even multiple of num_heads {self.num_heads}")
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}")
        return self


class Base(Section):
    """Where the starting policy comes from."""

    source: Literal["bundled", "scratch", "hub", "folder"]
    """`bundled`: the repository's own; `scratch`: pre-train now; `hub`: `model` at `revision`; `folder`: your own."""
    model: str
    """Hub id. Ignored unless `source` is `hub`."""
    revision: str
    """Hub commit. Ignored unless `source` is `hub`."""
    folder: str | None
    """A Hugging Face folder: a path (from the repository's root) or `gs://…`. Read where `source` is `folder`, as are
    the two hashes, which say what the folder has to hold; `proofline check` finds them."""
    weights: Hash | None
    """Hash of its `*.safetensors`."""
    files: Hash | None
    """Hash of its other files: configuration, tokenizer, chat template."""
    pretraining: Pretraining

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.source == "folder" and not self.folder:
            raise ValueError("source folder needs the folder's path, or gs://…, in base.folder; found none")
        return self


class Demonstrations(Section):
    """What SFT demonstrates."""

    source: Literal["reference", "sampled"]
    """`reference`: the sources' solutions. `sampled`: right ones that the base drew itself (`sampling.base_problems`);
    those of others often make an instruction-tuned model worse."""
    per_problem: Count
    """At most so many sampled solutions of a problem, no two by the same equations."""
    rule: Literal["shortest", "random"]
    """Which of them: the shortest, or a seeded draw."""


class Fp8(Section):
    """FP8 products: e4m3 forwards, e5m2 backwards, a scale for each tensor (Micikevicius et al. 2022)."""

    emulate: bool
    """FP8 and a low-precision optimizer state by rounding, on any machine: for their accuracy, saving neither time nor
    memory. False: Transformer Engine."""
    min_flops_share: Fraction
    """Share of the FLOPs of the forward products with weights, the output head's included, that has to be in FP8; a
    model with less is refused. The head stays out, so 0.72 is all there is of Qwen2.5-0.5B."""


class Lora(Section):
    """Low-rank adapters (Hu et al. 2021): trained beside the weights, which stay as they are, and added to them in the
    end."""

    rank: Count
    """Rows of an adapter's first and columns of its second matrix."""
    alpha: Positive
    """The product of the two is scaled by alpha / rank."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Share of an adapter's inputs that are left out, drawn anew for each forward pass of each process: above 0 the
    numbers depend on how many there are, and on the micro-batch."""
    target: Annotated[
        tuple[str, ...],
        Field(strict=False, min_length=1),
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    ]
    """Which layers have one: `all-linear`, every Linear layer but the output head; or names, as `[q_proj, v_proj]`."""


class Training(Section):
    """What the three training stages have in common. The loss is computed in tiles: a batch's logits are never held."""

    epochs: Positive
    learning_rate: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Peak, reached at the last step of a linear warm-up whose first step trains too; cosine decay to a tenth."""
    warmup_ratio: Fraction
    batch_size: Count
    """Global batch, in rows: micro-batch x accumulation x world size must give it exactly."""
    max_length: Annotated[int, Field(ge=32)]
    """Tokens in a row, prompt included; longer rows are dropped and counted, never cut."""
    weight_decay: Annotated[float, Field(ge=0.0)]
    max_grad_norm: Positive
    precision: Literal["fp32", "bf16", "fp8"]
    """Arithmetic of the matrix products; `fp8` is that of the decoder's Linear layers, on Hopper or later."""
    fp8: Fp8
    """Read where `precision` is `fp8`; `emulate` also where `optimizer_state` is not `fp32`."""
    optimizer_state: Literal["fp32", "bf16", "fp8"]
    """Weights, gradients and Adam's two moments, in bytes a parameter. `fp32`: 4 + 4 + 8 = 16. `bf16`: bf16 weights
    with the 16 bits that make them exact fp32 again, bf16 gradients and moments: 4 + 2 + 4 = 10. `fp8`: the same with
    an FP8 first and a scaled fp16 second moment: 4 + 2 + 3 = 9."""
    activation_checkpointing: bool
    """Keep only each layer's input and compute the layer again backwards: less memory, about a third more work."""
    lora: Lora | None = None
    """Train adapters in place of all weights; null, or left out: all weights."""

    @model_validator(mode="after")
    def _number_formats(self) -> Self:
        if self.precision == "fp32" and self.optimizer_state != "fp32":
            raise ValueError(
                f"optimizer_state {self.optimizer_state} keeps the weights in bf16, which precision fp32 rules out; "
                "set precision to bf16 or fp8, or optimizer_state to fp32"
            )
        if self.lora and (self.precision == "fp8" or self.optimizer_state != "fp32"):
            raise ValueError(
                f"lora trains adapters in fp32 beside plain layers; found precision {self.precision} and "
                f"optimizer_state {self.optimizer_state}; set precision to fp32 or bf16 and optimizer_state to fp32, "
                "or lora to null"
            )
        return self


class Sft(Training):
    """Supervised fine-tuning on demonstrations, loss on the completion only."""


class Dpo(Training):
    """Direct preference optimisation (Rafailov et al. 2023)."""

    beta: Positive
    """Strength of the pull to the reference policy."""
    loss: Literal["sigmoid", "ipo"]
    sft_weight: Annotated[float, Field(ge=0.0)]
    """Weight of the added log-likelihood term on the chosen solution (Pang et al. 2024); 0: none."""

    @model_validator(mode="after")
    def _no_dropout(self) -> Self:
        if self.lora and self.lora.dropout:
            raise ValueError(
                f"lora.dropout is {self.lora.dropout}; preferences are measured against a reference without dropout, "
                "so what it leaves out would count as a change; set it to 0"
            )
        return self


class Genrm(Training):
    """Generative verifier: next-token prediction on traces mixed with solutions (Zhang et al. 2024)."""

    solution_weight: Fraction
    """Lambda: share of completion tokens that are of correct solutions, against traces."""


class Sampling(Section):
    """Sampling of training problems from a policy."""

    num_samples: Count
    """Solutions per problem."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_new_tokens: Count
    problems: Count | None
    """At most so many training problems are sampled; null: all."""
    base_problems: Annotated[int, Field(ge=0)] | None
    """Likewise from the base, for demonstrations of the source `sampled`; 0: none."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.temperature == 0 and self.num_samples > 1:
            raise ValueError(f"temperature 0 draws the same solution {self.num_samples} times; set num_samples to 1")
        return self


class Pairs(Section):
    """Selection of preference pairs."""

    per_problem: Count
    """At most so many pairs per problem and sampler."""
    off_policy: bool
    """Also pairs of solutions that the trained policy did not sample (the published candidates)? They are declared."""
    rule: Literal["shortest_edit", "random"]
    """`shortest_edit`: right and wrong solutions as alike as possible; `random`: seeded draw."""


class Writing(Section):
    """How the sources `self` and `endpoint` write verifications."""

    attempts: Count
    """Chains asked for a candidate; the first whose verdict agrees with the grade is kept."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_new_tokens: Count
    teacher: str
    """The model's name at the endpoint ($PROOFLINE_TEACHER_URL). Read by the source `endpoint`."""


class Traces(Section):
    """Building of verification traces."""

    sources: Annotated[tuple[Literal["program", "self", "endpoint", "published"], ...], Field(strict=False), Sources]
    """Who writes chains: the program, the DPO policy, a teacher over an OpenAI-compatible API, published critiques."""
    per_problem: Annotated[int, Field(ge=2)]
    """At most so many traces per problem, half Yes and half No."""
    corrupted: Annotated[int, Field(ge=0)]
    """Corrupted copies of each demonstration, beside the demonstration itself as a right candidate; 0: neither."""
    limit: Annotated[int, Field(ge=2)] | None
    """Upper bound of all traces, sampled candidates before written ones; null: all."""
    writing: Writing


class Evaluation(Section):
    """Evaluation of a policy on the test split."""

    problems: Count | None
    """At most so many test problems are evaluated, the same ones for every policy; null: all."""
    num_samples: Count
    """Samples per problem for pass@k, maj@k and avg@k."""
    shots: Annotated[tuple[Annotated[int, Field(ge=0, le=64)], ...], Field(strict=False), Shots]
    """Greedy decoding is run once for each: so many worked examples, training demonstrations of the problem's own
    benchmark, come before the problem. All else is measured with 0, the plain prompt."""
    temperature: Annotated[float, Field(gt=0.0, le=5.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_new_tokens: Count
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)]
    """Level of all intervals."""
    bootstrap_resamples: Annotated[int, Field(ge=100)]
    """Draws of clusters for the interval of the pooled AUROC; all other intervals and tests are computed."""


class Verification(Section):
    """Scoring of test candidates by the GenRM."""

    policy: Policy
    """Whose test samples are scored."""
    num_chains: Count
    """K: chains sampled per candidate."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    max_new_tokens: Count

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.temperature == 0 and self.num_chains > 1:
            raise ValueError(f"temperature 0 draws the same chain {self.num_chains} times; set num_chains to 1")
        return self


class EndpointJudge(Section):
    """How the judge `endpoint` is asked; where it is says the environment ($PROOFLINE_JUDGE_URL)."""

    model: str
    """Its name there: a dated one, if the provider has dates, since what a bare name stands for changes."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)]
    max_new_tokens: Count
    """A reply that is cut off has no verdict."""


class Judge(Section):
    """Win rates against an opponent."""

    opponent: Policy
    kind: Literal["ground_truth", "endpoint", "genrm"]
    """`ground_truth`: the one right answer wins, both right or both wrong tie; needs no network. `endpoint`: a strong
    model reads both solutions and the reference, in both orders. `genrm`: the larger P(Yes), as `verification` asks."""
    endpoint: EndpointJudge
    """Read by `endpoint`."""


class Params(Section):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    """The run seed; every other seed is derived from it."""
    prompts: Prompts
    prepare: Prepare
    base: Base
    demonstrations: Demonstrations
    sft: Sft
    sampling: Sampling
    pairs: Pairs
    dpo: Dpo
    traces: Traces
    genrm: Genrm
    evaluation: Evaluation
    verification: Verification
    judge: Judge

    @model_validator(mode="after")
    def _demonstrated(self) -> Self:
        source, problems = self.demonstrations.source, self.sampling.base_problems
        if (source == "sampled") == (problems == 0):
            remedy = "say how many the base is to solve" if source == "sampled" else "set it to 0: nobody reads them"
            raise ValueError(f"sampling.base_problems: found {problems} with demonstrations.source {source}; {remedy}")
        return self
