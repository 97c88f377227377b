"""The contract grows: what workers, importers and judges keep, as views."""

from importlib import import_module

from alembic import op

from migrations.contract import Column, create_view, extend_view

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# view -> (comment, columns)
NEW_VIEWS: dict[str, tuple[str, list[Column]]] = {
    "environments": (
        "Where verdicts were made. Every verdict made here names one.",
        [
            ("environment_id", "environment_id", "key"),
            (
                "tier",
                "tier",
                "sandbox tier: bwrap, landlock, ..., none without a sandbox, or host where no program is run",
            ),
            ("detail", "detail::text", "versions of interpreter, kernel, tools and libraries, as JSON text"),
            ("digest", "digest", "sha256 over tier and detail"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
    "workers": (
        "Worker processes, one row each time one starts.",
        [
            ("worker_id", "worker_id", "key"),
            ("name", "name", "host, process and start, as batches name it"),
            ("host", "host", "host it runs on"),
            ("device", "device", "cpu, or the GPU's name"),
            ("queues", "queues", "queues it takes from, comma-separated"),
            ("version", "version", "version of passatk it runs"),
            ("started_at", "started_at", "when it started"),
            ("seen_at", "seen_at", "last sign of life"),
            ("stopped_at", "stopped_at", "when it stopped in order"),
            ("error", "error", "last thing that went wrong"),
        ],
    ),
    "worker_reports": (
        "What workers did lately; old rows are removed by the sweeper.",
        [
            ("worker_id", "worker_id", "worker"),
            ("at", "at", "end of the interval reported on"),
            ("seconds", "seconds", "length of the interval"),
            ("samples", "samples", "samples written in it"),
            ("tokens", "tokens", "completion tokens written in it"),
            ("verdicts", "verdicts", "verdicts written in it"),
            ("failures", "failures", "batches that failed or were given back in it"),
            ("running", "running", "samples in the engine at its end"),
            ("waiting", "waiting", "samples queued in the engine at its end"),
            ("kv_cache_share", "kv_cache_share", "share of the key-value cache in use at its end"),
            ("memory_bytes", "memory_bytes", "resident memory at its end"),
            ("batch_id", "batch_id", "a batch it held at its end"),
        ],
    ),
    "prompts": (
        "The rendered prompt of each problem in a run, written with its first sample.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("prompt_hash", "prompt_hash", "64-bit hash of the rendered prompt"),
            ("prompt_tokens", "prompt_tokens", "its length in tokens; null when unknown"),
            ("prompt", "prompt", "what the model was given, chat template and examples included"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
    "sample_logprobs": (
        "Log-probabilities of each token, where the run asks for them.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index of the sample in its run and problem"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("token_ids", "token_ids", "tokens of the completion, in order"),
            ("logprobs", "logprobs", "natural log-probability of each"),
        ],
    ),
    "imports": (
        "One row per file that brought samples drawn elsewhere.",
        [
            ("import_id", "import_id", "key"),
            ("run_id", "run_id", "run its samples belong to"),
            ("format", "format", "format it was read as"),
            ("tool", "tool", "tool that made the samples, with version where it says so"),
            ("file", "file", "file or folder it was read from"),
            ("file_hash", "file_hash", "sha256 over the content"),
            ("records", "records", "records read"),
            ("options", "options::text", "options of the import, as JSON text"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
    "sample_sources": (
        "Which record of which file a sample drawn elsewhere came from.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index of the sample in its run and problem"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("import_id", "import_id", "import that brought it"),
            ("locator", "locator", "where in the file: line, record, entry"),
        ],
    ),
    "quarantines": (
        "Problems set aside; every curve can be taken with or without them.",
        [
            ("quarantine_id", "quarantine_id", "key"),
            ("problem_id", "problem_id", "problem"),
            ("reason", "reason", "why: its reference fails, its tests are flaky, its answer is wrong"),
            ("created_at", "created_at", "when the row was written"),
            ("lifted_at", "lifted_at", "when it was lifted; null while it holds"),
        ],
    ),
    "answer_classes": (
        "Which normalised answers are equivalent, decided once per parser version, so that votes agree.",
        [
            ("problem_id", "problem_id", "problem"),
            ("verifier_id", "verifier_id", "verifier whose parser and equivalence it is"),
            ("answer", "answer", "normalised answer"),
            ("answer_class", "answer_class", "first answer seen that is equivalent to it"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
    "generated_tests": (
        "Tests that a model wrote for a problem.",
        [
            ("test_id", "test_id", "key"),
            ("problem_id", "problem_id", "problem"),
            ("suite", "suite", "name of the set it came with, such as the model that wrote it"),
            ("position", "position", "0-based place in the suite for its problem"),
            ("code", "code", "program text, or the input of a stdin test"),
            ("expected", "expected", "expected output of a stdin test"),
        ],
    ),
    "test_outcomes": (
        "The matrix of candidates and generated tests: one row per sample and test.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index of the sample in its run and problem"),
            ("verifier_id", "verifier_id", "verifier"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("test_id", "test_id", "generated test"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("outcome", "outcome", "correct when the candidate passes the test, incorrect, or undecided"),
            ("reason", "reason", "why it does not pass"),
        ],
    ),
    "step_scores": (
        "Scores of a process reward model; how they are put together is chosen at analysis time.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index of the sample in its run and problem"),
            ("verifier_id", "verifier_id", "verifier"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("scores", "scores", "score of each step, in order"),
        ],
    ),
    "verdict_costs": (
        "What a judgement by a model cost, in tokens and device time.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("sample_index", "sample_index", "0-based index of the sample in its run and problem"),
            ("verifier_id", "verifier_id", "verifier"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("model_id", "model_id", "model that judged, whose price counts"),
            ("requests", "requests", "requests it took"),
            ("prompt_tokens", "prompt_tokens", "tokens of the prompts"),
            ("cached_prompt_tokens", "cached_prompt_tokens", "of them from a cache"),
            ("completion_tokens", "completion_tokens", "tokens of the answers"),
            ("reasoning_tokens", "reasoning_tokens", "of them hidden reasoning"),
            ("gpu_seconds", "gpu_seconds", "device seconds it took"),
        ],
    ),
    "preferences": (
        "Pairwise judgements. A swapped pair is a row of its own, so that position bias shows.",
        [
            ("run_id", "run_id", "run"),
            ("problem_id", "problem_id", "problem"),
            ("first_index", "first_index", "sample shown first"),
            ("second_index", "second_index", "sample shown second"),
            ("verifier_id", "verifier_id", "judge"),
            ("attempt", "attempt", "0 for the first judgement"),
            ("batch_id", "batch_id", "batch that wrote it"),
            ("winner", "winner", "first, second, tie, or undecided when the judge broke"),
            ("seconds", "seconds", "seconds the judgement took"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
    "stage_costs": (
        "Costs that belong to no single sample: stages of a pipeline, shared context, machines.",
        [
            ("stage_cost_id", "stage_cost_id", "key"),
            ("run_id", "run_id", "run"),
            ("stage", "stage", "stage of the pipeline: context, tests, edits, selection, ..."),
            ("problem_id", "problem_id", "problem; null for a cost all problems share"),
            ("model_id", "model_id", "model whose price counts"),
            ("requests", "requests", "requests"),
            ("input_tokens", "input_tokens", "uncached prompt tokens"),
            ("cached_input_tokens", "cached_input_tokens", "prompt tokens read from a cache"),
            ("cache_write_tokens", "cache_write_tokens", "prompt tokens written to a cache"),
            ("output_tokens", "output_tokens", "completion tokens without reasoning"),
            ("reasoning_tokens", "reasoning_tokens", "reasoning tokens"),
            ("gpu_seconds", "gpu_seconds", "device seconds"),
            ("usd", "usd::double precision", "US$, where the bill is known and not its tokens"),
            ("created_at", "created_at", "when the row was written"),
        ],
    ),
}

# view -> further columns
NEW_COLUMNS: dict[str, list[Column]] = {
    "prices": [
        (
            "cache_write_usd_per_mtok",
            "coalesce(cache_write_usd_per_mtok, input_usd_per_mtok)::double precision",
            "US$ per million prompt tokens written to a cache; null: as input",
        ),
        (
            "reasoning_usd_per_mtok",
            "coalesce(reasoning_usd_per_mtok, output_usd_per_mtok)::double precision",
            "US$ per million reasoning tokens; null: as output",
        ),
        (
            "request_usd",
            "coalesce(request_usd, 0)::double precision",
            "US$ per request, beside its tokens; 0 where there is none",
        ),
        ("source", "source", "where the price was read"),
    ],
    "engines": [
        ("chat_template_hash", "chat_template_hash", "hash over the chat template; null where there is none"),
        (
            "settings",
            "settings::text",
            "how it was loaded: dtype, quantisation, tensor parallel size, context, adapter, as JSON text",
        ),
    ],
    "runs": [
        (
            "stopping",
            "stopping::text",
            "stopping rule and its parameters: fixed, first-correct, batch-first-correct, budget-usd or adaptive, as JSON text",
        ),
        ("stopping_rule", "stopping ->> 'rule'", "fixed, first-correct, batch-first-correct, budget-usd or adaptive"),
        ("pilot_samples", "pilot_samples", "samples drawn for every problem whatever the verdicts say"),
        ("budget_samples", "budget_samples", "most samples the run may draw in all"),
        ("budget_usd", "budget_usd::double precision", "most US$ the run may spend"),
        ("budget_gpu_hours", "budget_gpu_hours::double precision", "most GPU hours the run may take"),
        ("priority", "priority", "higher is worked off first; 0 is usual"),
        ("system_prompt", "system_prompt", "system message of a chat model"),
        ("adapter", "adapter", "LoRA adapter the model is served with"),
        (
            "prompting",
            "prompting::text",
            "how prompts are made: chat template or plain, few-shot examples and their seed, preset, as JSON text",
        ),
        ("tags", "tags::text", "words people file the run under, as JSON text"),
    ],
    "batches": [
        ("import_id", "import_id", "import that brought its rows; null when made here"),
        ("leased_by", "leased_by", "worker that holds it"),
        ("leased_at", "leased_at", "when a worker last took it"),
        ("enqueued_at", "enqueued_at", "when its message was last sent to the queue"),
    ],
    "samples": [
        ("cache_write_tokens", "cache_write_tokens", "prompt tokens written to a paid cache; null when unknown"),
        ("reasoning_tokens", "reasoning_tokens", "of the completion tokens, those of hidden reasoning; null: none"),
        ("queue_seconds", "queue_seconds", "seconds its request waited in the engine"),
        ("prefill_seconds", "prefill_seconds", "seconds from scheduling to the first token"),
        ("decode_seconds", "decode_seconds", "seconds from the first token to the last"),
        ("gpu_seconds", "gpu_seconds", "its share of the engine's device time, in seconds times devices"),
        ("worker_id", "worker_id", "worker that drew it"),
    ],
    "verdicts": [
        ("answer_class", "answer_class", "answer that stands for all equivalent ones; null: the answer itself"),
        ("environment_id", "environment_id", "where it was judged: sandbox tier, interpreter, host kind"),
        ("weak", "weak", "true when the tests had to share the candidate's process"),
    ],
    "problems": [
        (
            "quarantined",
            "EXISTS (SELECT 1 FROM store.quarantines AS q WHERE q.problem_id = store.problems.problem_id AND q.lifted_at IS NULL)",
            "whether it is set aside",
        ),
    ],
}


def upgrade() -> None:
    for name, columns in NEW_COLUMNS.items():
        extend_view(name, columns)
    for name, (comment, columns) in NEW_VIEWS.items():
        create_view(name, comment, f"store.{name}", columns)


def downgrade() -> None:
    # Columns of a view cannot be taken away: the contract is made anew as it was.
    op.execute("DROP SCHEMA analytics CASCADE")
    import_module("migrations.versions.0002_analytics_contract").upgrade()
